/** The fixed parts of a map, drawn once per view: coverage, and roads or, for a recording, the ways of all vehicles. */

class GroundView extends Camera {
  /**
   * @param {HTMLCanvasElement} canvas
   * @param {World} world
   */
  constructor(canvas, world) {
    super(canvas, world.ground, world.paths);
    this.world = world;
    this.ink = inkOf(canvas);
    this.base = document.createElement("canvas");
    // For which look and which frame `base` was drawn.
    this.drawn = "";
    this.still = this.frame;
  }

  /**
   * Draw the fixed parts. They are kept as a picture twice the size of the view, drawn again if the view leaves it.
   * @type {(pen: Pen) => void}
   */
  drawBase(pen) {
    const { frame, scale, ink } = this,
      { width, height } = frame;
    const look = [width, height, scale, ink.road, window.devicePixelRatio].join();
    const apart = (/** @type {"x" | "y"} */ axis) => Math.abs(frame[axis] - this.still[axis]) * scale;
    if (look !== this.drawn || apart("x") > width / 2 || apart("y") > height / 2) {
      this.drawn = look;
      this.still = { x: frame.x, y: frame.y, width: 2 * width, height: 2 * height };
      Object.assign(this.base, { width: 2 * this.canvas.width, height: 2 * this.canvas.height });
      const still = penOf(this.base);
      still.setTransform(pen.getTransform());
      const to = (/** @type {Point} */ place) => this.toScreen(place, this.still);
      this.drawCoverage(still, to);
      if (this.world.ground.kind === "recorded") this.drawTraces(still, to);
      else this.drawRoads(still, to);
    }
    const { x, y } = this.toScreen(this.still);
    // At whole pixels, because lines between pixels are blurred.
    const whole = (/** @type {number} */ offset) =>
      Math.round(offset * window.devicePixelRatio) / window.devicePixelRatio;
    pen.drawImage(this.base, whole(x - width), whole(y - height), 2 * width, 2 * height);
  }

  /** Draw a circle for each provider. @type {(pen: Pen, to: (place: Point) => Point) => void} */
  drawCoverage(pen, to) {
    const { ink } = this;
    for (const one of this.world.ground.providers) {
      if (one.radius === null) continue;
      const { x, y } = to(one);
      circle(pen, x, y, one.radius * this.scale);
      pen.globalAlpha = 0.045;
      pen.fillStyle = one.uav ? ink.uav : ink.cover;
      pen.fill();
      pen.globalAlpha = one.uav ? 0.8 : 0.3;
      pen.setLineDash(one.uav ? [9, 5] : []);
      pen.lineWidth = one.uav ? 1.6 : 1;
      pen.strokeStyle = one.uav ? ink.uav : ink.cover;
      pen.stroke();
    }
    pen.globalAlpha = 1;
    pen.setLineDash([]);
  }

  /** Draw the roads with their lanes. @type {(pen: Pen, to: (place: Point) => Point) => void} */
  drawRoads(pen, to) {
    const { ink, scale } = this,
      { roads, lane_m: lane } = this.world.ground;
    pen.lineCap = "square";
    pen.strokeStyle = ink.road;
    const lines = roads.map(([x0, y0, x1, y1, lanes]) => {
      const length = Math.hypot(x1 - x0, y1 - y0),
        east = (x1 - x0) / length,
        north = (y1 - y0) / length;
      const at = (/** @type {number} */ right) => [
        to({ x: x0 + right * north, y: y0 - right * east }),
        to({ x: x1 + right * north, y: y1 - right * east }),
      ];
      return { lanes, at };
    });
    const stroke = (/** @type {Point[]} */ [begin, end]) => {
      pen.beginPath();
      pen.moveTo(begin.x, begin.y);
      pen.lineTo(end.x, end.y);
      pen.stroke();
    };
    for (const { lanes, at } of lines) {
      pen.lineWidth = Math.max(lanes * lane * scale + 1, 3);
      stroke(at((lanes * lane) / 2));
    }
    pen.lineCap = "butt";
    pen.strokeStyle = ink.mark;
    for (const { lanes, at } of lines) {
      pen.lineWidth = Math.max(0.25 * scale, 1);
      pen.setLineDash([]);
      stroke(at(0));
      pen.setLineDash([3 * scale, 3 * scale]);
      for (let line = 1; line < lanes; line += 1) stroke(at(line * lane));
    }
    pen.setLineDash([]);
  }

  /**
   * Draw the ways of all vehicles in place of roads, which a recording does not have.
   * @type {(pen: Pen, to: (place: Point) => Point) => void}
   */
  drawTraces(pen, to) {
    pen.strokeStyle = this.ink.road;
    pen.lineWidth = Math.max(this.world.ground.lane_m * this.scale, 2);
    pen.lineCap = "round";
    pen.beginPath();
    for (const [from, on] of this.world.traces()) {
      const begin = to(from),
        end = to(on);
      pen.moveTo(begin.x, begin.y);
      pen.lineTo(end.x, end.y);
    }
    pen.stroke();
  }
}
