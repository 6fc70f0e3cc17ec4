"use strict";
(() => {
  const $ = (selector, root = document) => root.querySelector(selector);
  const all = (selector, root = document) => [...root.querySelectorAll(selector)];
  const facts = JSON.parse($("#facts").textContent);
  const element = (name, text = "", attributes = {}) => {
    const made = Object.assign(document.createElement(name), {textContent: text});
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    return made;
  };
  const percent = v => v === null ? "" : (100 * v).toFixed(1) + " %";

  // Light and dark. Storage may be forbidden for files; then the choice lasts as long as the page.
  const root = document.documentElement;
  const keep = (key, value) => { try { localStorage.setItem(key, value); } catch { /* not kept */ } };
  const kept = key => { try { return localStorage.getItem(key); } catch { return null; } };
  if (kept("theme")) root.dataset.theme = kept("theme");
  const theme = $("#theme");
  theme.hidden = false;
  theme.addEventListener("click", () => {
    const dark = root.dataset.theme ? root.dataset.theme === "dark"
      : matchMedia("(prefers-color-scheme: dark)").matches;
    root.dataset.theme = dark ? "light" : "dark";
    keep("theme", root.dataset.theme);
  });

  // Sorting: numbers by size, words by alphabet, empty cells always last.
  const key = cell => cell.dataset.v === undefined ? cell.textContent : cell.dataset.v;
  const sort = (table, column, down) => {
    const rows = all("tbody tr", table).map(row => [key(row.cells[column]), row]);
    const numbers = rows.every(([v]) => v === "" || !isNaN(v));
    rows.sort(([a], [b]) => a === "" || b === "" ? (a === "") - (b === "")
      : (down ? -1 : 1) * (numbers ? a - b : a.localeCompare(b, "en", {numeric: true})));
    table.tBodies[0].append(...rows.map(([, row]) => row));
  };
  for (const table of all("table.board")) {
    all("thead th", table).forEach((th, column) => {
      const button = element("button", th.textContent, {type: "button"});
      th.replaceChildren(button);
      button.addEventListener("click", () => {
        const down = th.getAttribute("aria-sort") === "ascending";
        all("thead th", table).forEach(other => other.removeAttribute("aria-sort"));
        th.setAttribute("aria-sort", down ? "descending" : "ascending");
        sort(table, column, down);
      });
    });
  }

  // Filtering: every word must stand somewhere in the row; the figure and the sections follow.
  for (const input of all("input[data-for]")) {
    const table = document.getElementById(input.dataset.for);
    const status = $("[role=status]", input.closest(".filter"));
    input.closest(".filter").hidden = false;
    input.addEventListener("input", () => {
      const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
      let shown = 0;
      for (const row of all("tbody tr", table)) {
        const text = row.textContent.toLowerCase();
        const hidden = !words.every(word => text.includes(word));
        shown += !hidden;
        for (const one of all("[data-run]")) if (one.dataset.run === row.dataset.run) one.hidden = hidden;
      }
      status.textContent = `${shown} of ${table.tBodies[0].rows.length} runs`;
    });
  }

  // A link to a run opens its section.
  const open = () => {
    const target = location.hash.length > 1 && document.getElementById(location.hash.slice(1));
    if (target && target.tagName === "DETAILS") { target.open = true; target.scrollIntoView(); }
  };
  addEventListener("hashchange", open);
  open();
  const runs = all("details.run");
  const toggle = $("#open-all");
  toggle.hidden = false;
  toggle.addEventListener("click", () => {
    const opening = runs.some(run => !run.open);
    runs.forEach(run => { run.open = opening; });
    toggle.textContent = opening ? "Close all" : "Open all";
  });
  // On paper a section takes pages: of many runs those are printed that the reader has opened.
  addEventListener("beforeprint", () => { if (runs.length <= 20) runs.forEach(run => { run.open = true; }); });

  // Comparing two runs.
  const bits = paired => [...atob(paired.right)].flatMap(c =>
    [7, 6, 5, 4, 3, 2, 1, 0].map(i => c.charCodeAt(0) >> i & 1)).slice(0, +paired.n);
  const chance = (a, b) => {  // the exact two-sided McNemar test
    const n = a + b, logs = [0];
    for (let i = 1; i <= n; i++) logs.push(logs[i - 1] + Math.log(i));
    let tail = 0;
    for (let i = 0; i <= Math.min(a, b); i++) tail += Math.exp(logs[n] - logs[i] - logs[n - i] - n * Math.LN2);
    return a === b ? 1 : Math.min(1, 2 * tail);
  };
  const table = (caption, a, b, rows) => {
    const made = element("table");
    made.append(element("caption", caption));
    const head = element("tr");
    head.append(...["of", a.backbone, b.backbone, "difference"].map((h, i) =>
      element("th", h, {scope: "col", class: i ? "n" : ""})));
    made.createTHead().append(head);
    const body = made.createTBody();
    for (const [name, x, y] of rows) {
      const row = body.insertRow();
      row.append(element("th", name, {scope: "row"}),
        ...[percent(x), percent(y), x === null || y === null ? "" : (100 * (y - x)).toFixed(1)]
          .map(text => element("td", text, {class: "n"})));
    }
    const scroll = element("div", "", {class: "scroll", tabindex: 0, role: "region", "aria-label": caption});
    const box = element("div", "", {class: "panel"});
    scroll.append(made);
    box.append(scroll);
    return box;
  };
  const byName = (a, b, at) => {
    const second = new Map(b.map(row => [row[0], row[at]]));
    return a.filter(row => second.has(row[0])).map(row => [row[0], row[at], second.get(row[0])]);
  };
  const verdict = (a, b) => {
    if (a.paired.pictures !== b.paired.pictures) return "They were validated on different pictures, so they can't be compared picture by picture.";
    const x = bits(a.paired), y = bits(b.paired);
    const onlyA = x.filter((v, i) => v && !y[i]).length, onlyB = y.filter((v, i) => v && !x[i]).length;
    const p = chance(onlyA, onlyB);
    return `Of ${x.length} validation pictures only the first is right on ${onlyA}, only the second on ${onlyB}. ` +
      (p < 0.05 ? `That is more than chance explains (p = ${p.toPrecision(2)}).` : `That is no more than chance explains (p = ${p.toFixed(2)}).`);
  };
  const [selectA, selectB, out] = ["#compare-a", "#compare-b", "#compare-out"].map(s => $(s));
  const compare = () => {
    const a = facts[selectA.value], b = facts[selectB.value];
    const panels = element("div", "", {class: "panels"});
    panels.append(
      table("Accuracy", a, b, ["validation", "suite", "test", "forecast", "low", "high", "returned"]
        .filter(k => a[k] !== null || b[k] !== null)
        .map(k => [{suite: "stress suite", low: "forecast, from", high: "forecast, to"}[k] || k, a[k], b[k]])),
      table("Recall by class, validation", a, b, byName(a.classes, b.classes, 1)),
      table("Accuracy by family of distortions", a, b, byName(a.families, b.families, 1)));
    out.replaceChildren(element("p", verdict(a, b)),
      element("p", `${a.backbone}: ${a.milliseconds.toFixed(1)} ms a picture, ${(a.parameters / 1e6).toFixed(1)} M parameters. ` +
        `${b.backbone}: ${b.milliseconds.toFixed(1)} ms, ${(b.parameters / 1e6).toFixed(1)} M.`), panels);
  };
  facts.forEach((fact, i) => {
    for (const select of [selectA, selectB]) select.append(element("option", `${fact.backbone}, ${fact.protocol} (${fact.run})`, {value: i}));
  });
  selectB.value = String(Math.min(1, facts.length - 1));
  $("#compare-form").hidden = false;
  for (const select of [selectA, selectB]) select.addEventListener("change", compare);
  compare();
})();
