// The bag as a strip: one column of pixels may stand for many frames, and then shows their extremes.

const MARGIN = 34;
const AXIS = 20;
const GAP = 8;

class Timeline {
  // lanes: {title, height, kind: "band" | "split" | "stack", series: [{values, colour}], top}
  constructor(canvas, onPick, onHover) {
    this.canvas = canvas;
    this.onPick = onPick;
    this.lanes = [];
    this.selected = 0;
    this.hovered = null;
    this.asked = null;
    this.width = 0;
    // A bag's clock may stand still or jump; then frames lie side by side, each as wide as any other.
    const rises = A.seconds.every((value, i) => i === 0 || value >= A.seconds[i - 1]);
    this.timed = rises && count > 1 && A.seconds[count - 1] > 0;
    this.at = this.timed ? A.seconds : Float64Array.from({ length: count }, (_, i) => i);
    const steps = this.at.slice(1).map((value, i) => value - this.at[i]).sort();
    this.step = steps[Math.floor(steps.length / 2)] || this.at[count - 1] / (count - 1) || 1;
    // Half a step of room, so that the outermost frames can be seen and hit.
    this.whole = [-this.step / 2, (this.at[count - 1] || 0) + this.step / 2];
    this.view = [...this.whole];
    this.listen(onHover);
    new ResizeObserver(() => this.draw()).observe(canvas);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.draw());
  }

  show(lanes) {
    this.lanes = lanes;
    this.canvas.style.height = `${lanes.reduce((sum, lane) => sum + lane.height + GAP, AXIS)}px`;
    this.draw();
  }

  select(frame) {
    this.selected = frame;
    const [from, to] = this.view;
    const place = this.at[frame];
    if (place < from || place > to) this.look(place - (to - from) / 2, place + (to - from) / 2);
    else this.draw();
  }

  look(from, to) {
    const [low, high] = this.whole;
    const span = Math.min(Math.max(to - from, 6 * this.step), high - low);
    const start = Math.min(Math.max((from + to - span) / 2, low), high - span);
    this.view = [start, start + span];
    this.draw();
  }

  zoom(factor, centre = this.at[this.selected]) {
    const [from, to] = this.view;
    const middle = Math.min(Math.max(centre, from), to);
    this.look(middle - (middle - from) * factor, middle + (to - middle) * factor);
  }

  // Pixels for each second, or frame.
  get scale() {
    return Math.max(this.width - MARGIN, 1) / (this.view[1] - this.view[0]);
  }

  // The frame nearest to a place on the canvas.
  frameAt(x) {
    const place = this.view[0] + (x - MARGIN) / this.scale;
    const after = this.firstFrom(place);
    if (after === 0) return 0;
    return after === count || place - this.at[after - 1] <= this.at[after] - place ? after - 1 : after;
  }

  firstFrom(place) {
    let low = 0, high = count;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.at[middle] < place) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  listen(onHover) {
    const { canvas } = this;
    let held = null;
    canvas.addEventListener("pointerdown", (event) => {
      if (event.button !== 0) return;
      held = { x: event.offsetX, view: [...this.view], moved: false };
      canvas.setPointerCapture(event.pointerId);
    });
    canvas.addEventListener("pointermove", (event) => {
      if (held) {
        const shift = event.offsetX - held.x;
        // Fingers tremble: a click may move a little.
        held.moved ||= Math.abs(shift) > 4;
        if (held.moved) this.look(...held.view.map((value) => value - shift / this.scale));
      }
      this.hovered = count ? this.frameAt(event.offsetX) : null;
      onHover(this.hovered);
      this.draw();
    });
    canvas.addEventListener("pointerup", (event) => {
      if (held && !held.moved && count) this.onPick(this.frameAt(event.offsetX));
      held = null;
    });
    canvas.addEventListener("pointercancel", () => { held = null; });
    canvas.addEventListener("pointerleave", () => {
      this.hovered = null;
      onHover(null);
      this.draw();
    });
    canvas.addEventListener("wheel", (event) => {
      // A wheel alone scrolls the page, as everywhere.
      if (event.ctrlKey || event.metaKey) {
        this.zoom(Math.exp(event.deltaY / 300), this.view[0] + (event.offsetX - MARGIN) / this.scale);
      } else if (Math.abs(event.deltaX) > Math.abs(event.deltaY)) {
        this.look(...this.view.map((value) => value + event.deltaX / this.scale));
      } else return;
      event.preventDefault();
    }, { passive: false });
  }

  // However often it is asked for, drawn once before the screen is.
  draw() {
    this.asked ??= requestAnimationFrame(() => {
      this.asked = null;
      this.paint();
    });
  }

  paint() {
    const { canvas } = this;
    const width = canvas.clientWidth, height = canvas.clientHeight;
    this.width = width;
    if (!width || !count) return;
    const ratio = devicePixelRatio || 1;
    canvas.width = Math.round(width * ratio);
    canvas.height = Math.round(height * ratio);
    const style = getComputedStyle(canvas);
    this.colour = (name) => style.getPropertyValue(name);
    this.pen = canvas.getContext("2d");
    this.pen.scale(ratio, ratio);
    this.pen.font = "11px system-ui, sans-serif";
    this.columns = this.gather(width);
    let top = 0;
    for (const lane of this.lanes) {
      this.drawLane(lane, top, width);
      top += lane.height + GAP;
    }
    this.drawAxis(top, width);
    this.drawMarks(top, width);
  }

  // Frames in view, put together where they share a column: {x, wide, from, to}.
  gather(width) {
    const [from, to] = this.view;
    const columns = [];
    const wide = Math.max(1, this.step * this.scale);
    const end = Math.min(this.firstFrom(to) + 1, count);
    for (let frame = Math.max(this.firstFrom(from) - 1, 0); frame < end; frame++) {
      let x = MARGIN + (this.at[frame] - from) * this.scale;
      if (wide <= 2) x = Math.floor(x);
      const last = columns[columns.length - 1];
      if (last && last.x === x) last.to = frame + 1;
      else columns.push({ x, from: frame, to: frame + 1 });
    }
    for (const [i, column] of columns.entries()) {
      const next = columns[i + 1];
      // Frames were lost where the next is more than two steps away.
      column.joins = next !== undefined && next.x - column.x <= Math.max(2.5 * wide, 3);
      column.wide = column.joins ? next.x - column.x : wide;
    }
    return columns;
  }

  // Least, mean and greatest of the values of a column, or null where there are none.
  sum(values, column) {
    let low = Infinity, high = -Infinity, total = 0, known = 0;
    for (let frame = column.from; frame < column.to; frame++) {
      const value = values[frame];
      if (Number.isNaN(value)) continue;
      known++;
      total += value;
      if (value < low) low = value;
      if (value > high) high = value;
    }
    return known ? { low, high, mean: total / known } : null;
  }

  drawLane(lane, top, width) {
    const { pen } = this;
    const bottom = top + lane.height;
    pen.fillStyle = this.colour("--page");
    pen.fillRect(MARGIN, top, width - MARGIN, lane.height);
    pen.save();
    pen.beginPath();
    pen.rect(MARGIN, top, width - MARGIN, lane.height);
    pen.clip();
    if (lane.kind === "band") this.drawBand(lane, top + 3, bottom - 1);
    else if (lane.kind === "split") this.drawSplit(lane, top, bottom);
    else this.drawStack(lane, top, bottom);
    pen.restore();
    pen.fillStyle = this.colour("--soft");
    pen.textAlign = "right";
    pen.textBaseline = "top";
    pen.fillText(lane.label(lane.top), MARGIN - 5, top);
    pen.textBaseline = "bottom";
    pen.fillText(lane.kind === "split" ? lane.label(lane.top) : "0", MARGIN - 5, bottom);
  }

  // The range of values pale, and their mean as a line.
  drawBand(lane, top, bottom) {
    const { pen } = this;
    const y = (value) => bottom - (value / lane.top) * (bottom - top);
    for (const { values, colour } of lane.series) {
      pen.strokeStyle = pen.fillStyle = this.colour(colour);
      pen.lineWidth = 1.5;
      pen.beginPath();
      let drawing = false;
      const dots = this.columns.length < 60;
      for (const column of this.columns) {
        const told = this.sum(values, column);
        if (told) {
          if (told.high > told.low) {
            pen.globalAlpha = 0.3;
            pen.fillRect(column.x, y(told.high), Math.max(column.wide, 1), y(told.low) - y(told.high));
            pen.globalAlpha = 1;
          }
          if (drawing) pen.lineTo(column.x, y(told.mean));
          else pen.moveTo(column.x, y(told.mean));
          if (dots) pen.fillRect(column.x - 2, y(told.mean) - 2, 4, 4);
          else if (!drawing && !column.joins) pen.fillRect(column.x, y(told.mean) - 1, 1.5, 2);
        }
        drawing = told !== null && column.joins;
      }
      pen.stroke();
    }
  }

  // The first series upwards, the second downwards; of each column the worst, for an error must not fade away.
  drawSplit(lane, top, bottom) {
    const { pen } = this;
    const middle = Math.round((top + bottom) / 2);
    const unit = (bottom - top) / 2 / lane.top;
    for (const column of this.columns) {
      const wide = Math.max(1, Math.min(column.wide * 0.8, 14));
      lane.series.forEach(({ values, colour }, side) => {
        const told = this.sum(values, column);
        if (!told) {
          if (side === 0) {
            pen.fillStyle = this.colour("--edge");
            pen.fillRect(column.x - column.wide / 2, top, column.wide + 0.5, bottom - top);
          }
          return;
        }
        if (!told.high) return;
        // A single error stays visible where a frame has dozens.
        const tall = Math.max(told.high * unit, 3);
        pen.fillStyle = this.colour(colour);
        pen.fillRect(column.x - wide / 2, side ? middle : middle - tall, wide, tall);
      });
    }
    pen.fillStyle = this.colour("--soft");
    pen.fillRect(MARGIN, middle - 0.5, this.width, 1);
  }

  drawStack(lane, top, bottom) {
    const { pen } = this;
    for (const column of this.columns) {
      let y = bottom;
      for (const { values, fill } of lane.series) {
        const told = this.sum(values, column);
        if (!told || !told.mean) continue;
        const tall = (told.mean / lane.top) * (bottom - top);
        pen.fillStyle = fill;
        pen.fillRect(column.x - column.wide / 2, y - tall, column.wide + 0.5, tall);
        y -= tall;
      }
    }
  }

  drawAxis(top, width) {
    const { pen } = this;
    const [from, to] = this.view;
    const least = (70 / (width - MARGIN)) * (to - from);
    let step = 10 ** Math.floor(Math.log10(least));
    step *= [1, 2, 5, 10].find((factor) => step * factor >= least);
    // Minutes are made of sixties.
    if (this.timed && step > 10) step = [15, 30, 60, 120, 300, 600, 1800, 3600].find((one) => one >= least) ?? step;
    pen.fillStyle = this.colour("--soft");
    pen.textAlign = "center";
    pen.textBaseline = "top";
    for (let i = Math.ceil(from / step); i * step <= to; i++) {
      const x = MARGIN + (i * step - from) * this.scale;
      pen.fillRect(x, top - GAP, 1, 5);
      if (x > MARGIN + 12 && x < width - 22) pen.fillText(this.tick(i * step, step), x, top);
    }
  }

  tick(value, step) {
    if (!this.timed) return Number.isInteger(value) ? String(A.index[value] ?? "") : "";
    if (this.whole[1] < 120) return `${+value.toFixed(3)} s`;
    const minutes = Math.floor(value / 60 + 1e-9);
    const rest = Math.abs(value - 60 * minutes).toFixed(step < 1 ? 1 : 0);
    return `${minutes}:${rest.padStart(step < 1 ? 4 : 2, "0")}`;
  }

  // Which frames have pictures, the chosen frame, and the one under the pointer.
  drawMarks(top, width) {
    const { pen } = this;
    pen.fillStyle = this.colour("--ink");
    for (const frame of pictured) {
      const x = MARGIN + (this.at[frame] - this.view[0]) * this.scale;
      if (x >= MARGIN && x <= width) pen.fillRect(x - 1, top - GAP + 1, 2, 5);
    }
    for (const [frame, colour, wide] of [[this.hovered, "--soft", 1], [this.selected, "--ink", 2]]) {
      if (frame === null) continue;
      const x = MARGIN + (this.at[frame] - this.view[0]) * this.scale;
      if (x < MARGIN || x > width) continue;
      pen.fillStyle = this.colour(colour);
      pen.fillRect(x - wide / 2, 0, wide, top - 2);
    }
  }
}
