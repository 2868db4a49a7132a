// Pictures and maps of one sample of one model, chosen by the controls.

function drawLegend() {
  const canvas = $("legend");
  const table = COLORS.get($("colors").value);
  const context = canvas.getContext("2d");
  for (let i = 0; i < 256; i++) {
    context.fillStyle = `rgb(${table[3 * i]} ${table[3 * i + 1]} ${table[3 * i + 2]})`;
    context.fillRect(i, 0, 1, 12);
  }
}

/** Shows a figure, or hides it where there is no such picture. */
function figure(id, sample, url, map, mask) {
  const canvas = $(id);
  canvas.parentElement.hidden = !url && !map;
  if (url || map) paint(canvas, sample, url, map, mask);
}

function drawMaps() {
  const item = current();
  if (!item) return;
  const sample = page.samples[item.sample];
  $("input-caption").textContent = masks(sample).r2g ? "to inpaint" : "input";
  figure("view-input", sample, sample.input, null, masks(sample).r2g);
  figure("view-reference", sample, sample.reference, null, masks(sample).g2r);
  figure("view-generated", sample, item.image);
  figure("view-truth", sample, sample.truth);
  const said = [];
  for (const direction of DIRECTIONS) {
    const found = mapOf(state.model, item, direction, state);
    const base = direction === "r2g" ? item.image : sample.reference;
    figure(`view-${direction}`, sample, found.map ? base : null, found.map, found.mask);
    $(`view-${direction}`).parentElement.hidden = false;
    $(`view-${direction}`).hidden = !found.map;
    const text = scoreText(found);
    $(`score-${direction}`).replaceChildren(...withIndex(text, found.name));
    $(`share-${direction}`).textContent = shareText(found);
    $(`view-${direction}`).shown = found.map ?? null;
    $(`view-${direction}`).setAttribute("aria-label", `${direction} map, ${text}`);
    said.push(text);
  }
  $("metrics").replaceChildren(...item.metrics.map(([name, value]) => element("span", {}, `${name} ${value}`)));
  $("status").textContent = `${page.models[state.model].label}, sample ${sample.id}: ${said.join("; ")}`;
  if (sample.problem) $("metrics").textContent = `Only the generated picture is shown: ${sample.problem}.`;
}

/** The attribution under the pointer, in percent. */
function tellUnderPointer(event) {
  const map = event.target.shown;
  if (!map) return;
  const box = event.target.getBoundingClientRect();
  const at = (place, start, length, count) => Math.min(Math.max(Math.floor(((place - start) / length) * count), 0), count - 1);
  const row = at(event.clientY, box.top, box.height, map.height);
  const column = at(event.clientX, box.left, box.width, map.width);
  $("under-pointer").textContent = `${number(100 * map.data[row * map.width + column], 0)} % at the pointer`;
}

/** The same sample and part for every model. */
function drawCompare() {
  $("others").hidden = page.models.length < 2;
  $("compare").replaceChildren(...page.models.map((model, index) => {
    const item = itemOf(index, state.sample);
    const button = element("button", { type: "button", "aria-pressed": String(index === state.model) });
    button.append(element("span", { className: "name", title: model.label }, model.label));
    if (!item) {
      button.append(element("span", { className: "value" }, "not on this page"));
      button.disabled = true;
      return button;
    }
    const sample = page.samples[item.sample];
    const found = mapOf(index, item, "r2g", state);
    const canvases = [element("canvas"), element("canvas")];
    paint(canvases[0], sample, item.image);
    paint(canvases[1], sample, item.image, found.map, found.mask);
    button.append(element("span", { className: "pair" }, ...canvases));
    button.append(element("span", { className: "value" }, ...withIndex(scoreText(found), found.name)));
    button.addEventListener("click", () => select(index, state.sample));
    return button;
  }));
}

function drawSamples() {
  const group = $("samples");
  group.replaceChildren(...itemsOf(state.model).map((item) => {
    const sample = page.samples[item.sample];
    const checked = item.sample === state.sample;
    const canvas = element("canvas");
    paint(canvas, sample, item.image);
    const button = element("button", { type: "button", role: "radio", "aria-checked": String(checked), tabIndex: checked ? 0 : -1 }, canvas, sample.id);
    button.addEventListener("click", () => select(state.model, item.sample));
    return button;
  }));
}

/** Arrow keys go through the samples as through any group of radio buttons. */
$("samples").addEventListener("keydown", (event) => {
  const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
  if (!step) return;
  event.preventDefault();
  const items = itemsOf(state.model);
  const place = items.findIndex((item) => item.sample === state.sample);
  select(state.model, items[(place + step + items.length) % items.length].sample);
  $("samples").querySelector('[aria-checked="true"]').focus();
});

