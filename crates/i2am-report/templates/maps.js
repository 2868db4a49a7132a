// Maps from the bytes of a record: the operations of attribution_map and normalise, in their order.

/** Bytes of base64 text. */
function bytesOf(text) {
  const raw = atob(text);
  const bytes = new Uint8Array(raw.length);
  for (let i = 0; i < raw.length; i++) bytes[i] = raw.charCodeAt(i);
  return bytes;
}

/** 32-bit floats of base64 text, little-endian whatever the machine. */
function floatsOf(text) {
  const bytes = bytesOf(text);
  const view = new DataView(bytes.buffer);
  return Float32Array.from({ length: bytes.length / 4 }, (_, i) => view.getFloat32(4 * i, true));
}

/** Decodes the arrays of a layer when they are first asked for. */
function decoded(layer) {
  if (!layer.values) layer.values = { bytes: bytesOf(layer.data), scale: floatsOf(layer.scale) };
  return layer.values;
}

/** A mask of one bit a pixel as 0 and 1. */
function maskOf(text, count) {
  const bytes = bytesOf(text);
  return Float32Array.from({ length: count }, (_, i) => (bytes[i >> 3] >> (7 - (i & 7))) & 1);
}

const BICUBIC = -0.75;

/** Source indices and weights of each output position: torch's bicubic or bilinear without antialias. */
function taps(from, to, bicubic) {
  const near = (x) => ((BICUBIC + 2) * x - (BICUBIC + 3)) * x * x + 1;
  const far = (x) => ((BICUBIC * x - 5 * BICUBIC) * x + 8 * BICUBIC) * x - 4 * BICUBIC;
  const all = [];
  for (let out = 0; out < to; out++) {
    let source = (from / to) * (out + 0.5) - 0.5;
    if (bicubic) {
      const first = Math.floor(source);
      const t = source - first;
      const weights = [far(t + 1), near(t), near(1 - t), far(2 - t)];
      all.push(weights.map((weight, k) => [Math.min(Math.max(first + k - 1, 0), from - 1), weight]));
    } else {
      source = Math.max(source, 0);
      const first = Math.min(Math.floor(source), from - 1);
      const t = Math.min(Math.max(source - first, 0), 1);
      all.push([[first, 1 - t], [Math.min(first + 1, from - 1), t]]);
    }
  }
  return all;
}

/** `map` brought to `height` x `width`. */
function resized(map, height, width, bicubic) {
  if (map.height === height && map.width === width) return map;
  const columns = taps(map.width, width, bicubic);
  const narrow = new Float32Array(map.height * width);
  for (let r = 0; r < map.height; r++)
    for (let c = 0; c < width; c++) {
      let sum = 0;
      for (const [index, weight] of columns[c]) sum += map.data[r * map.width + index] * weight;
      narrow[r * width + c] = sum;
    }
  const rows = taps(map.height, height, bicubic);
  const data = new Float32Array(height * width);
  for (let r = 0; r < height; r++)
    for (const [index, weight] of rows[r])
      for (let c = 0; c < width; c++) data[r * width + c] += narrow[index * width + c] * weight;
  return { height, width, data };
}

/** `(x - min) / (max - min + epsilon)`, in place. */
function minMax(map, epsilon) {
  let low = Infinity, high = -Infinity;
  for (const value of map.data) {
    if (value < low) low = value;
    if (value > high) high = value;
  }
  for (let i = 0; i < map.data.length; i++) map.data[i] = (map.data[i] - low) / (high - low + epsilon);
  return map;
}

/**
 * The raw map of a direction: mean over the heads and layers that `part` selects (null: all, or those that the convention
 * chooses), over the steps of one time group or of all. Null where nothing is selected.
 */
function rawMap(maps, rules, part, groups) {
  const chosen = part.time === null ? maps.chosen : maps.time_chosen;
  const layers = part.layer === null ? chosen : [maps.layers.findIndex((layer) => layer.name === part.layer)];
  const usable = layers.filter((index) => index >= 0 && (part.head === null || part.head < maps.layers[index].heads));
  if (!usable.length) return null;
  const [height, width] = maps.latent;
  const sum = new Float64Array(height * width);
  for (const index of usable) {
    const layer = maps.layers[index];
    const size = layer.height * layer.width;
    const { bytes, scale } = decoded(layer);
    const heads = part.head === null ? [...Array(layer.heads).keys()] : [part.head];
    const times = part.time === null ? [...Array(groups).keys()] : [part.time];
    const mean = new Float64Array(height * width);
    for (const head of heads) {
      const data = new Float32Array(size);
      for (const time of times) {
        const slice = time * layer.heads + head;
        for (let i = 0; i < size; i++) data[i] += bytes[slice * size + i] * scale[slice];
      }
      const large = resized({ height: layer.height, width: layer.width, data }, height, width, rules.bicubic);
      for (let i = 0; i < mean.length; i++) {
        const value = rules.clamp ? Math.max(large.data[i], 0) : large.data[i];
        mean[i] += value / heads.length;
      }
    }
    let weight = 1;
    if (maps.unit_mean) {
      const average = mean.reduce((a, b) => a + b, 0) / mean.length;
      if (average > 0) weight = 1 / average;
    }
    for (let i = 0; i < sum.length; i++) sum[i] += (weight * mean[i]) / usable.length;
  }
  return { height, width, data: Float32Array.from(sum) };
}

/** The attribution in [0, 1] of a raw map at the size of a picture. */
function attribution(map, rules, direction, height, width, referenceMask) {
  let small = { ...map, data: Float32Array.from(map.data) };
  if (direction === "g2r" && rules.reference_mask && referenceMask) {
    const mask = resized({ height, width, data: referenceMask }, map.height, map.width, rules.bicubic);
    for (let i = 0; i < small.data.length; i++) small.data[i] *= mask.data[i];
  }
  small = minMax(small, rules.epsilon);
  let large = resized(small, height, width, rules.bicubic);
  large = minMax({ ...large, data: Float32Array.from(large.data) }, rules.epsilon);
  const inverted = rules.inverted[direction];
  const cut = rules.floor === null ? null : Math.fround(1 - rules.floor);
  for (let i = 0; i < large.data.length; i++) {
    const absence = Math.fround(inverted ? large.data[i] : 1 - large.data[i]);
    large.data[i] = cut !== null && absence >= cut ? 0 : 1 - absence;
  }
  return large;
}

/** The mean inside the mask less `penalty` times the mean outside; null for an empty mask. */
function scoreOf(map, mask, penalty) {
  let inside = 0, outside = 0, count = 0;
  for (let i = 0; i < mask.length; i++) {
    if (mask[i] > 0) {
      inside += map.data[i];
      count++;
    } else outside += map.data[i];
  }
  if (!count) return null;
  const rest = mask.length - count;
  return inside / count - (rest ? (penalty * outside) / rest : 0);
}
