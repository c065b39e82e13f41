"use strict";
// The tables are filled, sorted and filtered from one block of data; what is chosen is in the address, so
// that a view can be shared. Names come from strangers: text goes in through textContent only.
const boards = new Map(JSON.parse(document.getElementById("data").textContent).map((b) => [b.name, b]));
const form = document.getElementById("controls");
const MOST = 10;
const SVG = "http://www.w3.org/2000/svg";

const percent = (v, digits = 1) => (v === null || v === undefined ? "-" : (100 * v).toFixed(digits));

function draw(tag, attributes, parent) {
  const node = document.createElementNS(SVG, tag);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  if (parent) parent.append(node);
  return node;
}

class Table {
  constructor(section) {
    this.section = section;
    this.board = boards.get(section.dataset.board);
    this.body = section.querySelector("tbody");
    this.lines = [...this.body.rows].map((line) => ({ line, row: this.board.rows[line.dataset.i] }));
    this.sort = { key: "noisy", down: true };
    for (const head of section.querySelectorAll("th[data-key]"))
      head.querySelector("button").addEventListener("click", () => this.sortBy(head.dataset.key));
    this.body.addEventListener("change", (event) => this.pick(event.target));
  }

  sortBy(key) {
    const down = this.sort.key === key ? !this.sort.down : !["name", "recipe", "drop"].includes(key);
    this.sort = { key, down };
    this.arrange();
  }

  pick(box) {
    if (this.body.querySelectorAll("input:checked").length > MOST) box.checked = false;
    this.plot();
  }

  score(row, noise = this.noise) {
    return (row.scores[this.metric] || {})[noise] || {};
  }

  value(row, key) {
    if (key === "name" || key === "recipe") return row[key] ? row[key].toLowerCase() : null;
    if (key.startsWith("family:")) return this.score(row, key.slice(7)).noisy;
    return this.score(row)[key];
  }

  show(view) {
    const known = view.noise === "noise" || this.board.families.includes(view.noise);
    this.noise = known ? view.noise : "noise";
    this.metric = view.metric;
    this.recipe = view.recipe;
    this.find = view.find.toLowerCase();
    this.fill();
    this.arrange();
    this.plot();
  }

  fill() {
    const shown = this.metric === this.board.metric;
    for (const { line, row } of this.lines) {
      const [, , , , , clean, noisy, drop, kept, ...rest] = line.cells;
      const score = this.score(row);
      clean.textContent = percent(score.clean);
      noisy.replaceChildren(document.createElement("b"));
      noisy.firstChild.textContent = percent(score.noisy);
      if (shown && score.low !== null && score.low !== undefined) {
        const range = document.createElement("small");
        range.textContent = ` [${percent(score.low)}, ${percent(score.high)}]`;
        noisy.append(range);
      }
      drop.textContent = percent(score.drop);
      const bar = document.createElement("span");
      bar.className = "bar";
      bar.append(document.createElement("i"));
      bar.firstChild.style.width = `${Math.max(0, Math.min(100, 100 * (score.kept ?? 0)))}%`;
      kept.replaceChildren(bar, `${percent(score.kept, 0)}%`);
      const spark = rest.pop();
      this.board.families.forEach((family, i) => {
        const one = this.score(row, family);
        rest[i].textContent = percent(one.noisy);
        const step = this.step(one.drop);
        rest[i].style.background = step ? `var(--${step})` : "";
        rest[i].style.color = step ? `var(--t-${step})` : "";
      });
      spark.replaceChildren(this.spark(score.curve));
    }
  }

  step(drop) {
    if (drop === null || drop === undefined) return "";
    const step = Math.round((drop / this.board.largest) * 10);
    return `d${Math.max(-4, Math.min(10, step))}`;
  }

  spark(curve) {
    const picture = draw("svg", { class: "spark", viewBox: "0 0 96 26", "aria-hidden": "true" });
    const points = (curve || []).map((v, i) => (v === null ? null : `${2 + i * 18.4} ${24 - 22 * v}`));
    const there = points.filter(Boolean);
    draw("path", { d: `M2 ${24 - 22 * this.board.chance}H94`, stroke: "var(--grid)" }, picture);
    if (there.length)
      draw("path", { d: `M${there.join("L")}`, fill: "none", stroke: "var(--accent)", "stroke-width": 1.6 }, picture);
    return picture;
  }

  arrange() {
    const { key, down } = this.sort;
    const fits = ({ row }) =>
      (!this.recipe || row.recipe === this.recipe) && row.name.toLowerCase().includes(this.find);
    const order = this.lines.filter(fits).map((entry) => ({ ...entry, value: this.value(entry.row, key) }));
    const less = (a, b) => (a < b ? -1 : a > b ? 1 : 0);
    // What is undefined comes last, whichever way the column is sorted.
    order.sort((a, b) =>
      a.value == null || b.value == null
        ? (a.value == null) - (b.value == null)
        : (down ? -1 : 1) * less(a.value, b.value) || less(a.row.name, b.row.name));
    let rank = 0;
    for (const { line, row } of order) {
      const cheated = row.marks.some((mark) => mark.kind === "contaminated");
      line.cells[1].textContent = cheated ? "–" : (rank += 1);
    }
    this.body.replaceChildren(...order.map(({ line }) => line));
    this.section.querySelector(".none").hidden = order.length > 0;
    for (const head of this.section.querySelectorAll("th[data-key]")) {
      if (head.dataset.key === key) head.setAttribute("aria-sort", down ? "descending" : "ascending");
      else head.removeAttribute("aria-sort");
    }
  }

