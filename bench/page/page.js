"use strict";
// The page is complete without this script: it sorts, filters and hides, opens what stands behind a number, and copies.

const evidence = JSON.parse(document.getElementById("evidence").textContent);
const tables = [...document.querySelectorAll("table")];
const drawer = document.getElementById("drawer");

/** An element with text, which is never read as HTML. */
function make(name, text = "", attributes = {}) {
  const element = document.createElement(name);
  element.textContent = text;
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  return element;
}

// Sorting: numbers by their value, rows without one last; the pinned rows and those of others stay where they are.

function sortBy(heading, isDescending) {
  const table = heading.closest("table");
  const index = Number(heading.dataset.index);
  const body = table.querySelector("tbody.measured");
  const key = (row) => index === 0 ? row.dataset.label : Number(row.cells[index].dataset.value ?? NaN);
  const sign = isDescending ? -1 : 1;
  const rows = [...body.rows].map((row) => [key(row), row]);
  rows.sort(([a], [b]) => {
    if (index === 0) return sign * a.localeCompare(b, "en");
    return Number(Number.isNaN(a)) - Number(Number.isNaN(b)) || sign * (a - b) || 0;
  });
  body.append(...rows.map(([, row]) => row));
  for (const other of table.querySelectorAll("th[aria-sort]")) other.setAttribute("aria-sort", "none");
  heading.setAttribute("aria-sort", isDescending ? "descending" : "ascending");
  makeOneStop(table);
}

function onSort(button) {
  const heading = button.closest("th");
  const state = heading.getAttribute("aria-sort");
  const first = button.dataset.better === "higher";  // the better end first
  sortBy(heading, state === "none" ? first : state === "ascending");
}

// Filtering: the same rows and columns in all tables of scores and effects.

const filters = document.getElementById("filters");

function checked(name) {
  return new Set([...filters.querySelectorAll(`input[name=${name}]:checked`)].map((box) => box.value));
}

function filterRows() {
  const words = document.getElementById("find").value.trim().toLowerCase().split(/\s+/);
  const kinds = checked("kind");
  const known = new Set([...filters.querySelectorAll("input[name=kind]")].map((box) => box.value));
  const shown = new Set(), all = new Set();
  for (const row of document.querySelectorAll("tr[data-label]")) {
    const { kind, label } = row.dataset;
    if (!known.has(kind)) continue;
    row.hidden = !kinds.has(kind) || !words.every((word) => label.toLowerCase().includes(word));
    all.add(label);
    if (!row.hidden) shown.add(label);
  }
  document.getElementById("shown").value = `${shown.size} of ${all.size} rows shown`;
  tables.forEach(makeOneStop);
}

function filterColumns() {
  const kinds = checked("column");
  const known = new Set([...filters.querySelectorAll("input[name=column]")].map((box) => box.value));
  for (const table of tables) {
    const groups = [...table.tHead.rows[0].cells].slice(1);
    let next = 1;
    const headings = [...table.tHead.rows[1].cells];
    for (const group of groups) {
      const size = Number(group.dataset.size);
      const own = headings.slice(next - 1, next - 1 + size);
      for (const heading of own) heading.hidden = known.has(heading.dataset.kind) && !kinds.has(heading.dataset.kind);
      const left = own.filter((heading) => !heading.hidden).length;
      group.hidden = left === 0;
      group.colSpan = Math.max(left, 1);
      next += size;
    }
    for (const row of table.querySelectorAll("tr[data-label]")) {
      headings.forEach((heading, index) => { row.cells[index + 1].hidden = heading.hidden; });
    }
    makeOneStop(table);
  }
}

// The keyboard: Tab stops at one number of a table, arrow keys move to the others.

const visible = (button) => button.offsetParent !== null;

function makeOneStop(table) {
  const buttons = [...table.querySelectorAll("button[data-entry]")];
  for (const button of buttons) button.tabIndex = -1;
  const first = buttons.find((button) => !button.closest("[hidden]"));
  if (first) first.tabIndex = 0;
}

const MOVES = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] };

