"use strict";
(() => {
  const root = document.documentElement;
  const all = (selector, within = document) => [...within.querySelectorAll(selector)];
  root.classList.add("scripted");

  // Theme: the reader's system decides until the reader does.
  const dark = matchMedia("(prefers-color-scheme: dark)");
  document.getElementById("theme").addEventListener("click", () => {
    const now = root.dataset.theme || (dark.matches ? "dark" : "light");
    root.dataset.theme = now === "dark" ? "light" : "dark";
  });

  // Metric: every figure is drawn for each metric, and one is shown.
  const metric = document.getElementById("metric");
  metric.addEventListener("change", () => { document.body.dataset.metric = metric.value; });

  // Tips: by pointer, or with the arrow keys within a focused panel.
  const tip = document.getElementById("tip");
  let at = null;
  const hide = () => {
    tip.hidden = true;
    if (at) at.classList.remove("at");
    at = null;
  };
  const show = (region, x, y) => {
    if (at !== region) {
      hide();
      at = region;
      tip.textContent = region.dataset.tip;
      tip.hidden = false;
    }
    const { width, height } = tip.getBoundingClientRect();
    tip.style.left = Math.max(4, Math.min(x + 14, innerWidth - width - 4)) + "px";
    tip.style.top = Math.max(4, y + 18 + height > innerHeight ? y - height - 12 : y + 18) + "px";
  };
  document.addEventListener("pointermove", (event) => {
    const region = event.target.closest?.(".tip");
    if (region) show(region, event.clientX, event.clientY);
    else hide();
  });
  document.addEventListener("pointerdown", (event) => {
    const region = event.target.closest?.(".tip");
    if (region) show(region, event.clientX, event.clientY);
  });
  const STEPS = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 };
  all(".panels").forEach((panels) => panels.addEventListener("keydown", (event) => {
    const panel = event.target.closest("svg");
    if (event.key === "Escape") hide();
    if (!panel || !(event.key in STEPS)) return;
    const regions = all(".tip", panel);
    if (!regions.length) return;
    event.preventDefault();
    const here = regions.indexOf(at);
    const next = here < 0 ? (STEPS[event.key] > 0 ? 0 : regions.length - 1) : here + STEPS[event.key];
    const region = regions[Math.max(0, Math.min(next, regions.length - 1))];
    const box = region.getBoundingClientRect();
    show(region, box.left + box.width / 2, box.top + box.height / 2);
  }));
  all(".panels svg").forEach((panel) => panel.addEventListener("blur", hide));

  // Confusions: fill the second matrix of every pair for another cell.
  const chooser = document.getElementById("cell");
  if (chooser) {
    const { classes, names, cells, counts } = JSON.parse(document.getElementById("confusion-counts").textContent);
    const columns = classes.length + 1;
    const fill = (panel, model, cell) => {
      const flat = counts[model][cell];
      const regions = all(".tip", panel);
      const labels = all("text", panel).slice(-flat.length);
      const squares = all("path", panel).slice(-flat.length);
      const title = panel.querySelector("text");
      const whole = names[model] + ": " + cells[cell];
      title.textContent = whole.length > 46 ? whole.slice(0, 45) + "\u2026" : whole;
      flat.forEach((count, place) => {
        const row = Math.floor(place / columns);
        const n = flat.slice(row * columns, (row + 1) * columns).reduce((a, b) => a + b, 0);
        const step = n ? Math.round((10 * count) / n) : 0;
        squares[place].setAttribute("fill", `var(--q${step})`);
        labels[place].setAttribute("fill", `var(--t-q${step})`);
        labels[place].textContent = n ? Math.round((100 * count) / n) : "-";
        const answer = classes[place % columns] ?? "none";
        regions[place].dataset.tip = `${classes[row]} answered as ${answer}: ${count} of ${n}`;
      });
    };
    const redraw = () => all("#confusions-panels svg").forEach((panel, k) => {
      if (k % 2) fill(panel, (k - 1) / 2, chooser.selectedIndex);
    });
    chooser.addEventListener("change", redraw);
  }

  // Tables: sort by a column; figures by size, undefined last.
  const key = (row, column) => {
    const text = row.cells[column].textContent.trim();
    const number = parseFloat(text);
    return Number.isNaN(number) ? text : number;
  };
  const compare = (a, b) => {
    if (typeof a === typeof b) return typeof a === "number" ? a - b : a.localeCompare(b);
    return typeof a === "number" ? -1 : 1;
  };
  all("table.sortable").forEach((table) => {
    const heads = all("thead th", table);
    heads.forEach((head, column) => {
      const button = document.createElement("button");
      button.type = "button";
      button.append(...head.childNodes);
      head.append(button);
      button.addEventListener("click", () => {
        const down = head.getAttribute("aria-sort") === "ascending";
        heads.forEach((other) => other.removeAttribute("aria-sort"));
        head.setAttribute("aria-sort", down ? "descending" : "ascending");
        const body = table.tBodies[0];
        const rows = [...body.rows].sort((a, b) => compare(key(a, column), key(b, column)) * (down ? -1 : 1));
        body.append(...rows);
      });
    });
  });
})();
