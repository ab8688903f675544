/** Camera: which part of the map a canvas shows, from metres to pixels. */

class Camera {
  /**
   * @param {HTMLCanvasElement} canvas
   * @param {Ground} ground
   * @param {Paths} paths
   */
  constructor(canvas, ground, paths) {
    this.canvas = canvas;
    this.ground = ground;
    this.paths = paths;
    this.box = this.whole();
    this.center = { x: 0, y: 0 };
    this.closer = 1;
    this.fit();
  }

  /** Show the entire map. */
  fit() {
    this.center = { x: this.box.x, y: this.box.y };
    this.closer = 1;
  }

  /** The whole map: its middle and its size, m. */
  whole() {
    const { roads, providers, kind } = this.ground;
    const x = providers.map((one) => one.x),
      y = providers.map((one) => one.y);
    for (const [x0, y0, x1, y1] of roads) {
      x.push(x0, x1);
      y.push(y0, y1);
    }
    if (kind === "recorded") {
      x.push(...quantiles(this.paths.x));
      y.push(...quantiles(this.paths.y));
    }
    // Coverage is a part of the map, unless it is so large that nothing else could be seen.
    const most = Math.max(Math.max(...x) - Math.min(...x), Math.max(...y) - Math.min(...y));
    for (const { x: east, y: north, radius } of providers) {
      if (radius === null || radius > most) continue;
      x.push(east - radius, east + radius);
      y.push(north - radius, north + radius);
    }
    const [west, east] = [Math.min(...x), Math.max(...x)],
      [south, north] = [Math.min(...y), Math.max(...y)];
    return { x: (west + east) / 2, y: (south + north) / 2, width: east - west + 40, height: north - south + 40 };
  }

  /**
   * Zoom in (factor above 1) or out at a place of the screen, by default its middle.
   * @type {(factor: number, at?: Point) => void}
   */
  zoom(factor, at = { x: this.canvas.clientWidth / 2, y: this.canvas.clientHeight / 2 }) {
    const before = this.toWorld(at);
    this.closer = Math.min(Math.max(this.closer * factor, 0.5), 40);
    const after = this.toWorld(at);
    this.center.x += before.x - after.x;
    this.center.y += before.y - after.y;
  }

  get scale() {
    const { clientWidth: width, clientHeight: height } = this.canvas;
    return this.closer * Math.min((width - 24) / this.box.width, (height - 44) / this.box.height);
  }

  /** Return the visible part of the map: its middle in m, its size in pixels. */
  get frame() {
    return { x: this.center.x, y: this.center.y, width: this.canvas.clientWidth, height: this.canvas.clientHeight };
  }

  /** Pixels of a place, in this frame or in another. @type {(place: Point, frame?: Frame) => Point} */
  toScreen(place, { x, y, width, height } = this.frame) {
    const { scale } = this;
    return { x: width / 2 + (place.x - x) * scale, y: height / 2 - (place.y - y) * scale };
  }

  /** The place of pixels. @type {(place: Point) => Point} */
  toWorld(place) {
    const { clientWidth: width, clientHeight: height } = this.canvas,
      scale = this.scale;
    return { x: this.center.x + (place.x - width / 2) / scale, y: this.center.y - (place.y - height / 2) / scale };
  }
}

/**
 * Return the span of nearly all values: one stray vehicle must not shrink the map.
 * @type {(values: Float64Array) => Pair}
 */
function quantiles(values) {
  if (!values.length) return [-50, 50];
  const sorted = Float64Array.from(values).sort();
  return [sorted[Math.floor(0.002 * (sorted.length - 1))], sorted[Math.ceil(0.998 * (sorted.length - 1))]];
}
