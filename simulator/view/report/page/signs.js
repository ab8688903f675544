/** Signs of the map and of its legend: providers, queues, stop lines. */

const ICON_PX = 9,
  SHOWN_IN_QUEUE = 7;

/** Return the colours of the page's theme, by the name of their variable. @type {(element: Element) => Ink} */
function inkOf(element) {
  const style = getComputedStyle(element);
  return new Proxy(/** @type {Ink} */ ({}), {
    get(known, name) {
      known[String(name)] ??= style.getPropertyValue(`--${String(name)}`).trim();
      return known[String(name)];
    },
  });
}

/** What draws on a canvas. @type {(canvas: HTMLCanvasElement) => Pen} */
function penOf(canvas) {
  return /** @type {Pen} */ (canvas.getContext("2d"));
}

/**
 * Return the cleared context of a canvas, scaled to the pixels of the screen.
 * @type {(canvas: HTMLCanvasElement) => Pen}
 */
function context(canvas) {
  const scale = window.devicePixelRatio || 1;
  const width = Math.round(canvas.clientWidth * scale),
    height = Math.round(canvas.clientHeight * scale);
  if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
  const pen = penOf(canvas);
  pen.setTransform(scale, 0, 0, scale, 0, 0);
  pen.clearRect(0, 0, canvas.clientWidth, canvas.clientHeight);
  return pen;
}

/** The path of a circle. @type {(pen: Pen, x: number, y: number, radius: number) => void} */
function circle(pen, x, y, radius) {
  pen.beginPath();
  pen.arc(x, y, radius, 0, 2 * Math.PI);
}

/**
 * Draw a provider: a station is a square with a mast, a UAV a diamond with four rotors.
 * @type {(pen: Pen, ink: Ink, x: number, y: number, uav: boolean, out: boolean) => void}
 */
function providerSign(pen, ink, x, y, uav, out) {
  const size = ICON_PX;
  pen.lineWidth = 2;
  pen.setLineDash([]);
  pen.strokeStyle = uav ? ink.uav : ink.ground;
  pen.fillStyle = ink.card;
  pen.beginPath();
  if (uav) {
    pen.moveTo(x, y - size);
    pen.lineTo(x + size, y);
    pen.lineTo(x, y + size);
    pen.lineTo(x - size, y);
    pen.closePath();
  } else {
    pen.rect(x - size + 2, y - size + 2, 2 * size - 4, 2 * size - 4);
  }
  // A UAV hovers: what is under it must stay visible, so its sign is not filled.
  if (!uav) pen.fill();
  pen.stroke();
  pen.beginPath();
  if (uav) {
    for (const [east, north] of [
      [-1, -1],
      [1, -1],
      [-1, 1],
      [1, 1],
    ]) {
      pen.moveTo(x + east * size + 3, y + north * size);
      pen.arc(x + east * size, y + north * size, 3, 0, 2 * Math.PI);
    }
  } else {
    pen.moveTo(x, y + 3);
    pen.lineTo(x, y - 3);
    pen.moveTo(x - 4, y - 1);
    pen.lineTo(x, y - 4);
    pen.lineTo(x + 4, y - 1);
  }
  if (out) {
    pen.moveTo(x - 1.4 * size, y - 1.4 * size);
    pen.lineTo(x + 1.4 * size, y + 1.4 * size);
    pen.moveTo(x + 1.4 * size, y - 1.4 * size);
    pen.lineTo(x - 1.4 * size, y + 1.4 * size);
  }
  pen.stroke();
}

/**
 * Draw the queues of a provider as one column per stage: filled squares are in service, hollow squares wait.
 * @type {(pen: Pen, ink: Ink, x: number, y: number, stages: string[], queues: Queue[]) => void}
 */
function queueSign(pen, ink, x, y, stages, queues) {
  pen.lineWidth = 1;
  pen.font = "9px sans-serif";
  pen.textAlign = "center";
  queues.forEach(({ served, waiting }, stage) => {
    const left = x + 7 * stage,
      served_count = served.length,
      all = served_count + waiting.length;
    pen.strokeStyle = pen.fillStyle = ink[`stage-${stages[stage]}`];
    pen.fillRect(left, y + 1, 5, 1.5);
    for (let place = 0; place < Math.min(all, SHOWN_IN_QUEUE); place += 1) {
      if (place < served_count) pen.fillRect(left, y - 5 - 6 * place, 5, 5);
      else pen.strokeRect(left + 0.5, y - 4.5 - 6 * place, 4, 4);
    }
    if (all > SHOWN_IN_QUEUE) pen.fillText(`${all}`, left + 2.5, y - 8 - 6 * SHOWN_IN_QUEUE);
  });
}

/**
 * Draw a stop line: red is a thick line, yellow a broken line, green a thin line with an arrow.
 * @type {(pen: Pen, ink: Ink, left: Pair, right: Pair, state: SignalState) => void}
 */
function signalSign(pen, ink, left, right, state) {
  pen.strokeStyle = pen.fillStyle = { red: ink.bad, yellow: ink.wait, green: ink.good }[state];
  pen.lineWidth = state === "green" ? 1.5 : 4;
  pen.setLineDash(state === "yellow" ? [3, 3] : []);
  pen.beginPath();
  pen.moveTo(...left);
  pen.lineTo(...right);
  pen.stroke();
  pen.setLineDash([]);
  if (state !== "green") return;
  const [x, y] = [(left[0] + right[0]) / 2, (left[1] + right[1]) / 2];
  const angle = Math.atan2(right[1] - left[1], right[0] - left[0]) - Math.PI / 2;
  pen.beginPath();
  for (const [turn, reach] of [
    [0, 9],
    [2.2, 5],
    [-2.2, 5],
  ])
    pen.lineTo(x + reach * Math.cos(angle + turn), y + reach * Math.sin(angle + turn));
  pen.fill();
}
