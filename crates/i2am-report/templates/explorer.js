// Which patch took from which: a click on one side shows the other.

const explore = {
  layer: null,
  /** The patch asked about: side and index; null for none, undefined at the start. */
  asked: undefined,
  /** Where the keyboard is on each side. */
  cursor: { generated: 0, reference: 0 },

  maps() {
    const item = current();
    return item?.specific.find((maps) => maps.layer === explore.layer) ?? item?.specific[0] ?? null;
  },

  /** Takes over another sample or model, keeping what was asked where it still means something. */
  refresh() {
    const item = current();
    if (!item) return;
    const maps = explore.maps();
    $("explore-sample").replaceChildren(...itemsOf(state.model).map((other) =>
      element("option", { value: String(other.sample), selected: other.sample === state.sample }, page.samples[other.sample].id)));
    for (const id of ["explore", "specific-layer-label", "grid-label", "clear"]) $(id).hidden = !maps;
    $("nothing").hidden = Boolean(maps);
    if (!maps) {
      $("nothing").textContent = `${page.models[state.model].label}: ${item.no_specific}`;
      return;
    }
    explore.layer = maps.layer;
    if (explore.asked === undefined) explore.asked = { side: "generated", index: explore.middle(maps.generated) };
    $("specific-layer").replaceChildren(...item.specific.map((other) =>
      element("option", { value: other.layer, selected: other.layer === maps.layer }, other.short)));
    for (const side of ["generated", "reference"]) {
      const [rows, columns] = maps[side];
      explore.cursor[side] = Math.min(explore.cursor[side], rows * columns - 1);
      if (explore.asked?.side === side && explore.asked.index >= rows * columns) explore.asked = null;
      $(`explore-${side}`).setAttribute("aria-label",
        `${side} picture of sample ${page.samples[item.sample].id}, ${rows} by ${columns} patches; arrow keys move, Enter asks`);
    }
    explore.draw();
  },

  /** The patch in the middle of the masked region, or of the picture. */
  middle([rows, columns]) {
    const sample = page.samples[current().sample];
    const mask = masks(sample).r2g ?? [];
    let [y, x, count] = [0, 0, 0];
    mask.forEach((value, index) => {
      y += value * Math.floor(index / sample.width);
      x += value * (index % sample.width);
      count += value;
    });
    const at = (sum, length, patches) => Math.min(Math.floor(((count ? sum / count : length / 2) * patches) / length), patches - 1);
    return at(y, sample.height, rows) * columns + at(x, sample.width, columns);
  },

  /** What the patch takes (generated) or gives (reference), patch by patch of the other side. */
  answer(maps, { side, index }) {
    const { bytes, scale } = decoded(maps);
    const [tokens, patches] = [maps.reference, maps.generated].map(([rows, columns]) => rows * columns);
    if (side === "generated") return Float32Array.from({ length: tokens }, (_, t) => bytes[index * tokens + t] * scale[index]);
    return Float32Array.from({ length: patches }, (_, p) => bytes[p * tokens + index] * scale[p]);
  },

  async draw() {
    const item = current();
    const maps = explore.maps();
    if (!item || !maps) return;
    const sample = page.samples[item.sample];
    const { asked } = explore;
    const other = asked && (asked.side === "generated" ? "reference" : "generated");
    const values = asked && explore.answer(maps, asked);
    for (const side of ["generated", "reference"]) {
      const canvas = $(`explore-${side}`);
      const url = side === "generated" ? item.image : sample.reference;
      const ticket = (canvas.ticket = (canvas.ticket ?? 0) + 1);
      const image = url ? await picture(url) : null;
      if (canvas.ticket !== ticket) return;
      const zoom = 2 * zoomOf(sample);
      canvas.height = sample.height * zoom;
      canvas.width = sample.width * zoom;
      const context = canvas.getContext("2d");
      if (image) context.drawImage(image, 0, 0, canvas.width, canvas.height);
      const [rows, columns] = maps[side];
      const patch = { height: canvas.height / rows, width: canvas.width / columns };
      if (side === other) explore.drawHeat(context, values, columns, patch);
      if ($("grid").checked) explore.drawGrid(context, rows, columns, patch);
      if (asked?.side === side) explore.drawFrame(context, asked.index, columns, patch, "#ffffff", 6);
      if (document.activeElement === canvas) explore.drawFrame(context, explore.cursor[side], columns, patch, "#ffd54a", 3);
    }
    explore.tell(maps, values);
  },

  /** Colors of the maps over the picture, which they cover the more the more a patch matters. */
  drawHeat(context, values, columns, patch) {
    const table = COLORS.get($("colors").value);
    const top = values.reduce((a, b) => Math.max(a, b), 0) || 1;
    values.forEach((value, index) => {
      const share = value / top;
      const level = Math.min(Math.floor(share * 256), 255) * 3;
      context.fillStyle = `rgb(${table[level]} ${table[level + 1]} ${table[level + 2]} / ${0.85 * share})`;
      context.fillRect((index % columns) * patch.width, Math.floor(index / columns) * patch.height, patch.width, patch.height);
    });
  },

  drawGrid(context, rows, columns, patch) {
    context.strokeStyle = "rgba(255,255,255,.22)";
    context.lineWidth = 1;
    context.beginPath();
    for (let r = 1; r < rows; r++) { context.moveTo(0, r * patch.height); context.lineTo(context.canvas.width, r * patch.height); }
    for (let c = 1; c < columns; c++) { context.moveTo(c * patch.width, 0); context.lineTo(c * patch.width, context.canvas.height); }
    context.stroke();
  },

  drawFrame(context, index, columns, patch, color, thickness) {
    const box = [(index % columns) * patch.width, Math.floor(index / columns) * patch.height, patch.width, patch.height];
    context.strokeStyle = "#000000";
    context.lineWidth = thickness + 3;
    context.strokeRect(...box);
    context.strokeStyle = color;
    context.lineWidth = thickness;
    context.strokeRect(...box);
  },

  /** The answer in words. */
  tell(maps, values) {
    const { asked } = explore;
    if (!asked) {
      $("answer").textContent = "Click a patch of either picture.";
      return;
    }
    const place = (index, [, columns]) => `row ${Math.floor(index / columns) + 1}, column ${(index % columns) + 1}`;
    const other = asked.side === "generated" ? "reference" : "generated";
    const best = values.indexOf(values.reduce((a, b) => Math.max(a, b), 0));
    const here = place(asked.index, maps[asked.side]);
    const there = place(best, maps[other]);
    const percent = `${number(100 * values[best], values[best] < 0.1 ? 1 : 0)} %`;
    const inside = explore.inside(maps, values, other);
    $("answer").textContent = asked.side === "generated"
      ? `The generated patch at ${here} takes most from the reference at ${there} (${percent} of its attention)${inside}.`
      : `The reference patch at ${here} goes most to the generated picture at ${there} (${percent} of what is taken there)${inside}.`;
  },

  /** Which share of the answer lies inside the mask of the other side. */
  inside(maps, values, side) {
    const sample = page.samples[current().sample];
    const mask = masks(sample)[side === "reference" ? "g2r" : "r2g"];
    if (!mask) return "";
    const [rows, columns] = maps[side];
    let inside = 0, all = 0;
    values.forEach((value, index) => {
      const [r, c] = [Math.floor(index / columns), index % columns];
      const y = Math.min(Math.floor(((r + 0.5) * sample.height) / rows), sample.height - 1);
      const x = Math.min(Math.floor(((c + 0.5) * sample.width) / columns), sample.width - 1);
      all += value;
      if (mask[y * sample.width + x] > 0) inside += value;
    });
    const what = side === "reference" ? "on the object of the reference" : "in the masked region";
    return all > 0 ? `; ${number((100 * inside) / all, 0)} % lies ${what}` : "";
  },

  ask(side, index) {
    explore.asked = { side, index };
    explore.cursor[side] = index;
    explore.draw();
  },

  start() {
    for (const side of ["generated", "reference"]) {
      const canvas = $(`explore-${side}`);
      canvas.addEventListener("click", (event) => {
        const [rows, columns] = explore.maps()[side];
        const box = canvas.getBoundingClientRect();
        const row = Math.min(Math.floor(((event.clientY - box.top) / box.height) * rows), rows - 1);
        const column = Math.min(Math.floor(((event.clientX - box.left) / box.width) * columns), columns - 1);
        explore.ask(side, Math.max(row, 0) * columns + Math.max(column, 0));
      });
      canvas.addEventListener("keydown", (event) => explore.key(event, side));
      canvas.addEventListener("focus", () => explore.draw());
      canvas.addEventListener("blur", () => explore.draw());
    }
    $("explore-sample").addEventListener("change", () => select(state.model, Number($("explore-sample").value)));
    $("specific-layer").addEventListener("change", () => { explore.layer = $("specific-layer").value; explore.refresh(); });
    $("grid").addEventListener("change", () => explore.draw());
    $("clear").addEventListener("click", () => { explore.asked = null; explore.draw(); });
  },

  key(event, side) {
    const [rows, columns] = explore.maps()[side];
    const cursor = explore.cursor[side];
    const [row, column] = [Math.floor(cursor / columns), cursor % columns];
    const moves = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };
    if (event.key in moves) {
      const [down, right] = moves[event.key];
      const to = [Math.min(Math.max(row + down, 0), rows - 1), Math.min(Math.max(column + right, 0), columns - 1)];
      explore.cursor[side] = to[0] * columns + to[1];
      explore.draw();
    } else if (event.key === "Enter" || event.key === " ") explore.ask(side, cursor);
    else if (event.key === "Escape") {
      explore.asked = null;
      explore.draw();
    } else return;
    event.preventDefault();
  },
};

explore.start();
start();
