// The page's parts, put together.

const ERROR_WORD = detects ? "error" : "low IoU";
const HINT = "Click a frame, or use the arrow keys. Drag to move, Ctrl + wheel or + and − to zoom"
  + (data.truth ? `, n and p for the next and previous ${ERROR_WORD}.` : ".");
const MOST_NAMED = 16;

const byId = (id) => document.getElementById(id);
const all = (selector) => document.querySelectorAll(selector);
let told = detects ? tally() : null;
let selected = 0;
let noting;

const timeline = new Timeline(byId("timeline"), select, (frame) => {
  byId("hover").textContent = frame === null ? HINT : describe(frame, told);
});
const viewer = new Viewer(byId("viewer"));

function greatest(values) {
  let most = 0;
  for (const value of values) if (value > most) most = value;
  return most;
}

function lanes() {
    if (!detects) {
    const width = 1 + data.classes.length;
    const series = data.classes.map((_, i) => ({
      values: Float32Array.from({ length: count }, (_, frame) => A.found[frame * width + i + 1] / UNIT),
      fill: data.colours[i],
    }));
    const top = greatest(Array.from({ length: count }, (_, frame) => 1 - A.found[frame * width] / UNIT)) || 1;
    const percent = (value) => `${(100 * value).toFixed(0)} %`;
    const iou = { kind: "band", height: 80, top: 1, label: format, series: [{ values: A.meanIou, colour: "--a" }] };
    return [{ kind: "stack", height: 110, top, label: percent, series }, ...(data.truth ? [iou] : [])];
  }
  const errors = {
    kind: "split", height: 84, top: Math.max(greatest(told.alarms), greatest(told.misses), 1), label: format,
    series: [{ values: told.alarms, colour: "--false" }, { values: told.misses, colour: "--missed" }],
  };
  return [
    { kind: "band", height: 70, top: greatest(told.found) || 1, label: format, series: [{ values: told.found, colour: "--a" }] },
    { kind: "band", height: 50, top: 1, label: format, series: [{ values: told.score, colour: "--score" }] },
    ...(data.truth ? [errors] : []),
  ];
}

// No frame of a segmenter is without errors: the worst twentieth has to do.
const ious = detects ? [] : A.meanIou.filter((value) => !Number.isNaN(value)).sort();
const low = ious[Math.floor(ious.length / 20)];
const isError = (frame) => (detects ? told.alarms[frame] > 0 || told.misses[frame] > 0 : A.meanIou[frame] <= low);

function select(frame) {
  if (!count) return;
  selected = Math.min(Math.max(frame, 0), count - 1);
  timeline.select(selected);
  viewer.show(selected, told);
  byId("number").value = A.index[selected];
  const canvas = byId("timeline");
  canvas.setAttribute("aria-valuenow", selected);
  canvas.setAttribute("aria-valuetext", describe(selected, told));
  // So that a frame can be linked to and is there after a reload. Not at once: browsers allow few changes a second.
  clearTimeout(noting);
  noting = setTimeout(() => history.replaceState(null, "", `#frame=${A.index[selected]}`), 250);
}

function reveal(frame) {
  select(frame);
  byId("explorer").scrollIntoView({ block: "start" });
}

// To the next frame in a direction of which `wanted` holds.
function seek(direction, wanted) {
  for (let frame = selected + direction; frame >= 0 && frame < count; frame += direction) {
    if (wanted(frame)) return select(frame);
  }
  return undefined;
}

