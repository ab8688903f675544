/** Charts: marks over the common time axis, or over two values. A vertical line shows the present time. */

const EDGE = { left: 46, right: 18, top: 8, bottom: 22 },
  ENDLESS_PX = 14,
  NEAR_POINT_PX = 8;
const DASHES = [[], [7, 4], [2, 3], [9, 3, 2, 3], [4, 2, 1, 2]];
const SIGNS = ["circle", "diamond", "square", "triangle", "cross"];

/** The path of a point's sign. @type {(pen: Pen, x: number, y: number, kind: string, size: number) => void} */
function sign(pen, x, y, kind, size) {
  pen.beginPath();
  if (kind === "circle") pen.arc(x, y, size, 0, 2 * Math.PI);
  else if (kind === "square") pen.rect(x - size, y - size, 2 * size, 2 * size);
  else if (kind === "triangle") {
    pen.moveTo(x, y - size);
    pen.lineTo(x + size, y + size);
    pen.lineTo(x - size, y + size);
    pen.closePath();
  } else if (kind === "diamond") {
    pen.moveTo(x, y - 1.3 * size);
    pen.lineTo(x + 1.3 * size, y);
    pen.lineTo(x, y + 1.3 * size);
    pen.lineTo(x - 1.3 * size, y);
    pen.closePath();
  } else {
    pen.moveTo(x - size, y - size);
    pen.lineTo(x + size, y + size);
    pen.moveTo(x + size, y - size);
    pen.lineTo(x - size, y + size);
  }
}

/** Set the pen for the line or the points of a mark. @type {(pen: Pen, ink: Ink, mark: Mark) => void} */
function dress(pen, ink, mark) {
  pen.strokeStyle = pen.fillStyle = ink[mark.colour];
  pen.lineWidth = mark.width ?? 1.8;
  pen.setLineDash(mark.dash ?? []);
  pen.globalAlpha = mark.alpha ?? 1;
}

/**
 * Draw slanted lines over a bar, which mean waiting.
 * @type {(pen: Pen, x: number, y: number, width: number, height: number, colour: string) => void}
 */
function hatch(pen, x, y, width, height, colour) {
  pen.save();
  pen.beginPath();
  pen.rect(x, y, width, height);
  pen.clip();
  pen.strokeStyle = colour;
  pen.lineWidth = 1;
  pen.beginPath();
  for (let at = -height; at < width; at += 4) {
    pen.moveTo(x + at, y + height);
    pen.lineTo(x + at + height, y);
  }
  pen.stroke();
  pen.restore();
}

/** Height of a letter beside a chart. */
const LETTER_PX = 11;

/**
 * Return where a value is on a logarithmic axis, from 0 to 1; what is below the axis is at its beginning.
 * @type {(value: number, low: number, high: number) => number}
 */
function shareOfLog(value, low, high) {
  return Math.log(Math.max(value, low) / low) / Math.log(high / low);
}

/** One chart, of a `Spec`. */
class Chart {
  /**
   * @param {(picked: PickedInChart) => void} pick is called with what a click hits
   * @param {number} warmup the time, s, before which nothing counts
   */
  constructor(pick, warmup) {
    this.warmup = warmup;
    this.caption = make("figcaption");
    this.canvas = make("canvas", { role: "img" });
    this.head = make("div", { class: "head" });
    this.names = make("ul", { class: "names" });
    const plot = make("div", { class: "plot" }, this.canvas, this.head);
    this.figure = make("figure", {}, this.caption, plot, this.names);
    /** @type {Spec} */
    this.spec = { title: "", unit: "", about: "", marks: [] };
    /** @type {Pair | null} */
    this.window = null;
    this.inside = { left: 0, top: 0, width: 0, height: 0 };
    this.x0 = this.low = 0;
    this.x1 = this.high = 1;
    // Whether there are infinite values: they stand in a band of their own above the finite ones.
    this.endless = false;
    this.canvas.addEventListener("click", (event) => pick(this.at(event.offsetX, event.offsetY)));
  }

  /** Show what a spec says, in a window of time. @type {(spec: Spec, window: Pair) => void} */
  show(spec, window) {
    this.spec = spec;
    this.window = spec.x ? null : window;
    this.caption.textContent = `${spec.title} `;
    if (spec.unit) this.caption.append(make("span", {}, spec.unit));
    this.canvas.setAttribute("aria-label", `${spec.title}. ${spec.about}`);
    this.draw();
    this.names.replaceChildren(...spec.marks.filter((mark) => mark.name).map((mark) => this.name(mark)));
  }

