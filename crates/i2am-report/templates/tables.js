// Tables: sorted by a click on a heading, saved as CSV; everything is open in print.

/** The number that a cell begins with, or null. */
function numberIn(text) {
  const found = /^[<≈]?\s*([−-]?\d+(?:\.\d+)?(?:e[−-]?\d+)?)/.exec(text.trim());
  return found ? Number(found[1].replaceAll("−", "-")) : null;
}

/** Orders texts as people do, numbers by value; what has no value stands last either way. */
function sortBy(table, column, descending) {
  const body = table.tBodies[0];
  const numeric = table.tHead.rows[0].cells[column].classList.contains("number");
  const key = (row) => {
    const text = row.cells[column].textContent.trim();
    return numeric ? numberIn(text) : text || null;
  };
  const rows = [...body.rows].map((row, place) => ({ row, place, key: key(row) }));
  const order = descending ? -1 : 1;
  rows.sort((a, b) => {
    if (a.key === null || b.key === null) return (a.key === null) - (b.key === null) || a.place - b.place;
    const compared = numeric ? a.key - b.key : a.key.localeCompare(b.key, undefined, { numeric: true });
    return order * compared || a.place - b.place;
  });
  body.append(...rows.map(({ row }) => row));
}

for (const table of document.querySelectorAll("details.table table")) {
  const heads = [...table.tHead.rows[0].cells];
  heads.forEach((head, column) => {
    const button = element("button", { type: "button", className: "sort" }, ...head.childNodes);
    head.replaceChildren(button);
    button.addEventListener("click", () => {
      const descending = head.getAttribute("aria-sort") === "ascending";
      for (const other of heads) other.removeAttribute("aria-sort");
      head.setAttribute("aria-sort", descending ? "descending" : "ascending");
      sortBy(table, column, descending);
    });
  });
}

for (const button of document.querySelectorAll("button[data-table]"))
  button.addEventListener("click", () => {
    const name = button.dataset.table;
    const url = URL.createObjectURL(new Blob([page.tables[name]], { type: "text/csv" }));
    const link = element("a", { href: url, download: `${name}.csv` });
    link.click();
    setTimeout(() => URL.revokeObjectURL(url), 1000);
  });

/** What is folded on a screen is read in print. */
const folded = [];
window.addEventListener("beforeprint", () => {
  for (const details of document.querySelectorAll("details:not([open])")) {
    folded.push(details);
    details.open = true;
  }
});
window.addEventListener("afterprint", () => { for (const details of folded.splice(0)) details.open = false; });