  plot() {
    const width = 560, height = 250, left = 34, right = 12, top = 10, bottom = 30;
    const picked = [...this.body.rows].filter((line) => line.querySelector("input").checked).slice(0, MOST);
    const rows = picked.map((line) => this.board.rows[line.dataset.i]);
    const x = (severity) => left + (severity / 5) * (width - left - right);
    const y = (value) => height - bottom - value * (height - top - bottom);
    const picture = draw("svg", { viewBox: `0 0 ${width} ${height}`, role: "img" });
    picture.setAttribute("aria-label", `severity curves of ${rows.map((row) => row.name).join(", ")}`);
    for (const tick of [0, 0.25, 0.5, 0.75, 1]) {
      draw("path", { d: `M${left} ${y(tick)}H${width - right}`, stroke: "var(--grid)" }, picture);
      draw("text", { x: left - 6, y: y(tick) + 4, "text-anchor": "end" }, picture).textContent = 100 * tick;
    }
    for (let severity = 0; severity <= 5; severity++)
      draw("text", { x: x(severity), y: height - bottom + 17, "text-anchor": "middle" }, picture).textContent =
        severity ? severity : "clean";
    const chance = { d: `M${left} ${y(this.board.chance)}H${width - right}`, stroke: "var(--axis)" };
    draw("path", { ...chance, "stroke-dasharray": "4 3" }, picture);
    const legend = document.createElement("ul");
    legend.className = "legend";
    rows.forEach((row, i) => {
      const curve = (this.score(row).curve || []).map((v, s) => [s, v]).filter(([, v]) => v !== null);
      const colour = `var(--s${i % MOST})`;
      const path = curve.map(([s, v]) => `${x(s)} ${y(v)}`).join("L");
      if (path) draw("path", { d: `M${path}`, fill: "none", stroke: colour, "stroke-width": 2.2 }, picture);
      for (const [s, v] of curve) this.dot(picture, i, x(s), y(v), colour);
      const item = document.createElement("li");
      const key = draw("svg", { viewBox: "0 0 26 12", "aria-hidden": "true" });
      draw("path", { d: "M0 6H26", stroke: colour, "stroke-width": 2.2 }, key);
      this.dot(key, i, 13, 6, colour);
      item.append(key, row.name);
      legend.append(item);
    });
    this.section.querySelector(".plot").replaceChildren(picture, legend);
  }

  dot(parent, i, x, y, colour) {
    // Ten colours cannot all be told apart by everybody: every second model has hollow marks, and shapes take turns.
    const r = 4;
    const shapes = [
      `M${x - r} ${y}a${r} ${r} 0 1 0 ${2 * r} 0a${r} ${r} 0 1 0 ${-2 * r} 0z`,
      `M${x - r} ${y - r}h${2 * r}v${2 * r}h${-2 * r}z`,
      `M${x} ${y - r - 1}L${x + r + 1} ${y + r}H${x - r - 1}z`,
      `M${x} ${y - r - 1}L${x + r + 1} ${y}L${x} ${y + r + 1}L${x - r - 1} ${y}z`,
      `M${x} ${y + r + 1}L${x + r + 1} ${y - r}H${x - r - 1}z`,
    ];
    const fill = i < shapes.length ? colour : "var(--paper)";
    draw("path", { d: shapes[i % shapes.length], fill, stroke: colour, "stroke-width": 1.4 }, parent);
  }
}

const tables = [...document.querySelectorAll("section.board")].map((section) => new Table(section));

function look() {
  const view = Object.fromEntries(new FormData(form));
  for (const table of tables) {
    table.section.hidden = table.board.name !== view.board;
    if (!table.section.hidden) table.show(view);
  }
}

function fromAddress() {
  const asked = new URLSearchParams(location.hash.slice(1));
  for (const field of form.elements) {
    const value = asked.get(field.name);
    const possible = field.type === "search" || [...(field.options || [])].some((o) => o.value === value);
    if (value !== null && possible) field.value = value;
  }
  const table = tables.find((one) => one.board.name === form.elements.board.value);
  const key = asked.get("sort");
  if (key && table.section.querySelector(`th[data-key="${CSS.escape(key)}"]`))
    table.sort = { key, down: asked.get("down") !== "0" };
  look();
}

form.addEventListener("submit", (event) => event.preventDefault());
form.addEventListener("input", () => {
  history.replaceState(null, "", `#${new URLSearchParams(new FormData(form))}`);
  look();
});
form.elements.board.addEventListener("input", () => {
  form.elements.metric.value = boards.get(form.elements.board.value).metric;
});
addEventListener("hashchange", fromAddress);
form.elements.metric.value = boards.get(form.elements.board.value).metric;
fromAddress();