function onArrow(event) {
  const button = event.target.closest("button[data-entry]");
  const move = MOVES[event.key];
  if (!button || !move || event.ctrlKey || event.metaKey || event.altKey) return;
  const rows = [...button.closest("table").rows];
  let row = rows.indexOf(button.closest("tr")), column = button.closest("td").cellIndex;
  while (rows[row += move[0]]?.cells[column += move[1]]) {
    const next = rows[row].cells[column].querySelector("button[data-entry]");
    if (next && visible(next)) {
      button.tabIndex = -1;
      next.tabIndex = 0;
      next.focus();
      break;
    }
  }
  event.preventDefault();
}

// The drawer: what stands behind a number.

function open(button) {
  const [title, value, definition, seeds, files] = evidence.entries[Number(button.dataset.entry)];
  const text = (index) => evidence.texts[index];
  const sources = evidence.lines[files];
  document.getElementById("drawer-title").textContent = text(title);
  document.getElementById("drawer-value").textContent = text(value);
  const content = document.getElementById("drawer-content");
  const list = make("ul", "", { class: "definition" });
  list.append(...evidence.lines[definition].map((line) => make("li", text(line).replaceAll("`", ""))));
  content.replaceChildren(list);
  const rows = seeds.map((row) => evidence.rows[row]).map(([label, values]) => [text(label), new Map(values)]);
  if (rows.length) content.append(make("h3", "By seed"), seedTable(rows));
  content.append(make("h3", sources.length === 1 ? "Made from 1 file" : `Made from ${sources.length} files`));
  content.append(...sources.map((source) => sourceDetails(evidence.sources[source], text, sources.length === 1)));
  drawer.showModal();
  drawer.scrollTop = 0;
}

function seedTable(rows) {
  const table = make("table");
  const head = table.createTHead().insertRow();
  head.append(make("th", "seed", { scope: "col" }), ...rows.map(([label]) => make("th", label, { scope: "col" })));
  const body = table.createTBody();
  for (const seed of new Set(rows.flatMap(([, values]) => [...values.keys()]))) {
    const row = body.insertRow();
    row.append(make("th", seed, { scope: "row" }), ...rows.map(([, values]) => make("td", values.get(seed) ?? "\u2013")));
  }
  const scroll = make("div", "", { class: "scroll", tabindex: "0", role: "region", "aria-label": "values by seed" });
  scroll.append(table);
  return scroll;
}

function sourceDetails([path, lines], text, isOpen) {
  const details = make("details");
  details.open = isOpen;
  const list = make("dl");
  for (const [topic, line] of lines) {
    const words = text(line).replaceAll("\0", text(path));
    const told = make("dd");
    if (["again", "compare"].includes(text(topic)) && !words.startsWith("not kept")) {
      told.append(make("code", words), make("button", "copy", { type: "button", "data-copy": "" }));
    } else {
      told.textContent = words;
    }
    list.append(make("dt", text(topic)), told);
  }
  details.append(make("summary", text(path)), list);
  return details;
}

// Copying: the text before the button.

async function copy(button) {
  const source = button.previousElementSibling;
  const label = button.textContent;
  try {
    await navigator.clipboard.writeText(source.textContent);
    button.textContent = "copied";
  } catch {  // browsers refuse it to some pages: then the text is selected, to be copied by hand
    getSelection().selectAllChildren(source);
    button.textContent = "selected";
  }
  setTimeout(() => { button.textContent = label; }, 1500);
}

// The theme: remembered for the session where the browser lets the page.

function remember(theme) {
  try {
    if (theme === undefined) return sessionStorage.getItem("theme") ?? "";
    sessionStorage.setItem("theme", theme);
  } catch { /* no storage: the choice lasts as long as the page */ }
  return theme ?? "";
}

function show(theme) {
  if (theme) document.documentElement.dataset.theme = theme;
  else delete document.documentElement.dataset.theme;
}

const theme = document.getElementById("theme");
theme.value = remember();
show(theme.value);
theme.addEventListener("change", () => { show(theme.value); remember(theme.value); });

document.addEventListener("click", (event) => {
  const button = event.target.closest("button");
  if (event.target === drawer) drawer.close();  // beside its content
  else if (!button) return;
  else if ("entry" in button.dataset) open(button);
  else if ("better" in button.dataset) onSort(button);
  else if ("copy" in button.dataset) copy(button);
});
document.addEventListener("keydown", onArrow);
filters.addEventListener("input", (event) => event.target.name === "column" ? filterColumns() : filterRows());
filters.addEventListener("submit", (event) => event.preventDefault());

for (const element of document.querySelectorAll(".scripted")) element.hidden = false;
filterRows();
