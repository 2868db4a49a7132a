// What the parts of the page share: the data, pictures, masks, and maps over pictures.

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
  const marks = part.layer === null ? maps.marks : "";
  return { map, mask, marks, computed, recorded, name: titleOf(model, direction) };
}

/** What the score of a map is called. */
const titleOf = (model, direction) => model.rules.titles[direction] ?? "score";

/** A sign before scores that were worked out here. */
function scoreText({ reason, computed, recorded, marks, name }) {
  if (reason) return `no map: ${reason}`;
  if (recorded !== undefined) return `${name} ${number(recorded, 3)}${marks}`;
  if (typeof computed === "number") return `${name} ≈ ${number(computed, 3)}${marks}`;
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

/** Which share of a map lies inside a mask, next to the share of the area that the mask covers: in words. */
function shareText({ map, mask }) {
  if (!map || !mask) return "";
  let inside = 0, all = 0, area = 0;
  for (let i = 0; i < mask.length; i++) {
    all += map.data[i];
    if (mask[i] > 0) {
      inside += map.data[i];
      area++;
    }
  }
  if (!area || !(all > 0)) return "";
  return `${number((100 * inside) / all, 0)} % of the attribution is inside the outline, which covers ${number((100 * area) / mask.length, 0)} % of the area`;
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
    pixels.data.set([table[level], table[level + 1], table[level + 2], 255 * strength * value], 4 * i);
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