const ACTIONS = {
  previous: () => select(selected - 1),
  next: () => select(selected + 1),
  "previous-error": () => seek(-1, isError),
  "next-error": () => seek(1, isError),
  "previous-picture": () => seek(-1, (frame) => pictureOf(frame) !== null),
  "next-picture": () => seek(1, (frame) => pictureOf(frame) !== null),
  in: () => timeline.zoom(0.5),
  out: () => timeline.zoom(2),
  whole: () => timeline.look(...timeline.whole),
};
const KEYS = {
  ArrowLeft: ACTIONS.previous, ArrowRight: ACTIONS.next,
  ArrowDown: ACTIONS.previous, ArrowUp: ACTIONS.next,
  PageUp: () => select(selected - Math.max(10, Math.round(count / 20))),
  PageDown: () => select(selected + Math.max(10, Math.round(count / 20))),
  Home: () => select(0), End: () => select(count - 1),
  p: ACTIONS["previous-error"], n: ACTIONS["next-error"],
  "+": ACTIONS.in, "=": ACTIONS.in, "-": ACTIONS.out, 0: ACTIONS.whole,
};
for (const button of all("[data-do]")) button.addEventListener("click", ACTIONS[button.dataset.do]);
byId("explorer").addEventListener("keydown", (event) => {
  // Sliders, fields and what scrolls have arrow keys of their own.
  if (event.target.closest("input, .rows") || event.ctrlKey || event.metaKey || event.altKey) return;
  const action = KEYS[event.key];
  if (!action) return;
  event.preventDefault();
  action();
});
byId("number").addEventListener("change", (event) => {
  const wanted = Number(event.target.value);
  // The nearest at or after it: frames that were skipped have no place.
  const frame = A.index.findIndex((index) => index >= wanted);
  select(frame < 0 ? count - 1 : frame);
});
for (const input of all("[data-layer]")) {
  input.addEventListener("change", () => {
    viewer.options[input.dataset.layer] = input.checked;
    viewer.redraw();
  });
}

function setThreshold(value) {
  threshold = value;
  told = tally();
  byId("limit-text").textContent = value === null ? "the model's" : `${value.toFixed(2)} for all`;
  byId("limit-own").hidden = value === null;
  const parts = [plural(told.shown, "detection")];
  if (data.truth) {
    const figure = (part, whole) => (whole ? (part / whole).toFixed(3) : "–");
    parts.push(
      plural(told.false, "false alarm"), `${format(told.missed)} missed`,
      `precision ${figure(told.right, told.right + told.false)}`,
      `recall ${figure(told.right, told.right + told.missed)}`,
    );
  }
  byId("limit-told").textContent = parts.join(" · ");
  timeline.show(lanes());
  if (count) viewer.show(selected, told);
}

// Errors and pictures: a link to the frame each, and what is to be seen there once it comes into view.
const views = new WeakMap();
const watcher = new IntersectionObserver((entries) => {
  for (const { isIntersecting, target } of entries) {
    if (!isIntersecting) continue;
    watcher.unobserve(target);
    target.append(views.get(target)());
  }
}, { rootMargin: "800px" });

