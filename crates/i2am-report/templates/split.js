// Two models on one sample, one over the other, with a line between them that can be moved.

const split = {
  /** Indices of the models on either side; "truth" stands for what should have been made. */
  sides: { left: null, right: null },

  start(usable) {
    split.sides = { left: usable[0], right: usable.length > 1 ? usable[usable.length - 1] : "truth" };
    const models = usable.map((index) => [String(index), page.models[index].label]);
    const given = [["truth", "ground truth"], ["input", "input"], ["reference", "reference"]]
      .filter(([key]) => page.samples.some((sample) => sample[key]));
    for (const side of ["left", "right"]) {
      const list = $(`split-${side}`);
      list.append(...[...models, ...given].map(([value, text]) => element("option", { value }, text)));
      list.value = String(split.sides[side]);
      list.addEventListener("change", () => {
        split.sides[side] = list.value in page.models ? Number(list.value) : list.value;
        split.draw();
      });
    }
    $("split-sample").append(...matrix.samples.map((sample) => element("option", { value: String(sample) }, page.samples[sample].id)));
    $("split-sample").addEventListener("change", () => select(state.model, Number($("split-sample").value)));
    $("split-maps").addEventListener("input", () => split.draw());
    $("split-at").addEventListener("input", () => split.move());
    const drag = (event) => {
      if (!event.buttons) return;
      const box = $("split-stage").getBoundingClientRect();
      $("split-at").value = String(Math.round((100 * (event.clientX - box.left)) / box.width));
      split.move();
    };
    $("split-stage").addEventListener("pointerdown", drag);
    $("split-stage").addEventListener("pointermove", drag);
    split.move();
  },

  /** Takes over the sample that is looked at. */
  follow() {
    $("split-sample").value = String(state.sample);
  },

  /** Shows the left picture up to the line. */
  move() {
    const at = Number($("split-at").value);
    $("split-over").style.clipPath = `inset(0 ${100 - at}% 0 0)`;
    $("split-line").style.left = `${at}%`;
  },

  draw() {
    const sample = page.samples[state.sample];
    if (!sample) return;
    split.paint("left", $("split-over"), sample);
    split.paint("right", $("split-under"), sample);
  },

  paint(side, canvas, sample) {
    const what = split.sides[side];
    const about = $(`split-about-${side}`);
    if (typeof what !== "number") {
      const name = $(`split-${side}`).selectedOptions[0].textContent;
      about.textContent = sample[what] ? name : `${name}: none for this sample`;
      paint(canvas, sample, sample[what]);
      return;
    }
    const { label } = page.models[what];
    const item = itemOf(what, state.sample);
    canvas.setAttribute("aria-label", `${label}, sample ${sample.id}`);
    if (!item) {
      about.textContent = `${label}: this sample is not on this page`;
      paint(canvas, sample, null);
      return;
    }
    const found = mapOf(what, item, "r2g", state);
    const maps = $("split-maps").checked;
    paint(canvas, sample, item.image, maps ? found.map : null, maps ? found.mask : null);
    const values = item.metrics.map(([name, value]) => `${name} ${value}`).join(" · ");
    about.replaceChildren(element("b", {}, label), element("br"), ...withIndex(scoreText(found), found.name), values ? ` · ${values}` : "");
  },
};