  draw() {
    const { spec } = this,
      pen = context(this.canvas),
      ink = inkOf(this.canvas),
      { clientWidth: width, clientHeight: height } = this.canvas;
    this.inside = {
      left: EDGE.left,
      top: EDGE.top,
      width: width - EDGE.left - EDGE.right,
      height: height - EDGE.top - EDGE.bottom,
    };
    const cells = spec.marks.find((mark) => mark.kind === "cells");
    this.endless = spec.marks.some((mark) => "y" in mark && mark.y.includes(Infinity));
    [this.x0, this.x1] = this.window ?? this.xspan();
    [this.low, this.high] = cells ? [0, cells.rows.length] : this.yspan();
    pen.font = "11px sans-serif";
    this.axes(pen, ink);
    pen.save();
    pen.beginPath();
    pen.rect(this.inside.left - 4, this.inside.top - 4, this.inside.width + 8, this.inside.height + 8);
    pen.clip();
    for (const mark of spec.marks) {
      dress(pen, ink, mark);
      if (mark.kind === "cells") this.cells(pen, mark);
      else if (mark.kind === "bars") this.bars(pen, ink, mark);
      else if (mark.kind === "line") this.line(pen, mark);
      else this.points(pen, mark);
      pen.globalAlpha = 1;
      pen.setLineDash([]);
    }
    pen.restore();
    if (cells) this.rows(pen, ink, cells);
    this.letters(pen, ink);
    if (spec.marks.every(isEmpty)) this.nothing(pen, ink);
  }

  /** Say that there is nothing. @type {(pen: Pen, ink: Ink) => void} */
  nothing(pen, ink) {
    Object.assign(pen, { fillStyle: ink.soft, textAlign: "center" });
    pen.fillText("nothing to show", this.inside.left + this.inside.width / 2, this.inside.top + this.inside.height / 2);
  }

  /** What the x axis spans where it is not time. */
  xspan() {
    if (this.spec.logx) return this.yspan();
    const values = this.spec.marks.map((mark) => ("x" in mark ? mark.x : []));
    return spanOf(values, 0);
  }

  /** What the y axis spans. @type {() => Pair} */
  yspan() {
    const { spec } = this,
      values = spec.marks.map((mark) => {
        if (mark.kind === "bars") return mark.values.map((value, at) => value + mark.from[at]);
        return "y" in mark ? mark.y : [];
      });
    let [low, high] = spanOf(values, spec.low ?? Infinity);
    if (spec.low !== undefined) low = spec.low;
    if (spec.high !== undefined) high = spec.high;
    if (!(high > low)) high = low + 1;
    return spec.log || spec.high !== undefined
      ? [low, high]
      : [low < 0 ? low - 0.05 * (high - low) : low, high + 0.05 * (high - low)];
  }

  /** Pixels from the left. @type {(x: number) => number} */
  px(x) {
    const share = this.spec.logx ? shareOfLog(x, this.x0, this.x1) : (x - this.x0) / (this.x1 - this.x0);
    return this.inside.left + share * this.inside.width;
  }

  /** Pixels from the top. @type {(y: number) => number} */
  py(y) {
    const { low, high } = this,
      { top, height } = this.inside;
    if (y === Infinity) return top + 4;
    const band = this.endless ? ENDLESS_PX : 0;
    const share = this.spec.log ? shareOfLog(y, low, high) : (y - low) / (high - low);
    return top + band + (1 - share) * (height - band);
  }

