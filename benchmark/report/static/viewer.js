// Two pictures at one level: a wipe or side by side, with one zoom and position for both.

function makeViewer(data, state, changed) {
  const root = document.getElementById("viewer");
  if (!root) return { draw() {}, reset() {} };
  const byId = (id) => document.getElementById(id);
  const [stage, left, right] = [byId("stage"), byId("left"), byId("right")];
  const [view, zoom, wipe] = [byId("view"), byId("zoom"), byId("wipe")];
  const gallery = data.gallery;
  const panes = [0, 1].map(() => {
    const pane = document.createElement("div");
    const image = document.createElement("img");
    const name = document.createElement("span");
    pane.className = "pane";
    name.className = "name";
    image.draggable = false;
    pane.append(image, name);
    stage.append(pane);
    return { pane, image, name };
  });
  const bar = document.createElement("div");
  bar.className = "bar";
  stage.append(bar);
  const centre = { x: 0.5, y: 0.5 };

  function here() {
    return gallery.sets[state.set];
  }

  function clampCentre() {
    const half = 0.5 / Number(zoom.value);
    for (const axis of ["x", "y"]) {
      centre[axis] = Math.min(1 - half, Math.max(half, centre[axis]));
    }
  }

  function place() {
    clampCentre();
    const scale = Number(zoom.value);
    for (const { image } of panes) {
      const at = (axis) => `${(50 - 100 * scale * centre[axis]).toFixed(3)}%`;
      image.style.width = image.style.height = `${100 * scale}%`;
      image.style.left = at("x");
      image.style.top = at("y");
    }
    const wiping = view.value === "wipe";
    stage.classList.toggle("wipe", wiping);
    stage.classList.toggle("zoomed", scale > 1);
    panes[0].pane.style.clipPath = wiping ? `inset(0 ${100 - Number(wipe.value)}% 0 0)` : "";
    bar.style.left = `${wipe.value}%`;
    byId("wiper").hidden = !wiping;
    zoom.setAttribute("aria-valuetext", `${scale} times`);
    const set = here();
    if (set) wipe.setAttribute("aria-valuetext", `${wipe.value} % ${set.shown[Number(left.value)].name}`);
  }

  function draw() {
    const set = here();
    root.hidden = !set;
    if (!set) return;
    root.style.setProperty("--shape", `${set.shape[0]} / ${set.shape[1]}`);
    const said = [];
    [left, right].forEach((choice, at) => {
      const shown = set.shown[Number(choice.value)];
      const file = shown.files[state.level];
      const { image, name, pane } = panes[at];
      pane.classList.toggle("none", file === null);
      image.hidden = file === null;
      if (file !== null) image.src = `data:image/webp;base64,${gallery.files[file]}`;
      image.alt = `${shown.name} at ${data.levels[state.level].name}`;
      name.textContent = file === null ? `${shown.name}: no picture at this level` : shown.name;
      const caption = shown.captions[state.level];
      said.push(caption ? `${shown.name} (${caption})` : shown.name);
    });
    byId("said").textContent = `${set.image} at ${data.levels[state.level].name}: ${said.join(" | ")}`;
    byId("pictured").textContent = set.note;
    place();
  }

  function reset() {
    const set = here();
    if (!set) return;
    for (const choice of [left, right]) {
      choice.replaceChildren(...set.shown.map((one, at) => new Option(one.name, at)));
    }
    const methods = set.shown.map((one, at) => at).filter((at) => set.shown[at].series !== null);
    const wanted = state.pair.map((one) => set.shown.findIndex((it) => it.series === one));
    const pair = [...new Set([...wanted.filter((at) => at >= 0), ...methods])];
    // One alone stands beside the first that there is, which is the input.
    [left.value, right.value] = pair.length > 1 ? pair : [0, pair[0] ?? set.shown.length - 1];
    choose();
  }

  function choose() {
    state.pair = [left, right].map((choice) => here().shown[Number(choice.value)].series);
  }

  for (const choice of [left, right]) {
    choice.addEventListener("change", () => { choose(); changed(); });
  }
  for (const control of [view, zoom, wipe]) control.addEventListener("input", place);
  stage.addEventListener("keydown", (event) => {
    const step = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
    const by = step[event.key];
    if (!by || Number(zoom.value) === 1) return;
    event.preventDefault();
    centre.x += (0.1 * by[0]) / Number(zoom.value);
    centre.y += (0.1 * by[1]) / Number(zoom.value);
    place();
  });
  let drag = null;
  stage.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return;
    const box = panes[0].pane.getBoundingClientRect();
    const near = Math.abs(event.clientX - box.left - (box.width * Number(wipe.value)) / 100) < 24;
    const wiping = view.value === "wipe" && (near || Number(zoom.value) === 1);
    drag = { x: event.clientX, y: event.clientY, box, wiping, from: { ...centre }, moved: false };
    stage.setPointerCapture(event.pointerId);
    slide(event);
  });
  function slide(event) {
    if (!drag) return;
    drag.moved ||= Math.hypot(event.clientX - drag.x, event.clientY - drag.y) > 4;
    if (drag.wiping) {
      const part = (event.clientX - drag.box.left) / drag.box.width;
      wipe.value = Math.round(100 * Math.min(1, Math.max(0, part)));
    } else {
      const scale = Number(zoom.value);
      centre.x = drag.from.x - (event.clientX - drag.x) / drag.box.width / scale;
      centre.y = drag.from.y - (event.clientY - drag.y) / drag.box.height / scale;
    }
    place();
  }
  stage.addEventListener("pointermove", slide);
  // A click alone moves what was clicked to the middle, for those who cannot drag.
  stage.addEventListener("pointerup", (event) => {
    if (!drag || drag.wiping || drag.moved) return;
    const boxes = panes.map(({ pane }) => pane.getBoundingClientRect());
    const box = event.clientX < boxes[1].left ? boxes[0] : boxes[1];
    const scale = Number(zoom.value);
    centre.x = drag.from.x + ((event.clientX - box.left) / box.width - 0.5) / scale;
    centre.y = drag.from.y + ((event.clientY - box.top) / box.height - 0.5) / scale;
    place();
  });
  for (const end of ["pointerup", "pointercancel"]) {
    stage.addEventListener(end, () => { drag = null; });
  }
  return { draw, reset };
}
