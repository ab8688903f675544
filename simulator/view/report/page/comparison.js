/** Numbers of the charts of several runs of one world, in a window of time: one line per policy. */

const COLOURS = ["ink", "uav", "ground", "stage-cpu", "stage-gpu", "stage-downlink", "bad"];

/** Return the charts of several runs of one world. @type {(runs: Run[], window: Pair) => Spec[]} */
function chartsOfRuns(runs, window) {
  const { middles } = binsOf(window),
    tasks = runs.map((run) => tasksIn(run, window));
  /** @type {(value: (run: Run, number: number) => number[]) => XY[]} */
  const lines = (value) =>
    runs.map((run, number) => ({
      kind: "line",
      name: run.name,
      colour: COLOURS[number % COLOURS.length],
      dash: DASHES[number % DASHES.length],
      sign: SIGNS[Math.floor(number / DASHES.length) % SIGNS.length],
      x: middles,
      y: value(run, number),
    }));
  /** @type {(title: string, unit: string, value: (run: Run, task: number) => number, more?: Partial<Spec>) => Spec} */
  const chart = (title, unit, value, more = {}) => {
    const found = runs.map((run, number) => binned(run, tasks[number], window, (task) => value(run, task)));
    const about = runs.map((run, number) => `${clip(run.name, 40)}: mean ${figure(found[number].mean)}`).join("; ");
    return { title, unit, about, marks: lines((_, number) => found[number].means), ...more };
  };
  const { duration: end, categories } = runs[0].world.head,
    uav = categories.winner_kind.indexOf("uav");
  return [
    chart("Surplus per task", "mean", (run, task) => run.auctions.surplus[task], { low: 0 }),
    {
      title: `Surplus minus that of ${clip(runs[0].name, 30)}`,
      unit: "sum since the beginning",
      about: runs.map((run) => `${clip(run.name, 40)} ${figure(ahead(run, runs[0], [end])[0])} at the end`).join("; "),
      marks: lines((run) => ahead(run, runs[0], middles)),
    },
    chart(
      "Price scaling factor ρ",
      "mean of the finite values, where ρ decides",
      (run, task) => (run.isPriced(task) ? run.auctions.rho[task] : NaN),
      { low: 1 },
    ),
    chart("The UAV's share of the tasks", "", (run, task) => Number(run.auctions.winner_kind[task] === uav), {
      low: 0,
      high: 1,
    }),
    chart(
      "Latency",
      "mean of completed tasks, s",
      (run, task) => (run.status(task) === "completed" ? run.tasks.latency[task] : NaN),
      { low: 0 },
    ),
    chart("Payments", "mean per task", (run, task) => run.auctions.paid_by_provider[task], { low: 0 }),
  ];
}

/**
 * Return the surplus of a run since its beginning minus that of another run, at some times.
 * @type {(run: Run, other: Run, times: number[]) => number[]}
 */
function ahead(run, other, times) {
  let task = 0,
    sum = 0;
  return times.map((time) => {
    for (; task < run.count && run.tasks.requested[task] <= time; task += 1)
      sum += run.auctions.surplus[task] - other.auctions.surplus[task];
    return sum;
  });
}
