// Pictures and maps of one sample of one model, chosen by the controls.

const page = JSON.parse(document.getElementById("data").textContent);
const $ = (id) => document.getElementById(id);
const state = { model: 0, sample: null, layer: null, head: null, time: null };

const COLORS = new Map(page.colors.map(([name, table]) => [name, bytesOf(table)]));
const DIRECTIONS = ["r2g", "g2r"];

/** A true minus sign, `digits` behind the point. */
const number = (value, digits) => value.toFixed(digits).replace(/^-(0\.?0*)$/, "$1").replace("-", "−");

const itemsOf = (model) => page.models[model].items;
const itemOf = (model, sample) => itemsOf(model).find((item) => item.sample === sample);
const current = () => itemOf(state.model, state.sample);

function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name in made) made[name] = value;
    else made.setAttribute(name, value);
  }
  made.append(...children);
  return made;
}

/** Decoded pictures by their URL. */
const pictures = new Map();
function picture(url) {
  if (!pictures.has(url)) {
    const image = new Image();
    pictures.set(url, new Promise((done) => {
      image.onload = () => done(image);
      image.onerror = () => done(null);
    }));
    image.src = url;
  }
  return pictures.get(url);
}

/** Masks of a sample as 0 and 1, decoded once. */
function masks(sample) {
  if (!sample.masks) {
    const count = sample.height * sample.width;
    const of = (bits) => (bits === null ? null : maskOf(bits, count));
    sample.masks = { r2g: of(sample.mask), g2r: of(sample.reference_mask) };
  }
  return sample.masks;
}

/** The attribution that the controls select and its score, or why there is none. */
function mapOf(modelIndex, item, direction, part) {
  const model = page.models[modelIndex];
  const sample = page.samples[item.sample];
  const maps = item.maps[direction];
  if (!maps) return { reason: item.no_map[direction] ?? "there is no map" };
  const raw = rawMap(maps, model.rules, part, item.time_groups);
  if (!raw) return { reason: "this part of the model has no map in this direction" };
  const mask = masks(sample)[direction];
  const map = attribution(raw, model.rules, direction, sample.height, sample.width, masks(sample).g2r);
  const computed = mask && scoreOf(map, mask, model.rules.penalty);
  const selected = [part.layer !== null && `layer:${part.layer}`, part.head !== null && `head:${part.head}`,
    part.time !== null && `time:${part.time}`].filter(Boolean);
  const recorded = selected.length < 2 ? item.scores[direction]?.[selected[0] ?? "unified"] : undefined;
  const oneToken = part.layer === null ? maps.one_token : false;
  return { map, mask, oneToken, computed, recorded, name: titleOf(model, direction) };
}

/** What the score of a map is called. */
const titleOf = (model, direction) => model.rules.titles[direction] ?? "score";

/** A sign before scores that were worked out here. */
function scoreText({ reason, computed, recorded, oneToken, name }) {
  if (reason) return `no map: ${reason}`;
  const mark = oneToken ? "*" : "";
  if (recorded !== undefined) return `${name} ${number(recorded, 3)}${mark}`;
  if (typeof computed === "number") return `${name} ≈ ${number(computed, 3)}${mark}`;
  return "no mask to score against";
}

/** Canvas pixels for one of a picture: enough that lines are thin on any screen. */
const zoomOf = (sample) => Math.max(1, Math.ceil(480 / sample.height));

/** A text whose first word, the name of a score, has its index set lower. */
function withIndex(text, name) {
  const [base, index] = name?.split("_") ?? [];
  if (index?.length !== 1 || !text.startsWith(name)) return [text];
  return [base, element("sub", {}, index), text.slice(name.length)];
}

/** Draws a picture with a map over it: colors cover it the more the higher the attribution. */
async function paint(canvas, sample, url, map, mask) {
  const ticket = (canvas.ticket = (canvas.ticket ?? 0) + 1);
  const image = url ? await picture(url) : null;
  if (canvas.ticket !== ticket) return;
  const { height, width } = sample;
  const zoom = zoomOf(sample);
  canvas.height = height * zoom;
  canvas.width = width * zoom;
  const context = canvas.getContext("2d");
  context.scale(zoom, zoom);
  if (image) context.drawImage(image, 0, 0, width, height);
  if (map) context.drawImage(layerOf(map, height, width), 0, 0);
  if (mask && $("outline").checked) drawOutline(context, mask, height, width, zoom);
}

/** The colors of a map, transparent where it is 0. */
function layerOf(map, height, width) {
  const table = COLORS.get($("colors").value);
  const strength = Number($("strength").value) / 100;
  const pixels = new ImageData(width, height);
  for (let i = 0; i < map.data.length; i++) {
    const value = Math.min(Math.max(map.data[i], 0), 1);
    const level = Math.min(Math.floor(value * 256), 255) * 3;
    pixels.data.set([table[level], table[level + 1], table[level + 2], 255 * strength * Math.sqrt(value)], 4 * i);
  }
  const layer = element("canvas", { height, width });
  layer.getContext("2d").putImageData(pixels, 0, 0);
  return layer;
}

/** A line along the edge of the mask, light on dark so that it is seen on any picture. */
function drawOutline(context, mask, height, width, zoom) {
  const at = (r, c) => r >= 0 && c >= 0 && r < height && c < width && mask[r * width + c] > 0;
  for (const [color, thickness] of [["rgba(0,0,0,.6)", 5], ["rgba(255,255,255,.95)", 2.5]]) {
    context.strokeStyle = color;
    context.lineWidth = thickness / zoom;
    context.beginPath();
    for (let r = 0; r <= height; r++)
      for (let c = 0; c <= width; c++) {
        if (at(r, c) !== at(r - 1, c)) { context.moveTo(c, r); context.lineTo(c + 1, r); }
        if (at(r, c) !== at(r, c - 1)) { context.moveTo(c, r); context.lineTo(c, r + 1); }
      }
    context.stroke();
  }
}

function drawLegend() {
  const canvas = $("legend");
  const table = COLORS.get($("colors").value);
  const context = canvas.getContext("2d");
  for (let i = 0; i < 256; i++) {
    context.fillStyle = `rgb(${table[3 * i]} ${table[3 * i + 1]} ${table[3 * i + 2]})`;
    context.fillRect(i, 0, 1, 10);
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
    $(`view-${direction}`).setAttribute("aria-label", `${direction} map, ${text}`);
    said.push(text);
  }
  $("metrics").replaceChildren(...item.metrics.map(([name, value]) => element("span", {}, `${name} ${value}`)));
  $("status").textContent = `${page.models[state.model].label}, sample ${sample.id}: ${said.join("; ")}`;
  if (sample.problem) $("metrics").textContent = `Only the generated picture is shown: ${sample.problem}.`;
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
}

/** Goes to a sample of a model; to another sample where the model does not have it. */
function select(model, sample) {
  state.model = model;
  const items = itemsOf(model);
  state.sample = items.some((item) => item.sample === sample) ? sample : items[0]?.sample ?? null;
  $("model").value = $("explore-model").value = String(model);
  drawSamples();
  drawFaults();
  draw();
  explore.refresh();
}

function start() {
  const usable = page.models.map((model, index) => [model, index]).filter(([model]) => model.items.length);
  if (!usable.length) {
    $("viewer").replaceChildren(element("p", { className: "warning" }, "This run kept no pictures that could be shown."));
    $("explorer").hidden = true;
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
  // A model that can be explored shows most.
  const [model, index] = usable.find(([model]) => model.items.some((item) => item.specific.length)) ?? usable[0];
  select(index, model.items[0].sample);
}
