/** The map from far away: numbers of tasks by cells, in place of signs that would cover each other. */

/** Number of providers from which a map may be too full for their signs. */
const MANY_PROVIDERS = 12;

/** Width of a cell of the map, and of the signs of providers and vehicles from far away, in pixels. */
const CELL_PX = 64,
  FAR_PROVIDER_PX = 3.5,
  FAR_CAR_PX = 2;

/**
 * Return the distance from a provider to the nearest other, m: the median over the providers.
 * @type {(providers: Provider[]) => number}
 */
function spacingOf(providers) {
  const nearest = providers.map((one) =>
    providers.reduce(
      (least, other) => (other === one ? least : Math.min(least, Math.hypot(one.x - other.x, one.y - other.y))),
      Infinity,
    ),
  );
  return quantile(nearest, 0.5);
}

/**
 * Draw small signs of vehicles and providers, and in each cell the number of tasks in progress at its providers.
 * @type {(view: MapView, pen: Pen, shown: Shown) => void}
 */
function drawFar(view, pen, { time, follow, provider: chosen }) {
  const { ink, world, run } = view;
  view.vehicles = [];
  pen.fillStyle = ink.car;
  world.forEachAt(time, (vehicle, place) => {
    const { x, y } = view.toScreen(place);
    view.vehicles.push({ vehicle, x, y, place });
    pen.fillRect(x - FAR_CAR_PX / 2, y - FAR_CAR_PX / 2, FAR_CAR_PX, FAR_CAR_PX);
    if (vehicle !== follow) return;
    circle(pen, x, y, 8);
    pen.lineWidth = 3;
    pen.strokeStyle = ink.focus;
    pen.stroke();
  });
  const { queues } = run.at(time);
  /** @type {Map<string, { x: number, y: number, tasks: number, providers: number }>} */
  const cells = new Map();
  view.icons = world.ground.providers.map((one, id) => ({ id, ...view.toScreen(one) }));
  for (const { id, x, y } of view.icons) {
    const one = world.ground.providers[id],
      size = FAR_PROVIDER_PX;
    pen.fillStyle = world.isOut(id, time) ? ink.bad : one.uav ? ink.uav : ink.ground;
    pen.beginPath();
    if (one.uav) circle(pen, x, y, size);
    else pen.rect(x - size, y - size, 2 * size, 2 * size);
    pen.fill();
    if (id === chosen) {
      circle(pen, x, y, size + 6);
      pen.lineWidth = 3;
      pen.strokeStyle = ink.focus;
      pen.stroke();
    }
    const [column, row] = [Math.floor(x / CELL_PX), Math.floor(y / CELL_PX)],
      place = `${column},${row}`;
    const cell = cells.get(place) ?? { x: (column + 0.5) * CELL_PX, y: (row + 0.5) * CELL_PX, tasks: 0, providers: 0 };
    cell.providers += 1;
    for (const { served, waiting } of queues[id]) cell.tasks += served.length + waiting.length;
    cells.set(place, cell);
  }
  for (const { x, y, tasks } of cells.values()) {
    if (tasks) view.write(pen, figure(tasks), x, y + 5, ink.ink, "bold 15px sans-serif");
  }
  const { clientWidth: width, clientHeight: height } = view.canvas;
  view.write(pen, "Numbers of tasks in progress. Zoom in for each of them.", width / 2, height - 14, ink.soft);
}