  /** Both axes. @type {(pen: Pen, ink: Ink) => void} */
  axes(pen, ink) {
    const { left, top, width, height } = this.inside,
      { spec } = this;
    if (spec.band) {
      const [from, to] = spec.band.map((time) => this.px(time));
      pen.fillStyle = ink.rule;
      pen.globalAlpha = 0.6;
      pen.fillRect(from, top, to - from, height);
      pen.globalAlpha = 1;
    }
    if (this.window && this.warmup > this.x0) {
      pen.fillStyle = ink.rule;
      pen.fillRect(left, top, Math.min(this.px(this.warmup), left + width) - left, height);
    }
    pen.strokeStyle = ink.rule;
    pen.fillStyle = ink.soft;
    pen.lineWidth = 1;
    pen.textAlign = "right";
    pen.textBaseline = "middle";
    const cells = spec.marks.some((mark) => mark.kind === "cells");
    const across = cells ? [] : spec.log ? logTicks(this.low, this.high) : ticks(this.low, this.high, 4);
    for (const value of across) {
      const y = this.py(value);
      pen.strokeRect(left, y, width, 0);
      pen.fillText(figure(value), left - 6, y);
    }
    if (this.endless) pen.fillText("∞", left - 6, top + 4);
    pen.textAlign = "center";
    pen.textBaseline = "top";
    const along = spec.logx
      ? logTicks(this.x0, this.x1)
      : spec.x
        ? ticks(this.x0, this.x1, 5)
        : timeTicks(this.x0, this.x1, Math.max(width / 75, 2));
    for (const value of along) {
      const said = spec.x ? figure(value) : clock(value),
        half = pen.measureText(said).width / 2;
      pen.fillText(said, Math.min(this.px(value), left + width + EDGE.right - half), top + height + 6);
    }
    pen.textBaseline = "alphabetic";
    if (spec.diagonal) {
      const low = Math.max(this.x0, this.low),
        high = Math.min(this.x1, this.high);
      pen.beginPath();
      pen.moveTo(this.px(low), this.py(low));
      pen.lineTo(this.px(high), this.py(high));
      pen.stroke();
    }
  }

  /** A line, broken where there is no number. @type {(pen: Pen, mark: XY) => void} */
  line(pen, mark) {
    pen.beginPath();
    let broken = true;
    for (let at = 0; at < mark.x.length; at += 1) {
      if (!Number.isFinite(mark.y[at])) {
        broken = true;
        continue;
      }
      const x = this.px(mark.x[at]),
        y = this.py(mark.y[at]);
      if (broken) pen.moveTo(x, y);
      else pen.lineTo(x, y);
      broken = false;
    }
    pen.stroke();
    if (!mark.sign) return;
    pen.setLineDash([]);
    for (let at = 0; at < mark.x.length; at += 1) {
      if (!Number.isFinite(mark.y[at])) continue;
      sign(pen, this.px(mark.x[at]), this.py(mark.y[at]), mark.sign, 2.6);
      pen.fill();
      if (mark.sign === "cross") pen.stroke();
    }
  }

  /** Points. @type {(pen: Pen, mark: XY) => void} */
  points(pen, mark) {
    const size = mark.x.length > 3000 ? 1.3 : mark.x.length > 600 ? 1.9 : 2.8;
    pen.lineWidth = 1.2;
    for (let at = 0; at < mark.x.length; at += 1) {
      if (Number.isNaN(mark.y[at])) continue;
      sign(pen, this.px(mark.x[at]), this.py(mark.y[at]), mark.sign ?? "circle", size);
      if (mark.hollow) pen.stroke();
      else pen.fill();
    }
  }

  /** Bars. @type {(pen: Pen, ink: Ink, mark: Bars) => void} */
  bars(pen, ink, mark) {
    mark.values.forEach((value, at) => {
      if (!(value > 0)) return;
      const x = this.px(mark.edges[at]) + 0.5,
        width = Math.max(this.px(mark.edges[at + 1]) - x - 0.5, 1);
      const y = this.py(mark.from[at] + value),
        height = this.py(mark.from[at]) - y;
      if (mark.hatched) hatch(pen, x, y, width, height, ink[mark.colour]);
      else if (mark.hollow) pen.strokeRect(x + 0.5, y + 0.5, Math.max(width - 1, 0), Math.max(height - 1, 0));
      else pen.fillRect(x, y, width, height);
    });
  }

  /** Rows of cells, fuller for more. @type {(pen: Pen, mark: Cells) => void} */
  cells(pen, mark) {
    const high = this.inside.height / mark.rows.length;
    mark.rows.forEach((row, number) => {
      const y = this.inside.top + number * high;
      row.values.forEach((value, at) => {
        const x = this.px(mark.edges[at]),
          width = this.px(mark.edges[at + 1]) - x;
        pen.globalAlpha = Math.min(Math.max(value || 0, 0), 1);
        pen.fillRect(x, y + 1, width + 0.3, Math.max(high - 2, 1));
      });
      pen.globalAlpha = 1;
    });
  }

