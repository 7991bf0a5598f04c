// Tables of class "sort": every column heading becomes a button.

function numberIn(text) {
  const clean = text.replace(/,/g, "").trim();
  if (clean.startsWith("∞")) return Infinity;
  if (clean.startsWith("-∞")) return -Infinity;
  const found = /^(± ?|[+-])?\d+(\.\d+)?(e[+-]?\d+)?/i.exec(clean);
  return found ? Number(found[0].replace("±", "")) : null;
}

function textOf(cell) {
  const copy = cell.cloneNode(true);
  for (const note of copy.querySelectorAll("sup")) note.remove();
  return copy.textContent.trim();
}

// Empty cells come last in either direction, so that what is missing is never on top.
function compare(one, other, sign) {
  const empty = (text) => text === "" || text === "—";
  if (empty(one) || empty(other)) return empty(one) - empty(other);
  const [a, b] = [numberIn(one), numberIn(other)];
  if (a !== null && b !== null) return sign * (a === b ? 0 : a < b ? -1 : 1);
  return sign * (one < other ? -1 : one > other ? 1 : 0);
}

function applySort(table) {
  const heads = [...table.tHead.rows[table.tHead.rows.length - 1].cells];
  const at = heads.findIndex((head) => head.hasAttribute("aria-sort"));
  const body = table.tBodies[0];
  const rows = [...body.rows];
  const place = (row) => Number(row.dataset.place);
  if (at < 0) {
    rows.sort((one, other) => place(one) - place(other));
  } else {
    const sign = heads[at].getAttribute("aria-sort") === "ascending" ? 1 : -1;
    const texts = new Map(rows.map((row) => [row, textOf(row.cells[at])]));
    rows.sort((one, other) =>
      compare(texts.get(one), texts.get(other), sign) || place(one) - place(other));
  }
  table.classList.toggle("sorted", at >= 0);
  body.append(...rows);
}

function sortable(table) {
  [...table.tBodies[0].rows].forEach((row, at) => { row.dataset.place = at; });
  const heads = [...table.tHead.rows[table.tHead.rows.length - 1].cells];
  for (const head of heads) {
    if (head.tagName !== "TH" || !head.textContent.trim()) continue;
    const button = document.createElement("button");
    button.type = "button";
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => {
      // Down first: most columns are numbers, of which the largest is wanted; then up, then as it was.
      const now = head.getAttribute("aria-sort");
      const text = numberIn(textOf(table.tBodies[0].rows[0].cells[head.cellIndex])) === null;
      const [first, second] = text ? ["ascending", "descending"] : ["descending", "ascending"];
      for (const other of heads) other.removeAttribute("aria-sort");
      if (now !== second) head.setAttribute("aria-sort", now === first ? second : first);
      applySort(table);
    });
  }
}
