"use strict";
// What the page holds of every frame, and what a threshold makes of it.

const TYPES = {
  u1: Uint8Array, u2: Uint16Array, i4: Int32Array, i8: BigInt64Array, f4: Float32Array, f8: Float64Array,
};
const UNIT = 65535;
const PER_PIXEL = 10;
const RIGHT = 1, NEUTRAL = 2, KEPT = 4;

const data = JSON.parse(document.getElementById("data").textContent);
const A = {};
for (const [name, [kind, text]] of Object.entries(data.arrays)) {
  const raw = atob(text);
  const bytes = new Uint8Array(raw.length);
  for (let i = 0; i < raw.length; i++) bytes[i] = raw.charCodeAt(i);
  A[name] = new TYPES[kind](bytes.buffer);
}
const count = A.index.length;
const detects = data.task === "detection";
const positions = new Map(Array.from(A.index, (index, position) => [Number(index), position]));

// Where each frame's rows begin in an array of the frames that rows belong to; one more at the end.
function starts(frameOf) {
  const first = new Uint32Array(count + 1);
  for (const frame of frameOf) first[frame + 1]++;
  for (let i = 0; i < count; i++) first[i + 1] += first[i];
  return first;
}
const first = detects ? starts(A.frame) : null;
const firstTrue = detects ? starts(A.trueFrame) : null;

// null: the model's own thresholds, one for each class; else a score.
let threshold = null;
const isShown = (i) => (threshold === null ? (A.state[i] & KEPT) !== 0 : A.score[i] >= threshold * UNIT);
const isRight = (i) => (A.state[i] & RIGHT) !== 0;
const isFalse = (i) => (A.state[i] & (RIGHT | NEUTRAL)) === 0;
const isMissed = (j) => !A.ignored[j] && (A.finder[j] < 0 || !isShown(A.finder[j]));

// Per frame at the present threshold: detections, their mean score, misses and false alarms (NaN without truth).
function tally() {
  const told = {
    found: new Float32Array(count), score: new Float32Array(count),
    misses: new Float32Array(count), alarms: new Float32Array(count),
    right: 0, false: 0, missed: 0, shown: 0,
  };
  for (let f = 0; f < count; f++) {
    let found = 0, sum = 0, alarms = 0, misses = 0;
    for (let i = first[f]; i < first[f + 1]; i++) {
      if (!isShown(i)) continue;
      found++;
      sum += A.score[i];
      if (isFalse(i)) alarms++;
      if (isRight(i)) told.right++;
    }
    for (let j = firstTrue[f]; j < firstTrue[f + 1]; j++) if (isMissed(j)) misses++;
    told.found[f] = found;
    told.score[f] = found ? sum / found / UNIT : NaN;
    told.alarms[f] = A.known[f] ? alarms : NaN;
    told.misses[f] = A.known[f] ? misses : NaN;
    told.shown += found;
    told.false += alarms;
    told.missed += misses;
  }
  return told;
}

// An element with properties; children that are strings become text, and never markup.
function element(name, properties, ...children) {
  const made = document.createElement(name);
  Object.assign(made, properties);
  made.append(...children);
  return made;
}
function shape(name, attributes, ...children) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

function pictureOf(frame) {
  const index = A.index[frame];
  const held = data.pictures[index];
  if (held) return "data:image/jpeg;base64," + held.jpeg;
  const path = data.linked[index];
  // Encoded part by part, so that a name can be nothing but a path beside the page.
  return path === undefined ? null : path.split("/").map(encodeURIComponent).join("/");
}
// Frames that the page itself holds pictures of.
const pictured = Object.keys(data.pictures).map((index) => positions.get(Number(index)));

const { format } = new Intl.NumberFormat("en");
const plural = (number, word) => `${format(number)} ${word}${number === 1 ? "" : "s"}`;
function clock(seconds) {
  if (count && A.seconds[count - 1] < 120) return `${seconds.toFixed(2)} s`;
  const minutes = Math.floor(seconds / 60);
  return `${minutes}:${(seconds - 60 * minutes).toFixed(1).padStart(4, "0")}`;
}
function describe(frame, told) {
  const parts = [`frame ${A.index[frame]}`, clock(A.seconds[frame])];
  if (!detects) {
    const iou = A.meanIou[frame];
    if (A.known[frame]) parts.push(Number.isNaN(iou) ? "of no class" : `IoU ${iou.toFixed(3)}`);
    return parts.join(" · ");
  }
  parts.push(`${told.found[frame]} found`);
  if (A.known[frame]) parts.push(plural(told.alarms[frame], "false alarm"), `${told.misses[frame]} missed`);
  else if (data.truth) parts.push("no truth");
  return parts.join(" · ");
}
