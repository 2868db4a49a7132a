// Every model on every sample: a table of pictures, best model first.

const matrix = {
  /** Samples that some model has, in the order of the page. */
  samples: [],

  start() {
    matrix.samples = page.samples.map((_, index) => index)
      .filter((sample) => page.models.some((_, model) => itemOf(model, sample)));
    const head = element("tr", {}, element("th", { scope: "col" }, "sample"),
      ...matrix.samples.map((sample) => element("th", { scope: "col" }, page.samples[sample].id)));
    const given = [["reference", (sample) => sample.reference], ["ground truth", (sample) => sample.truth]];
    const rows = given.filter(([, shown]) => matrix.samples.some((sample) => shown(page.samples[sample])))
      .map(([name, shown]) => matrix.row(name, "given", (sample) => matrix.still(shown(page.samples[sample]))));
    page.models.forEach((model, index) => {
      if (model.items.length) rows.push(matrix.row(model.label, "", (sample) => matrix.button(index, sample)));
    });
    $("matrix").replaceChildren(element("thead", {}, head), element("tbody", {}, ...rows));
    $("matrix").addEventListener("keydown", matrix.key);
  },

  row(name, className, cell) {
    return element("tr", { className }, element("th", { scope: "row" }, name),
      ...matrix.samples.map((sample) => element("td", {}, cell(sample) ?? "")));
  },

  still(url) {
    return url ? element("img", { src: url, alt: "", loading: "lazy" }) : null;
  },

  button(model, sample) {
    const item = itemOf(model, sample);
    if (!item) return null;
    const label = `${page.models[model].label}, sample ${page.samples[sample].id}`;
    const button = element("button", { type: "button", title: label, tabIndex: -1 },
      element("img", { src: item.image, alt: label, loading: "lazy" }));
    button.place = [model, sample];
    button.addEventListener("click", () => select(model, sample));
    return button;
  },

  buttons: () => [...$("matrix").querySelectorAll("button")],

  /** Marks the picture that is looked at. One of them can be reached by the tabulator key; arrow keys go to the others. */
  mark() {
    for (const button of matrix.buttons()) {
      const here = button.place[0] === state.model && button.place[1] === state.sample;
      button.setAttribute("aria-pressed", String(here));
      button.tabIndex = here ? 0 : -1;
    }
  },

  key(event) {
    const step = { ArrowRight: [0, 1], ArrowLeft: [0, -1], ArrowDown: [1, 0], ArrowUp: [-1, 0] }[event.key];
    const from = event.target.closest("button")?.closest("td");
    if (!step || !from) return;
    event.preventDefault();
    let [row, column] = [from.parentElement, from.cellIndex];
    do {
      if (step[0]) row = step[0] > 0 ? row.nextElementSibling : row.previousElementSibling;
      column += step[1];
      const button = row?.cells[column]?.querySelector("button");
      if (button) {
        button.focus();
        button.click();
        return;
      }
    } while (row && column > 0 && column < row.cells.length);
  },
};
