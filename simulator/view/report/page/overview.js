/** Charts of the entire run, on a page that shows a part of it in detail: counts and means by bins. */

/** Return numbers with NaN where there is nothing. @type {(values: (number | null)[]) => number[]} */
function numbersOf(values) {
  return values.map((value) => value ?? NaN);
}

/** Charts of the entire run. */
class Overview {
  /**
   * @param {World} world
   * @param {Run[]} runs
   * @param {(picked: PickedInChart) => void} pick is called with what a click hits
   */
  constructor(world, runs, pick) {
    const { begin, end, duration, warmup } = world.head;
    /** @type {Pair} */
    this.window = [0, duration];
    this.specs = overviewSpecs(runs, duration).map((spec) => ({ ...spec, band: /** @type {Pair} */ ([begin, end]) }));
    this.charts = this.specs.map(() => new Chart(pick, warmup));
    byId("overview-charts").append(...this.charts.map((chart) => chart.figure));
    byId("overview-note").append(
      `Counts and means by ${binSaid(duration, runs[0].about.overview?.surplus.length ?? 1)}. The replay, the charts ` +
        `below it and the tables show the part from ${clock(begin)} to ${clock(end)} only. It is marked here.` +
        (world.head.means ? "" : " dmsb report RUN_DIR --from S --to S shows another part."),
    );
    byId("overview").hidden = false;
  }

  /** Draw all charts. */
  show() {
    for (const [number, spec] of this.specs.entries()) this.charts[number].show(spec, this.window);
  }

  /** Move the line of the present time. @type {(time: number) => void} */
  moment(time) {
    for (const chart of this.charts) chart.moment(time);
  }
}

/** Say how long a bin is. @type {(duration: number, bins: number) => string} */
function binSaid(duration, bins) {
  return `${figure(duration / bins)} s`;
}

/** Return the charts of the entire run. @type {(runs: Run[], duration: number) => Spec[]} */
function overviewSpecs(runs, duration) {
  const found = runs.flatMap((run) => (run.about.overview ? [{ run, of: run.about.overview }] : []));
  if (!found.length) return [];
  const bins = found[0].of.surplus.length,
    x = Array.from({ length: bins }, (_, at) => ((at + 0.5) * duration) / bins);
  const aMinute = (/** @type {(number | null)[]} */ counts) =>
    numbersOf(counts).map((count) => (60 * bins * count) / duration);
  /** @type {(name: string, colour: string, y: number[], number?: number) => XY} */
  const line = (name, colour, y, number = 0) => ({
    kind: "line",
    name,
    colour,
    x,
    y,
    width: 1.4,
    dash: DASHES[number % DASHES.length],
  });
  /** @type {(value: (of: OverviewTable) => number[]) => XY[]} */
  const perRun = (value) =>
    found.map(({ run, of }, number) => line(run.name, COLOURS[number % COLOURS.length], value(of), number));
  const single = found.length === 1 ? found[0].of : null;
  const share = (/** @type {OverviewTable} */ of) =>
    numbersOf(of.uav).map((uav, at) => uav / ((of.uav[at] ?? 0) + (of.ground[at] ?? 0) + (of.nobody[at] ?? 0)));
  return [
    single
      ? {
          title: "Tasks by winner",
          unit: "per minute",
          low: 0,
          about: "Tasks of the entire run by who won them, and those that were lost.",
          marks: [
            line("ground", "ground", aMinute(single.ground)),
            line("UAV", "uav", aMinute(single.uav), 1),
            line("nobody", "none", aMinute(single.nobody), 2),
            line("lost", "bad", aMinute(single.lost), 3),
          ],
        }
      : {
          title: "The UAV's share of the tasks",
          unit: "",
          low: 0,
          high: 1,
          about: "Share of the tasks that the UAV won.",
          marks: perRun(share),
        },
    {
      title: "Surplus per task",
      unit: "mean",
      low: 0,
      about: "Mean surplus per task over the entire run.",
      marks: single ? [line("", "ink", numbersOf(single.surplus))] : perRun((of) => numbersOf(of.surplus)),
    },
    {
      title: "Price scaling factor ρ",
      unit: "mean of the finite values",
      about: "Mean of the finite price scaling factors over the entire run.",
      marks: single ? [line("", "ink", numbersOf(single.rho))] : perRun((of) => numbersOf(of.rho)),
    },
    {
      title: "Latency",
      unit: "of completed tasks, s",
      low: 0,
      about: "Latency of completed tasks over the entire run.",
      marks: single
        ? [line("mean", "ink", numbersOf(single.latency)), line("95th percentile", "wait", numbersOf(single.p95), 1)]
        : perRun((of) => numbersOf(of.latency)),
    },
    {
      title: "Vehicles on the map",
      unit: "",
      low: 0,
      about: "Number of vehicles on the map.",
      marks: [line("", "ink", numbersOf(found[0].of.vehicles))],
    },
  ];
}