/** Layers, heads and time groups of the current item in the pickers. */
function fillPickers() {
  const item = current();
  const layers = new Map();
  let heads = 0;
  for (const direction of DIRECTIONS)
    for (const layer of item.maps[direction]?.layers ?? []) {
      layers.set(layer.name, layer.short);
      heads = Math.max(heads, layer.heads);
    }
  if (!layers.has(state.layer)) state.layer = null;
  if (state.head >= heads) state.head = null;
  if (state.time >= item.time_groups) state.time = null;
  const option = (value, text, selected) => element("option", { value, selected }, text);
  $("layer").replaceChildren(option("", "chosen by the convention", state.layer === null),
    ...[...layers].map(([name, short]) => option(name, short, name === state.layer)));
  $("head").replaceChildren(option("", "all", state.head === null),
    ...Array.from({ length: heads }, (_, head) => option(String(head), String(head), head === state.head)));
  $("time").max = item.time_groups;
  $("time").value = state.time === null ? 0 : state.time + 1;
  $("time").disabled = item.time_groups < 2;
  const groups = item.time_groups;
  const place = (time) => (time === 0 ? " (noisiest)" : time === groups - 1 ? " (last)" : "");
  $("time-text").textContent = state.time === null ? "all steps" : `group ${state.time + 1} of ${groups}${place(state.time)}`;
  $("time").setAttribute("aria-valuetext", $("time-text").textContent);
}

/** The parts of the model that look outside the mask most. */
function drawFaults() {
  const { faults } = page.models[state.model];
  $("faults").replaceChildren();
  if (!faults.length) return;
  const worst = faults[0];
  const head = ["direction", "layer", "head", "time", "score", "outside", ""];
  const rows = faults.map((fault) => {
    const show = element("button", { type: "button" }, "show");
    show.addEventListener("click", () => {
      Object.assign(state, { layer: fault.layer, head: fault.head, time: fault.time });
      draw();
      $("viewer").scrollIntoView({ block: "start" });
    });
    const share = fault.outside === null ? "" : `${number(100 * fault.outside, 0)} %`;
    const cells = [fault.direction, fault.short, fault.head, fault.time + 1, number(fault.score, 2), share];
    return element("tr", {}, ...cells.map((cell) => element("td", {}, String(cell))), element("td", {}, show));
  });
  $("faults").append(
    element("h3", {}, "Looks outside the mask most"),
    element("p", { className: "muted", id: "worst" },
      `Lowest mean ${titleOf(page.models[state.model], worst.direction)}: layer ${worst.short}, head ${worst.head}, time group ${worst.time + 1} (${worst.direction}, ${number(worst.score, 2)}).`),
    element("details", {}, element("summary", {}, `${faults.length} parts`),
      element("table", {}, element("thead", {}, element("tr", {}, ...head.map((text) => element("th", { scope: "col" }, text)))),
        element("tbody", {}, ...rows))));
}

function draw() {
  if (!current()) return;
  fillPickers();
  drawLegend();
  drawMaps();
  drawCompare();
  split.draw();
}

/** Goes to a sample of a model; to another sample where the model does not have it. */
function select(model, sample) {
  state.model = model;
  const items = itemsOf(model);
  state.sample = items.some((item) => item.sample === sample) ? sample : items[0]?.sample ?? null;
  $("model").value = $("explore-model").value = String(model);
  drawSamples();
  drawFaults();
  matrix.mark();
  split.follow();
  draw();
  explore.refresh();
}

function start() {
  const usable = page.models.map((model, index) => [model, index]).filter(([model]) => model.items.length);
  if (!usable.length) {
    $("viewer").replaceChildren(element("p", { className: "warning" }, "This run kept no pictures that could be shown."));
    $("explorer").hidden = $("gallery").hidden = true;
    return;
  }
  for (const id of ["model", "explore-model"]) {
    $(id).append(...usable.map(([model, index]) => element("option", { value: String(index) }, model.label)));
    $(id).addEventListener("change", () => select(Number($(id).value), state.sample));
  }
  $("colors").append(...[...COLORS.keys()].map((name) => element("option", { value: name }, name)));
  $("layer").addEventListener("change", () => { state.layer = $("layer").value || null; draw(); });
  $("head").addEventListener("change", () => { state.head = $("head").value === "" ? null : Number($("head").value); draw(); });
  $("time").addEventListener("input", () => {
    const value = Number($("time").value);
    state.time = value === 0 ? null : value - 1;
    draw();
  });
  for (const id of ["colors", "strength", "outline"]) $(id).addEventListener("input", () => { draw(); explore.refresh(); });
  for (const direction of DIRECTIONS) {
    $(`view-${direction}`).addEventListener("pointermove", tellUnderPointer);
    $(`view-${direction}`).addEventListener("pointerleave", () => { $("under-pointer").textContent = ""; });
  }
  matrix.start();
  split.start(usable.map(([, index]) => index));
  // Models stand best first.
  const [model, index] = usable[0];
  select(index, model.items[0].sample);
}
