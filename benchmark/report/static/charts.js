// Curves as SVG, drawn anew for every width. Values and intervals come ready; here they get places only.

const SVG = "http://www.w3.org/2000/svg";

function mark(parent, name, attributes, text) {
  const one = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) one.setAttribute(key, value);
  if (text !== undefined) one.textContent = text;
  parent.append(one);
  return one;
}

// Round numbers between two ends, with the decimals that tell them apart.
function ticksBetween(low, high, most) {
  const rough = (high - low) / most;
  const power = 10 ** Math.floor(Math.log10(rough));
  const steps = [0.2, 0.5, 1, 2, 5, 10].map((by) => by * power);
  const wide = steps.findIndex((step) => step >= rough * 0.999);
  const found = multiples(low, high, steps[wide]);
  // One number is no scale.
  return found.length > 1 ? found : multiples(low, high, steps[wide - 1]);
}

function multiples(low, high, step) {
  const digits = Math.max(0, -Math.floor(Math.log10(step) + 1e-9));
  const found = [];
  for (let at = Math.ceil(low / step - 1e-9); at * step <= high + 1e-9 * step; at += 1) {
    found.push({ at: at * step, text: (at * step).toFixed(digits).replace(/^-(0(\.0+)?)$/, "$1") });
  }
  return found;
}

function widened(values) {
  if (!values.length) return [0, 1];
  const [low, high] = [Math.min(...values), Math.max(...values)];
  const room = 0.07 * (high - low) || 0.05 * Math.abs(high) || 0.5;
  return [low - room, high + room];
}

// A floor far away would squeeze all other curves; it is drawn where it is near. Bands count for all
// lines even if only some are shown: pointing at a curve shows its own, and must not move the axis.
function domain(lines, key, banded = false) {
  const of = (one) => one.points.flatMap((point) => (banded && point.low !== null
    ? [point[key], point.low, point.high] : [point[key]]));
  const near = lines.filter((one) => !one.series.floor).flatMap(of);
  const floors = lines.filter((one) => one.series.floor).flatMap(of);
  if (!near.length) return widened(floors);
  const ends = widened(near);
  const room = ends[1] - ends[0];
  const close = floors.every((value) => value >= ends[0] - room && value <= ends[1] + room);
  return close ? widened([...near, ...floors]) : ends;
}

function symbol(parent, series, x, y, size, extra) {
  return mark(parent, "path", {
    d: series.marker,
    transform: `translate(${x.toFixed(2)} ${y.toFixed(2)}) scale(${size})`,
    "vector-effect": "non-scaling-stroke",
    ...extra,
  });
}

// Of a label, in the units of the drawing.
const halfWidth = (tick) => 3.3 * Math.max(tick.text.length, (tick.second ?? "").length);
const extent = (tick, xAt) => [xAt(tick.at), halfWidth(tick)];

function apart(one, other, xAt) {
  const [[x, wide], [next, room]] = [extent(one, xAt), extent(other, xAt)];
  return next - room >= x + wide + 6;
}

// The labels that have room: those that matter more where not all have, so that lines are labelled alike.
function fitting(ticks, xAt) {
  const choices = [0, 1, 2].map((least) => ticks.filter((one) => (one.keep ?? 2) >= least));
  const whole = choices.find((some) => some.every((one, at) => !at || apart(some[at - 1], one, xAt)));
  if (whole) return whole;
  const kept = [];
  for (const one of choices[2]) if (!kept.length || apart(kept.at(-1), one, xAt)) kept.push(one);
  return kept;
}

// Names an axis beside the middle of its box: moved where it would stick out of the drawing, and squeezed
// where it is longer than the drawing's side. What surely fits need not be measured.
function nameAxis(svg, text, middle, side, place) {
  const one = mark(svg, "text", { class: "label", "text-anchor": "middle" }, text);
  const room = side - 4;
  const long = 7 * text.length > room ? one.getComputedTextLength() : 0;
  if (long > room) {
    one.setAttribute("textLength", room);
    one.setAttribute("lengthAdjust", "spacingAndGlyphs");
  }
  const half = Math.min(long, room) / 2 + 2;
  one.setAttribute("transform", place(Math.min(Math.max(middle, half), side - half)));
}

