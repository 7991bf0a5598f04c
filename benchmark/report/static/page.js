// Puts the parts together: one state, drawn anew whenever a control changes.

function start() {
  for (const table of document.querySelectorAll("table.sort:not(#at)")) sortable(table);
  const source = document.getElementById("data");
  const root = document.getElementById("explore");
  if (!source || !root) return;
  const data = JSON.parse(source.textContent);
  const byId = (id) => document.getElementById(id);
  const [set, gaps, bands, cost] = ["set", "gaps", "bands", "cost"].map(byId);
  const dials = [...document.querySelectorAll("input.level")];
  const state = { level: levelAt(0), set: 0, hover: null, hidden: new Set(), pair: data.pair };

  // The level nearest to where the sliders stand; the one that was moved keeps its place.
  function levelAt(moved) {
    const away = data.levels.map((one) => dials.reduce(
      (sum, dial, at) => sum + (at === moved ? 1e6 : 1) * (one.dials[at] - Number(dial.value)) ** 2, 0));
    return away.indexOf(Math.min(...away));
  }

  const viewer = makeViewer(data, state, () => draw());
  const tip = document.createElement("div");
  tip.id = "tip";
  tip.hidden = true;
  root.append(tip);
  let charts = [];
  // Escape hides the values at the pointer until it leaves the chart.
  let quiet = false;
  addEventListener("keydown", (event) => {
    if (event.key === "Escape" && !tip.hidden) tip.hidden = quiet = true;
  });

  const weight = (index) => {
    if (state.hover !== null) return index === state.hover ? 1 : -1;
    return state.pair.includes(index) ? 1 : 0;
  };
  const banded = (index) => {
    const shown = bands?.value ?? "none";
    return shown === "all" || (shown === "pair" && state.pair.includes(index));
  };
  const band = (index) => banded(index) || (bands?.value === "pair" && index === state.hover);

  // More lines side by side than can be told apart: only the one that the sliders stand on is drawn.
  const lines = new Set(data.levels.map((one) => one.part)).size;
  const joins = lines < data.levels.length;
  const crowded = lines > 6 && joins;
  const shown = (at) => !crowded || data.levels[at].part === data.levels[state.level].part;

  // What all levels have in common that are drawn, like "operator shock".
  function fixed() {
    if (!crowded) return "";
    const drawn = data.levels.filter((_, at) => shown(at));
    return data.dials.flatMap((dial, at) => {
      const places = new Set(drawn.map((one) => one.dials[at]));
      return places.size > 1 ? [] : [`${dial.short} ${dial.texts[drawn[0].dials[at]]}`];
    }).join(", ").replace(/^(?=.)/, "; ");
  }

  // The lines of one metric: the values themselves, or their difference to the best method's.
  function linesOf(metric, apart) {
    const lines = [];
    const { names } = data.sets[state.set];
    metric.lines.forEach((line, index) => {
      if (!line || state.hidden.has(index) || (apart && data.series[index].floor)) return;
      const points = [];
      line.y.forEach((y, at) => {
        if (y === null || !shown(at) || (apart && metric.best[at] === null)) return;
        const less = apart ? metric.best[at] : 0;
        const moved = (value) => (value === null ? null : value - less);
        const gap = `${moved(y) > 0 ? "+" : ""}${moved(y).toFixed(metric.digits).replace(/^-(0(\.0+)?)$/, "$1")}`;
        points.push({
          x: data.levels[at].at + data.series[index].beside, y: y - less, low: moved(line.low[at]), high: moved(line.high[at]),
          level: at, part: data.levels[at].part, text: line.text[at], band: line.band[at],
          gap: apart ? `${gap} to the best` : "",
        });
      });
      if (points.length) lines.push({ series: data.series[index], name: names[index], index, points });
    });
    return lines;
  }

  // Of several dials, values of the one that lines run along stand above, those that a line shares below.
  function marks(drawn) {
    if (data.dials.length < 2) {
      const ticks = drawn.map((one) => ({ at: one.at, text: one.text, second: one.physical }));
      return { ticks, tall: ticks.some((one) => one.second) };
    }
    const text = (one, at) => data.dials[at].texts[one.dials[at]];
    const ticks = drawn.map((one, at) => {
      const end = [drawn[at - 1], drawn[at + 1]].some((other) => other?.part !== one.part);
      const keep = end ? (one.part === drawn[0].part ? 2 : 1) : 0;
      return { at: one.at, text: text(one, data.along), keep };
    });
    const below = [...new Set(drawn.map((one) => one.part))].map((part) => {
      const own = drawn.filter((one) => one.part === part);
      const others = data.dials.flatMap((_, at) => (at === data.along ? [] : [text(own[0], at)]));
      return { at: (own[0].at + own.at(-1).at) / 2, text: others.join("/") };
    });
    return { ticks, below, tall: true };
  }

  function planeLines(across, up, apart) {
    const other = new Map(linesOf(up, apart).map((line) => [line.index, line]));
    return linesOf(across, apart).flatMap((line) => {
      const points = line.points.flatMap((point) => {
        const match = other.get(line.index)?.points.find((one) => one.level === point.level);
        if (!match) return [];
        // Through a plane of levels there is no line.
        const part = data.dials.length > 1 ? match.level : match.part;
        return [{ ...match, part, x: point.y, texts: [[across.name, point], [up.name, match]] }];
      });
      return points.length ? [{ ...line, points }] : [];
    });
  }

  function specs() {
    const { metrics } = data.sets[state.set];
    const apart = Boolean(gaps?.checked);
    const label = (metric) => (apart ? `${metric.name}: difference to the best ${metric.arrow}` : `${metric.label} (${metric.better})`);
    const short = (metric) => (apart ? `difference to the best ${metric.arrow} (0 is best)` : label(metric));
    const shared = { level: state.level, weight, band, banded: (bands?.value ?? "none") !== "none" };
    const bare = { ...shared, band: () => false, banded: false };
    const found = [];
    if (data.plane) {
      const [across, up] = data.plane.map((at) => metrics[at]);
      found.push({
        ...bare, title: `${up.title} against ${across.title}${fixed()}`, hollowStart: true,
        x: { label: label(across) }, y: { label: label(up) }, lines: planeLines(across, up, apart),
      });
    }
    const drawn = data.levels.filter((_, at) => shown(at));
    const places = drawn.map((one) => one.at);
    const margin = (0.05 * (Math.max(...places) - Math.min(...places)) || 0.5)
      + Math.max(...data.series.map((one) => Math.abs(one.beside)));
    // Another set may have values where this one has none at all.
    const known = metrics.filter((one) => one.lines.some((line) => line?.y.some((y) => y !== null)));
    for (const metric of known) {
      found.push({
        ...shared, title: `${metric.title} by level${fixed()}`, levelLine: data.levels[state.level].at,
        x: {
          label: data.axis, ...marks(drawn),
          ends: [Math.min(...places) - margin, Math.max(...places) + margin],
        },
        y: { label: short(metric) },
        lines: linesOf(metric, apart).map((line) => ({
          ...line, points: line.points.map((point) => ({ ...point, texts: [[metric.name, point]] })),
        })),
      });
    }
    if (cost && metrics.length) {
      const { name, values } = data.costs[Number(cost.value)];
      found.push({
        ...bare, level: null, title: `${metrics[0].title} against cost, ${data.levels[state.level].name}`,
        x: { label: name }, y: { label: short(metrics[0]) },
        lines: linesOf(metrics[0], apart).flatMap((line) => {
          const x = values[line.index];
          const points = line.points.filter((one) => one.level === state.level && x !== null);
          return points.length ? [{ ...line, points: points.map((one) => ({
            ...one, x: x.at, texts: [[metrics[0].name, one], [name, x]],
          })) }] : [];
        }),
      });
    }
    return found;
  }

  function frames(count) {
    const plots = byId("plots");
    while (plots.children.length > count) plots.lastChild.remove();
    while (plots.children.length < count) {
      const figure = document.createElement("figure");
      const caption = document.createElement("figcaption");
      const host = document.createElement("div");
      const note = document.createElement("p");
      host.className = "chart";
      note.className = "hint";
      figure.append(caption, host, note);
      plots.append(figure);
      const at = plots.children.length - 1;
      host.addEventListener("pointermove", (event) => point(at, event));
      host.addEventListener("pointerleave", () => { tip.hidden = true; quiet = false; hover(null); });
      host.addEventListener("click", (event) => {
        const found = charts[at] && nearest(charts[at], event);
        if (found) { state.level = found.point.level; draw(); }
      });
    }
    return [...plots.children];
  }

  function curves() {
    const wanted = specs();
    for (const left of document.querySelectorAll("#legend .left")) left.hidden = !gaps.checked;
    const figures = frames(wanted.length);
    charts = wanted.map((spec, at) => {
      const [caption, host, note] = figures[at].children;
      caption.textContent = spec.title;
      const drawn = drawChart(host, spec, at);
      note.textContent = drawn.away.length ? `Off the scale: ${drawn.away.join(", ")}.` : "";
      return drawn;
    });
  }

  function hover(index) {
    if (index === state.hover) return;
    state.hover = index;
    curves();
    for (const row of byId("at").tBodies[0].rows) row.classList.toggle("strong", Number(row.dataset.series) === index);
  }

  function point(at, event) {
    const found = charts[at] && nearest(charts[at], event);
    tip.hidden = quiet || !found;
    hover(found ? found.index : null);
    if (tip.hidden) return;
    const name = document.createElement("b");
    name.textContent = data.sets[state.set].names[found.index];
    const lines = [data.levels[found.point.level].name];
    for (const [metric, one] of found.point.texts) {
      const more = [one.band && ` (${one.band})`, one.gap && `, ${one.gap}`].filter(Boolean);
      lines.push(`${metric}: ${one.text}${more.join("")}`);
    }
    tip.replaceChildren(name, ...lines.map((text) => {
      const line = document.createElement("div");
      line.textContent = text;
      return line;
    }));
    const box = root.getBoundingClientRect();
    const x = Math.min(event.clientX - box.left + 14, box.width - tip.offsetWidth - 4);
    tip.style.left = `${Math.max(0, x)}px`;
    tip.style.top = `${event.clientY - box.top + 16}px`;
  }

  function sample(index) {
    const series = data.series[index];
    const key = document.createElementNS(SVG, "svg");
    key.setAttribute("viewBox", "0 0 34 14");
    key.setAttribute("aria-hidden", "true");
    key.setAttribute("class", `key series s${index}`);
    if (joins && series.dash !== null) mark(key, "line", { class: "line", x1: 0, x2: 34, y1: 7, y2: 7, "stroke-dasharray": series.dash });
    symbol(key, series, 17, 7, joins && series.dash !== null ? 4.5 : 6, { class: series.stroke ? "stroke" : "dot" });
    return key;
  }

  function named() {
    const name = document.createElement("span");
    name.className = "series-name";
    return name;
  }

  function makeLegend() {
    data.series.forEach((series, index) => {
      const label = document.createElement("label");
      const box = document.createElement("input");
      box.type = "checkbox";
      box.checked = true;
      box.addEventListener("change", () => {
        if (box.checked) state.hidden.delete(index); else state.hidden.add(index);
        curves();
      });
      label.addEventListener("pointerenter", () => hover(index));
      label.addEventListener("pointerleave", () => hover(null));
      box.addEventListener("focus", () => { if (box.matches(":focus-visible")) hover(index); });
      box.addEventListener("blur", () => hover(null));
      label.append(box, sample(index), named());
      if (series.floor && gaps) {
        const left = document.createElement("span");
        left.className = "left hint";
        left.textContent = "(no difference drawn)";
        label.append(left);
      }
      byId("legend").append(label);
    });
  }

  // The values at the level, as text: what the curves show, for keyboards and screen readers too.
  function makeTable() {
    const table = byId("at");
    const head = table.tHead.insertRow();
    for (const text of ["method", ...data.sets[0].metrics.map((metric) => metric.label)]) {
      const cell = document.createElement("th");
      cell.scope = "col";
      cell.textContent = text;
      head.append(cell);
    }
    data.series.forEach((series, index) => {
      const row = table.tBodies[0].insertRow();
      row.dataset.series = index;
      row.className = series.baseline ? "baseline" : "";
      const cell = document.createElement("th");
      const name = document.createElement("span");
      cell.scope = "row";
      name.append(sample(index), " ", named());
      cell.append(name);
      row.append(cell);
      for (const _ of data.sets[0].metrics) row.insertCell();
      row.addEventListener("pointerenter", () => hover(index));
      row.addEventListener("pointerleave", () => hover(null));
    });
    sortable(table);
  }

  function values() {
    const { metrics, names } = data.sets[state.set];
    for (const row of byId("at").tBodies[0].rows) {
      const index = Number(row.dataset.series);
      const absent = metrics.every((metric) => !metric.lines[index]);
      const label = byId("legend").children[index];
      row.hidden = label.hidden = absent;
      for (const one of [row, label]) one.querySelector(".series-name").textContent = names[index];
      metrics.forEach((metric, at) => {
        const line = metric.lines[index];
        const cell = row.cells[at + 1];
        cell.textContent = line ? line.text[state.level] : "—";
        // Where a curve has its band: who cannot point at it has no other way to read that.
        if (!line?.band[state.level] || !banded(index)) return;
        const ends = document.createElement("small");
        ends.textContent = ` (${line.band[state.level]})`;
        cell.append(ends);
      });
    }
    applySort(byId("at"));
  }

  function draw() {
    const now = data.levels[state.level];
    byId("now").textContent = now.name;
    byId("at-title").textContent = `At ${now.name}`;
    dials.forEach((dial, at) => {
      dial.value = now.dials[at];
      dial.setAttribute("aria-valuetext", data.dials[at].texts[now.dials[at]]);
    });
    for (const row of document.querySelectorAll("tr[data-level]")) {
      row.classList.toggle("now", row.dataset.level === now.key);
    }
    curves();
    values();
    viewer.draw();
  }

  dials.forEach((dial, at) => dial.addEventListener("input", () => { state.level = levelAt(at); draw(); }));
  set?.addEventListener("change", () => {
    state.set = Number(set.value);
    // Boards have two best methods of every set.
    state.pair = data.sets[state.set].pair ?? data.pair;
    viewer.reset();
    draw();
  });
  for (const control of [gaps, cost]) control?.addEventListener("change", curves);
  bands?.addEventListener("change", () => { curves(); values(); });
  for (const part of [root, byId("dial")]) part.hidden = false;
  if (gaps) gaps.checked = true;
  const still = byId("static");
  still?.removeAttribute("open");
  // What is folded cannot be unfolded on paper; the figures of the files repeat the curves.
  let folded = [];
  addEventListener("beforeprint", () => {
    folded = [...document.querySelectorAll("details:not([open])")].filter((one) => one !== still);
    for (const one of folded) one.open = true;
  });
  addEventListener("afterprint", () => { for (const one of folded) one.open = false; });
  makeLegend();
  makeTable();
  viewer.reset();
  draw();
  new ResizeObserver(curves).observe(byId("plots"));
  new ResizeObserver(() => {
    document.documentElement.style.setProperty("--dial", `${byId("dial").offsetHeight}px`);
  }).observe(byId("dial"));
}

start();