  /** Write the names of the rows of cells at the left. @type {(pen: Pen, ink: Ink, mark: Cells) => void} */
  rows(pen, ink, { rows }) {
    const high = this.inside.height / rows.length,
      every = Math.ceil(11 / high);
    pen.fillStyle = ink.soft;
    pen.textAlign = "right";
    rows.forEach((row, number) => {
      if (number % every) return;
      pen.fillText(clip(row.name, 7), EDGE.left - 5, this.inside.top + (number + 0.5) * high + 4);
    });
  }

  /**
   * Write letters at the right end of bars that have one: colours alone would not tell them apart.
   * @type {(pen: Pen, ink: Ink) => void}
   */
  letters(pen, ink) {
    pen.fillStyle = ink.soft;
    pen.textAlign = "left";
    let above = Infinity;
    // From the bottom up, as bars are stacked: a thin bar must not have its letter on that of its neighbour.
    for (const mark of this.spec.marks) {
      if (mark.kind !== "bars" || !mark.letter) continue;
      const { letter, values, from } = mark,
        at = values.findLastIndex((value) => value > 0);
      if (at < 0) continue;
      const middle = (this.py(from[at]) + this.py(from[at] + values[at])) / 2;
      above = Math.min(middle, above - LETTER_PX);
      pen.fillText(letter, this.inside.left + this.inside.width + 5, above + 4);
    }
  }

  /** Return an entry of the legend: a sample of the mark, and its name. @type {(mark: Mark) => HTMLLIElement} */
  name(mark) {
    const sample = make("canvas", { "aria-hidden": "true" }),
      scale = window.devicePixelRatio || 1;
    const entry = make("li", {}, sample, `${mark.letter ? `${mark.letter}: ` : ""}${mark.name}`);
    Object.assign(sample, { width: 26 * scale, height: 12 * scale });
    const pen = penOf(sample),
      ink = inkOf(this.canvas);
    pen.scale(scale, scale);
    dress(pen, ink, mark);
    if (mark.kind === "bars" && mark.hatched) hatch(pen, 1, 1, 24, 10, ink[mark.colour]);
    else if (mark.kind === "bars" && mark.hollow) pen.strokeRect(1.5, 1.5, 23, 9);
    else if (mark.kind === "bars") pen.fillRect(1, 1, 24, 10);
    else if (mark.kind === "cells") {
      pen.strokeRect(0.5, 0.5, 25, 11);
      [0, 0.5, 1].forEach((alpha, at) => {
        pen.globalAlpha = alpha;
        pen.fillRect(1 + 8 * at, 1, 8, 10);
      });
    } else {
      if (mark.kind === "line") pen.strokeRect(1, 6, 24, 0);
      pen.setLineDash([]);
      if (mark.sign) sign(pen, 13, 6, mark.sign, 3);
      if (mark.sign && (mark.hollow || mark.sign === "cross")) pen.stroke();
      else if (mark.sign) pen.fill();
    }
    return entry;
  }

  /** Move the line of the present time. @type {(time: number) => void} */
  moment(time) {
    const inside = this.window && time >= this.x0 && time <= this.x1;
    this.head.hidden = !inside;
    if (inside) this.head.style.transform = `translateX(${this.px(time) - 1}px)`;
  }

  /**
   * Return what is at a place of the canvas: the auction of the nearest point, else the time.
   * @type {(x: number, y: number) => PickedInChart}
   */
  at(x, y) {
    let nearest = NEAR_POINT_PX,
      task = -1;
    for (const mark of this.spec.marks) {
      if (mark.kind !== "points" || !mark.task) continue;
      for (let at = 0; at < mark.x.length; at += 1) {
        const away = Math.hypot(this.px(mark.x[at]) - x, this.py(mark.y[at]) - y);
        if (away < nearest) [nearest, task] = [away, mark.task[at]];
      }
    }
    if (task >= 0) return { task };
    if (!this.window) return {};
    return { time: this.x0 + ((x - this.inside.left) / this.inside.width) * (this.x1 - this.x0) };
  }
}

/** Whether a mark has nothing to show; cells always have. @type {(mark: Mark) => boolean} */
function isEmpty(mark) {
  if (mark.kind === "cells") return false;
  return !(mark.kind === "bars" ? mark.values : mark.y).some((value) => value > -Infinity);
}
