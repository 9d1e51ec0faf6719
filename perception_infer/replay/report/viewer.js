// One frame: its picture, if there is one, under what is true and what was found.

// On pictures, whatever the page's colours: told apart by the colour-blind, and by dashes.
const INKS = { right: "#4da3ff", false: "#ff9d2e", plain: "#c9d2dc", missed: "#ff4f78", true: "#ffffff" };
const MOST_ROWS = 200;
// The list beside the picture has names in full.
const MOST_LETTERS = 22;
const shortened = (name) => (name.length > MOST_LETTERS ? `${name.slice(0, MOST_LETTERS - 1)}…` : name);

function verdict(i) {
  if (isRight(i)) return "right";
  return isFalse(i) ? "false" : "plain";
}
const VERDICTS = { right: "right", false: "false alarm", plain: "does not count" };

function boxShape(boxes, row, kind, colour, title) {
  const [x1, y1, x2, y2] = boxes.subarray(4 * row, 4 * row + 4);
  const place = {
    x: x1 / PER_PIXEL, y: y1 / PER_PIXEL, width: (x2 - x1) / PER_PIXEL, height: (y2 - y1) / PER_PIXEL,
  };
  // The dark line below keeps the bright one visible on a bright picture.
  return shape(
    "g", { style: `--c: ${colour}`, class: kind, "data-row": `${boxes === A.box ? "found" : "true"}-${row}` },
    shape("rect", { ...place, class: "under" }),
    shape("rect", { ...place, class: "box" }, shape("title", {}, title)),
  );
}

function caption(boxes, row, text, colour, size, width, below) {
  const [x1, y1, x2, y2] = boxes.subarray(4 * row, 4 * row + 4).map((value) => value / PER_PIXEL);
  const right = x1 > 0.7 * width;
  const above = y1 > 1.3 * size ? y1 - 0.3 * size : y1 + size;
  return shape("text", {
    x: right ? Math.min(x2, width) - 0.15 * size : Math.max(x1, 0) + 0.15 * size,
    y: below ? y2 - 0.35 * size : above,
    "text-anchor": right ? "end" : "start",
    style: `fill: ${colour}`,
  }, text);
}

// What lies over a frame's picture; `size` is the height of letters in its pixels, 0 for none.
function overlay(frame, options, size) {
  const width = Number(A.size[2 * frame]), height = Number(A.size[2 * frame + 1]);
  const svg = shape("svg", { viewBox: `0 0 ${width} ${height}`, style: `font-size: ${size}px`, "aria-hidden": "true" });
  if (!detects) return svg;
  const names = [];
  if (options.truth) {
    for (let j = firstTrue[frame]; j < firstTrue[frame + 1]; j++) {
      const missed = isMissed(j);
      const name = data.classes[A.trueLabel[j]];
      const kind = A.ignored[j] ? "ignored" : missed ? "missed" : "true";
      const colour = A.ignored[j] ? INKS.plain : missed ? INKS.missed : INKS.true;
      svg.append(boxShape(A.trueBox, j, `truth ${kind}`, colour, `true ${name}${missed ? ", missed" : ""}`));
      if (missed) names.push(caption(A.trueBox, j, `missed ${shortened(name)}`, colour, size, width, true));
    }
  }
  if (options.found) {
    // The best on top.
    for (let i = first[frame + 1] - 1; i >= first[frame]; i--) {
      if (!isShown(i)) continue;
      const name = data.classes[A.label[i]];
      const known = A.known[frame];
      const colour = known ? INKS[verdict(i)] : data.colours[A.label[i]];
      const score = (A.score[i] / UNIT).toFixed(2);
      const title = `${name} ${score}${known ? `, ${VERDICTS[verdict(i)]}` : ""}`;
      svg.append(boxShape(A.box, i, "found", colour, title));
      names.push(caption(A.box, i, `${shortened(name)} ${score}`, colour, size, width, false));
    }
  }
  if (size && options.names) svg.append(...names);
  return svg;
}

class Viewer {
  constructor(root) {
    this.holder = root.querySelector(".frame");
    this.caption = root.querySelector("figcaption");
    this.rows = root.querySelector("tbody");
    this.head = root.querySelector("thead tr");
    this.frame = 0;
    this.options = { found: true, truth: true, names: true };
    this.width = 0;
    new ResizeObserver(([entry]) => {
      // Letters have a size on the screen, not on the picture.
      if (count && Math.abs(entry.contentRect.width - this.width) > 8) this.redraw();
    }).observe(this.holder);
    const titles = detects
      ? ["class", "score", data.truth ? "verdict" : ""]
      : ["class", "found", ...(data.truth ? ["true", "IoU"] : [])];
    this.head.append(...titles.map((title) => element("th", { scope: "col", textContent: title })));
  }