// spec: title, x and y (label, ticks or null), lines ({series, name, index, points}), level, emphasis.
// Ticks of x: {at, text, second, keep}; below those stand others, {at, text}, where x has any.
// A point: {x, y, low, high, level, part, text}; a line joins neighbours of one part.
function drawChart(host, spec, number) {
  const width = Math.max(240, Math.round(host.clientWidth));
  const height = Math.round(Math.min(340, Math.max(230, 0.74 * width)));
  const [xEnds, yEnds] = [spec.x.ends ?? domain(spec.lines, "x"), domain(spec.lines, "y", spec.banded)];
  const yTicks = ticksBetween(...yEnds, 5);
  const left = 30 + 6.6 * Math.max(...yTicks.map((one) => one.text.length), 2);
  const xTicks = spec.x.ticks ?? ticksBetween(...xEnds, Math.max(3, Math.floor(width / 80)));
  const box = { left, right: width - 12, top: 10, bottom: height - (spec.x.tall ? 52 : 40) };
  // The last label ends inside the drawing: a number that is cut reads as another one.
  const last = xTicks.at(-1);
  const share = last ? (last.at - xEnds[0]) / (xEnds[1] - xEnds[0]) : 0;
  if (share > 0) box.right = Math.min(box.right, left + (width - 2 - halfWidth(last) - left) / share);
  const xAt = (value) => box.left + ((value - xEnds[0]) / (xEnds[1] - xEnds[0])) * (box.right - box.left);
  const yAt = (value) => box.bottom - ((value - yEnds[0]) / (yEnds[1] - yEnds[0])) * (box.bottom - box.top);
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
  svg.setAttribute("role", "img");
  // What methods cost is not in the table at the level.
  const where = spec.level === null ? "the tables have" : "the table at this level has";
  svg.setAttribute("aria-label", `${spec.title}; ${where} the values`);
  // Texts can be measured only where they are shown.
  host.querySelector("svg")?.remove();
  host.append(svg);
  const clip = `clip-${number}`;
  const area = { x: box.left, y: box.top, width: box.right - box.left, height: box.bottom - box.top };
  mark(mark(svg, "clipPath", { id: clip }), "rect", area);

  for (const tick of yTicks) {
    mark(svg, "line", { class: "grid", x1: box.left, x2: box.right, y1: yAt(tick.at), y2: yAt(tick.at) });
    mark(svg, "text", { x: box.left - 6, y: yAt(tick.at) + 4, "text-anchor": "end" }, tick.text);
  }
  for (const { at } of xTicks) {
    mark(svg, "line", { class: "grid", x1: xAt(at), x2: xAt(at), y1: box.top, y2: box.bottom });
  }
  const say = (at, row, text) => mark(svg, "text", { x: xAt(at), y: box.bottom + row, "text-anchor": "middle" }, text);
  for (const tick of fitting(xTicks, xAt)) {
    say(tick.at, 15, tick.text);
    if (tick.second) say(tick.at, 28, tick.second);
  }
  for (const tick of fitting(spec.x.below ?? [], xAt)) say(tick.at, 28, tick.text);
  nameAxis(svg, spec.x.label, (box.left + box.right) / 2, width, (at) => `translate(${at} ${height - 6})`);
  nameAxis(svg, spec.y.label, (box.top + box.bottom) / 2, height, (at) => `translate(13 ${at}) rotate(-90)`);

  const inside = mark(svg, "g", { "clip-path": `url(#${clip})` });
  if (spec.levelLine !== undefined) {
    mark(inside, "line", { class: "level", x1: xAt(spec.levelLine), x2: xAt(spec.levelLine), y1: box.top, y2: box.bottom });
  }
  const near = [];
  const order = [...spec.lines].sort((one, other) => spec.weight(one.index) - spec.weight(other.index));
  for (const line of order) {
    const { series, index, points } = line;
    const weight = spec.weight(index);
    const group = mark(inside, "g", { class: `series s${index} ${["dim", "", "strong"][weight + 1]}`, "data-series": index });
    const at = points.map((point) => [xAt(point.x), yAt(point.y)]);
    const parts = [];
    points.forEach((point, place) => {
      if (!place || point.part !== points[place - 1].part) parts.push([]);
      parts.at(-1).push(point);
    });
    const joined = (part) => series.dash !== null && part.length > 1;
    const alone = new Set(parts.filter((part) => !joined(part)).flat());
    const path = (part, key) => part.map((point) => `${xAt(point.x).toFixed(2)},${yAt(point[key]).toFixed(2)}`);
    if (spec.band(index) && points.every((point) => point.low !== null) && points.length) {
      for (const part of parts) {
        if (joined(part)) {
          const around = [...path(part, "high"), ...path(part, "low").reverse()];
          mark(group, "polygon", { class: "band", points: around.join(" ") });
          continue;
        }
        for (const point of part) {
          mark(group, "line", { class: "line", x1: xAt(point.x), x2: xAt(point.x), y1: yAt(point.low), y2: yAt(point.high) });
        }
      }
    }
    for (const part of parts.filter(joined)) {
      mark(group, "polyline", { class: "line", points: path(part, "y").join(" "), "stroke-dasharray": series.dash });
    }
    points.forEach((point, place) => {
      const [x, y] = at[place];
      const chosen = point.level === spec.level;
      const hollow = spec.hollowStart && place === 0 && points.length > 1;
      const end = spec.hollowStart && (place === 0 || place === points.length - 1);
      // A marker without a line has nothing else to be seen by.
      const size = chosen ? 7 : end || alone.has(point) || spec.level === null ? 5.5 : 4;
      if (chosen) mark(group, "circle", { class: "at", cx: x.toFixed(2), cy: y.toFixed(2), r: 10 });
      symbol(group, series, x, y, size, { class: series.stroke ? "stroke" : hollow ? "hollow" : "dot" });
      if (x >= box.left - 1 && x <= box.right + 1 && y >= box.top - 1 && y <= box.bottom + 1) {
        near.push({ x, y, index, point });
      }
    });
  }
  const seen = new Set(near.map((one) => one.index));
  const away = spec.lines.filter((one) => !seen.has(one.index)).map((one) => one.name);
  return { svg, near, away, width };
}

// The point next to the pointer, in the units of the drawing, or null.
function nearest(drawn, event) {
  const box = drawn.svg.getBoundingClientRect();
  const scale = drawn.width / box.width;
  const [x, y] = [(event.clientX - box.left) * scale, (event.clientY - box.top) * scale];
  let best = null;
  let least = 28 ** 2;
  for (const one of drawn.near) {
    const distance = (one.x - x) ** 2 + (one.y - y) ** 2;
    if (distance < least) [best, least] = [one, distance];
  }
  return best;
}