function thumbnail(frame, text, view, subject) {
  const width = Number(A.size[2 * frame]), height = Number(A.size[2 * frame + 1]);
  const [x, y, w, h] = view ?? [0, 0, width, height];
  const holder = element("div", { className: "frame" });
  holder.style.aspectRatio = `${w} / ${h}`;
  views.set(holder, () => {
    const svg = overlay(frame, { found: true, truth: true, names: false }, 0);
    svg.setAttribute("viewBox", `${x} ${y} ${w} ${h}`);
    const chosen = svg.querySelector(`[data-row="${subject}"]`);
    if (chosen) {
      svg.classList.add("focused");
      chosen.classList.add("subject");
      svg.append(chosen);
    }
    const source = pictureOf(frame);
    if (source !== null) svg.prepend(shape("image", { href: source, width, height, preserveAspectRatio: "none" }));
    return svg;
  });
  watcher.observe(holder);
  const link = element("a", { href: `#frame=${A.index[frame]}` }, holder, element("span", {}, text));
  link.addEventListener("click", (event) => {
    // In a tab of its own it is a link as any other.
    if (event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    reveal(frame);
  });
  return element("li", {}, link);
}

// A square around a box, with surroundings that tell what it is, inside the frame.
function around(boxes, row, frame) {
  const [x1, y1, x2, y2] = boxes.subarray(4 * row, 4 * row + 4).map((value) => value / PER_PIXEL);
  const width = Number(A.size[2 * frame]), height = Number(A.size[2 * frame + 1]);
  const side = Math.min(Math.max(1.8 * Math.max(x2 - x1, y2 - y1), 0.12 * width), width, height);
  const start = (low, high, end) => Math.min(Math.max((low + high - side) / 2, 0), end - side);
  return [start(x1, x2, width), start(y1, y2, height), side, side];
}

function fill(id, items) {
  byId(id).hidden = !items.length;
  byId(id).querySelector("ul").replaceChildren(...items);
}

fill("pictures", pictured.map((frame) => thumbnail(
  frame, `${data.pictures[A.index[frame]].role} · ${describe(frame, told)}`,
)));
if (detects) {
  fill("worst-alarms", data.falseAlarms.map(([i, why]) => {
    const frame = A.frame[i];
    const text = `${data.classes[A.label[i]]} ${(A.score[i] / UNIT).toFixed(2)}: ${why} · frame ${A.index[frame]}`;
    return thumbnail(frame, text, around(A.box, i, frame), `found-${i}`);
  }));
  fill("worst-misses", data.missed.map(([j, why]) => {
    const frame = A.trueFrame[j];
    const far = Number.isNaN(A.metres[j]) ? "" : `, ${A.metres[j].toFixed(1)} m away`;
    const text = `${data.classes[A.trueLabel[j]]}${far}: ${why} · frame ${A.index[frame]}`;
    return thumbnail(frame, text, around(A.trueBox, j, frame), `true-${j}`);
  }));
}

// Of many curves the one that is pointed at.
for (const curves of all(".curves")) {
  const mark = (event) => {
    const series = event.target.closest("[data-series]")?.dataset.series;
    const on = event.type === "pointerover" || event.type === "focusin";
    curves.classList.toggle("one", on && series !== undefined);
    for (const part of curves.querySelectorAll("[data-series]")) {
      part.classList.toggle("chosen", on && part.dataset.series === series);
    }
  };
  for (const type of ["pointerover", "pointerout", "focusin", "focusout"]) curves.addEventListener(type, mark);
}

// Tables are sorted by the column whose title is clicked: numbers from the greatest, names from A.
for (const title of all("[data-sort]")) {
  const column = title.cellIndex;
  const button = element("button", { type: "button", textContent: title.textContent });
  title.replaceChildren(button);
  button.addEventListener("click", () => {
    const body = title.closest("table").tBodies[0];
    const down = title.ariaSort ? title.ariaSort === "ascending" : column > 0;
    for (const other of title.parentNode.children) other.ariaSort = null;
    title.ariaSort = down ? "descending" : "ascending";
    const key = (row) => {
      const text = row.cells[column].textContent;
      const value = Number(text.replaceAll(",", ""));
      return column === 0 ? text : Number.isNaN(value) ? -Infinity : value;
    };
    const order = (a, b) => (key(a) < key(b) ? -1 : key(a) > key(b) ? 1 : 0) * (down ? -1 : 1);
    body.append(...[...body.rows].sort(order));
  });
}

for (const part of all("[data-for]")) {
  const wants = part.dataset.for.split(" ");
  const has = { detection: detects, segmentation: !detects, truth: data.truth, gaps: data.truth && A.known.includes(0) };
  part.hidden = !wants.every((want) => has[want]);
}
// The frame that the page's address names, if there is one.
const addressed = () => positions.get(Number(/^#frame=(\d+)$/.exec(location.hash)?.[1] ?? NaN));
addEventListener("hashchange", () => {
  if (addressed() !== undefined) reveal(addressed());
});
for (const word of all(".error-word")) word.textContent = ERROR_WORD;
byId("shares").append(...data.classes.slice(0, MOST_NAMED).map((name, i) => {
  const mark = element("i", {});
  mark.style.background = data.colours[i];
  return element("span", {}, mark, name);
}), data.classes.length > MOST_NAMED ? "…" : "");
byId("timeline").setAttribute("aria-valuemax", Math.max(count - 1, 0));
byId("hover").textContent = HINT;
if (detects) {
  byId("limit").addEventListener("input", (event) => setThreshold(Number(event.target.value)));
  byId("limit-own").addEventListener("click", () => setThreshold(null));
  setThreshold(null);
} else timeline.show(lanes());
byId("explorer").hidden = false;
const worst = pictured.find((frame) => ["worst", "uncertain"].includes(data.pictures[A.index[frame]].role));
select(addressed() ?? worst ?? pictured[0] ?? 0);