  show(frame, told) {
    this.frame = frame;
    const width = Number(A.size[2 * frame]), height = Number(A.size[2 * frame + 1]);
    const source = pictureOf(frame);
    this.holder.style.aspectRatio = `${width} / ${height}`;
    // Tall pictures are to fit on the screen, too.
    this.holder.style.maxWidth = `calc(78vh * ${(width / height).toFixed(4)})`;
    const none = element("p", { className: "blank", textContent: "no picture of this frame in the page" });
    if (source === null) this.holder.replaceChildren(none);
    else {
      const image = element("img", { alt: `frame ${A.index[frame]}`, src: source });
      image.addEventListener("error", () => {
        none.textContent = `the picture cannot be read: ${data.linked[A.index[frame]] ?? "damaged"}`;
        image.replaceWith(none);
      });
      this.holder.replaceChildren(image);
    }
    this.redraw();
    const held = data.pictures[A.index[frame]];
    const name = data.names?.[frame];
    const stamp = BigInt(A.stamp[frame]);
    const fraction = String(stamp % 1000000000n).padStart(9, "0");
    const parts = [describe(frame, told), stamp ? `stamp ${stamp / 1000000000n}.${fraction}` : "no stamp"];
    if (name) parts.push(name);
    if (held?.size[0] < width) parts.push(`reduced to ${held.size.join(" × ")}`);
    if (held) parts.push(`here as: ${held.role}`);
    this.caption.textContent = parts.join(" · ");
  }

  redraw() {
    this.width = this.holder.clientWidth;
    const letters = Math.min(Math.max(this.width / 45, 10), 12.5);
    const size = (letters * Number(A.size[2 * this.frame])) / Math.max(this.width, 1);
    this.holder.querySelector("svg")?.remove();
    this.holder.append(overlay(this.frame, this.options, size));
    this.rows.replaceChildren(...(detects ? this.boxRows() : this.areaRows()));
  }

  boxRows() {
    const rows = [];
    const add = (label, score, kind, text) => {
      const dot = element("span", { className: "dot" });
      dot.style.background = data.colours[label];
      const name = element("th", { scope: "row" }, dot, data.classes[label]);
      rows.push(element("tr", { className: kind }, name, element("td", {}, score), element("td", {}, text)));
    };
    for (let i = first[this.frame]; i < first[this.frame + 1]; i++) {
      if (!isShown(i)) continue;
      const known = A.known[this.frame];
      add(A.label[i], (A.score[i] / UNIT).toFixed(3), known ? verdict(i) : "", known ? VERDICTS[verdict(i)] : "");
    }
    for (let j = firstTrue[this.frame]; j < firstTrue[this.frame + 1]; j++) {
      if (!isMissed(j)) continue;
      const finder = A.finder[j];
      const far = Number.isNaN(A.metres[j]) ? "" : `, ${A.metres[j].toFixed(1)} m away`;
      add(A.trueLabel[j], finder < 0 ? "–" : `(${(A.score[finder] / UNIT).toFixed(3)})`, "missed", `missed${far}`);
    }
    if (rows.length > MOST_ROWS) {
      const left = element("td", { colSpan: 3, textContent: `and ${rows.length - MOST_ROWS} more` });
      rows.splice(MOST_ROWS, Infinity, element("tr", {}, left));
    }
    return rows.length ? rows : [element("tr", {}, element("td", { colSpan: 3, textContent: "nothing" }))];
  }

  areaRows() {
    const names = ["background", ...data.classes];
    const at = names.length * this.frame;
    const percent = (value) => `${(100 * value).toFixed(1)} %`;
    const rows = names.map((name, i) => {
      const dot = element("span", { className: "dot" });
      // The background has no colour.
      dot.style.background = data.colours[i - 1] ?? "transparent";
      const cells = [percent(A.found[at + i] / UNIT)];
      if (A.known[this.frame]) {
        cells.push(percent(A.true[at + i]), Number.isNaN(A.iou[at + i]) ? "–" : A.iou[at + i].toFixed(3));
      }
      return { there: A.found[at + i] || A.true[at + i], cells: [element("th", { scope: "row" }, dot, name), ...cells] };
    });
    return rows.filter((row) => row.there).map((row) => element(
      "tr", {}, ...row.cells.map((cell) => (typeof cell === "string" ? element("td", {}, cell) : cell)),
    ));
  }
}
