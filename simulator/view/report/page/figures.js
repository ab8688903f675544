/** Numbers of the charts of one run, in a window of time. */

const BINS = 48;

/**
 * Return the edges and the middles of the bins of a window.
 * @type {(window: Pair) => { edges: number[], middles: number[] }}
 */
function binsOf([begin, end]) {
  const edges = Array.from({ length: BINS + 1 }, (_, at) => begin + ((end - begin) * at) / BINS);
  return { edges, middles: edges.slice(1).map((edge, at) => (edge + edges[at]) / 2) };
}

/** Return the tasks that were requested in a window. @type {(run: Run, window: Pair) => number[]} */
function tasksIn(run, [begin, end]) {
  /** @type {number[]} */
  const found = [];
  for (
    let task = countUpTo(run.tasks.requested, begin - 1e-9);
    task < run.count && run.tasks.requested[task] <= end;
    task += 1
  )
    found.push(task);
  return found;
}

/**
 * Return sum and mean per bin of the finite values of tasks, and the mean over all of them.
 * @param {Run} run
 * @param {number[]} tasks
 * @param {Pair} window
 * @param {(task: number) => number} value
 */
function binned(run, tasks, [begin, end], value) {
  const sums = new Float64Array(BINS),
    counts = new Float64Array(BINS);
  for (const task of tasks) {
    const one = value(task);
    if (!Number.isFinite(one)) continue;
    const at = Math.min(Math.floor(((run.tasks.requested[task] - begin) / (end - begin)) * BINS), BINS - 1);
    sums[at] += one;
    counts[at] += 1;
  }
  const total = (/** @type {Float64Array} */ values) => values.reduce((sum, one) => sum + one, 0);
  return {
    sums: [...sums],
    means: [...sums].map((sum, at) => (counts[at] ? sum / counts[at] : NaN)),
    mean: total(counts) ? total(sums) / total(counts) : NaN,
  };
}

/** Return the mean of the finite values. @type {(values: number[]) => number} */
function meanOf(values) {
  const finite = values.filter((value) => Number.isFinite(value));
  return finite.length ? finite.reduce((sum, value) => sum + value, 0) / finite.length : NaN;
}

/** Return the value below which a share of the values lies. @type {(values: number[], share: number) => number} */
function quantile(values, share) {
  return Float64Array.from(values).sort()[Math.floor(share * (values.length - 1))];
}

/**
 * Return the share of each bin in which a stage of a provider was busy.
 * @type {(run: Run, provider: number, stage: number, edges: number[]) => Float64Array}
 */
function busy(run, provider, stage, edges) {
  const found = new Float64Array(edges.length - 1),
    begin = edges[0],
    end = edges[edges.length - 1],
    length = edges[1] - edges[0];
  const { starts, until } = run.stages[stage];
  for (
    let task = countUpTo(run.tasks.requested, begin - run.longest - 1e-9);
    task < run.count && run.tasks.requested[task] <= end;
    task += 1
  ) {
    if (run.tasks.provider[task] !== provider || !(until[task] > begin)) continue;
    for (
      let at = Math.max(Math.floor((starts[task] - begin) / length), 0);
      at < found.length && edges[at] < until[task];
      at += 1
    ) {
      found[at] += (Math.min(until[task], edges[at + 1]) - Math.max(starts[task], edges[at])) / length;
    }
  }
  return found;
}

/** Number of tasks in a window above which a chart has quantiles instead of a point per task. */
const MOST_POINTS = 3000;

/**
 * Return lines of the median, and of the 10 % and 90 % quantiles, of a value of tasks in each bin of a window.
 * @type {(run: Run, tasks: number[], window: Pair, column: Float32Array, look: Look) => XY[]}
 */
function quantileLines(run, tasks, window, column, look) {
  const [begin, end] = window,
    x = binsOf(window).middles;
  /** @type {number[][]} */
  const found = x.map(() => []);
  for (const task of tasks) {
    if (Number.isNaN(column[task])) continue;
    const share = (run.tasks.requested[task] - begin) / (end - begin);
    found[Math.min(Math.floor(share * found.length), found.length - 1)].push(column[task]);
  }
  const at = (/** @type {number} */ share) => found.map((values) => (values.length ? quantile(values, share) : NaN));
  const { colour, name } = look,
    thin = { kind: /** @type {const} */ ("line"), colour, width: 1, dash: DASHES[2], x };
  return [
    { kind: "line", colour, name: `${name}: median`, dash: look.dash, x, y: at(0.5) },
    { ...thin, name: `${name}: 10 % and 90 %`, y: at(0.1) },
    { ...thin, name: "", y: at(0.9) },
  ];
}

/** Return the charts of one run. @type {(run: Run, window: Pair) => Spec[]} */
function chartsOfRun(run, window) {
  const { auctions, tasks } = run,
    asked = tasksIn(run, window),
    { edges, middles } = binsOf(window);
  const bin = (/** @type {(task: number) => number} */ value) => binned(run, asked, window, value);
  const pick = (/** @type {WinnerKind} */ kind) =>
    asked.filter(
      (task) => auctions.asked[task] && run.world.head.categories.winner_kind[auctions.winner_kind[task]] === kind,
    );
  const points = (/** @type {number[]} */ list, /** @type {Float32Array} */ column) => ({
    x: list.map((task) => tasks.requested[task]),
    y: list.map((task) => column[task]),
    task: list,
  });
  const ground = pick("ground"),
    uav = pick("uav"),
    many = asked.length > MOST_POINTS;
  const surplus = bin((task) => auctions.surplus[task]),
    oracle = bin((task) => auctions.best_surplus[task]);
  const realised = bin((task) => tasks.realised_surplus[task]);
  const rhos = asked.map((task) => auctions.rho[task]).filter(Number.isFinite);
  const busiest = run.about.providers.map((totals, id) => {
    const shares = run.stages.map((stage) => totals[`${stage.name}_utilisation`] ?? 0);
    return `${clip(run.providerName(id), 20)} ${figure(Math.max(...shares))}`;
  });
  const worth = asked.map((task) => auctions.uav_value[task]).filter(Number.isFinite);
  const uavs = run.world.ground.providers.filter((one) => one.uav).length;
  const isLost = (/** @type {number} */ task) => run.status(task) === "lost";
  const aMinute = (/** @type {(task: number) => boolean} */ counts) =>
    bin((task) => Number(counts(task))).sums.map((sum) => (60 * sum) / (edges[1] - edges[0]));
  return [
    {
      title: "Price scaling factor ρ",
      unit: many ? "quantiles; a shorter window has points" : "",
      log: true,
      low: 1,
      high: Math.max(2, spanOf([rhos], 1)[1] * 1.05),
      about: [
        `Mean of the finite values ${figure(meanOf(rhos))}. Of ${asked.length} auctions`,
        `stations won ${ground.length} at a price, and the UAV won ${uav.length}.`,
      ].join(" "),
      marks: many
        ? [
            ...quantileLines(run, ground, window, auctions.rho, { name: "a station won", colour: "ground" }),
            ...quantileLines(run, uav, window, auctions.rho, { name: "the UAV won", colour: "uav", dash: DASHES[1] }),
          ]
        : [
            {
              kind: "points",
              name: "a station won",
              colour: "ground",
              sign: "circle",
              hollow: true,
              ...points(ground, auctions.rho),
            },
            { kind: "points", name: "the UAV won", colour: "uav", sign: "diamond", ...points(uav, auctions.rho) },
          ],
    },
    {
      title: "Surplus per task",
      unit: "mean of the tasks requested at this time",
      low: 0,
      about: [`Mean ${figure(surplus.mean)},`, `with the best provider of each round ${figure(oracle.mean)}.`].join(
        " ",
      ),
      marks: [
        { kind: "line", name: "best of each round", colour: "oracle", dash: DASHES[1], x: middles, y: oracle.means },
        { kind: "line", name: "winner", colour: "ink", x: middles, y: surplus.means },
        {
          kind: "line",
          name: "realised, 0 if lost",
          colour: "stage-cpu",
          dash: DASHES[2],
          x: middles,
          y: realised.means,
        },
      ],
    },
    latencyChart(run, asked, window, edges),
    shareChart(run, asked, window, edges),
    {
      title: "Utilisation",
      unit: "busy share of each provider's busiest stage",
      about: `One row per provider, from 0 (pale) to 1 (full). Over the entire run ${busiest.join(", ")}.`,
      marks: [
        {
          kind: "cells",
          name: "0, 0.5, 1",
          colour: "stage-uplink",
          edges,
          rows: run.world.ground.providers.map((one, id) => {
            const stages = run.stages.map((_, stage) => busy(run, id, stage, edges));
            return {
              name: one.name,
              values: edges.slice(1).map((_, at) => Math.max(...stages.map((stage) => stage[at]))),
            };
          }),
        },
      ],
    },
    {
      title: "Bid and value of the UAV",
      unit: many ? "quantiles; a shorter window has points" : "per task; the highest 1 % is above the frame",
      low: 0,
      high: quantile(worth, 0.99) * 1.1 || 1,
      about: "The UAV bids by its last report. Its value is what the task at hand is worth to it.",
      marks: many
        ? [
            ...quantileLines(run, asked, window, auctions.uav_value, { name: "value", colour: "uav" }),
            ...quantileLines(run, asked, window, auctions.uav_bid, { name: "bid", colour: "ink", dash: DASHES[1] }),
          ]
        : [
            {
              kind: "points",
              name: "value",
              colour: "uav",
              sign: "diamond",
              alpha: 0.6,
              ...points(
                asked.filter((task) => Number.isFinite(auctions.uav_value[task])),
                auctions.uav_value,
              ),
            },
            {
              kind: uavs > 1 ? "points" : "line",
              name: "bid",
              colour: "ink",
              sign: uavs > 1 ? "square" : null,
              task: asked,
              x: asked.map((task) => tasks.requested[task]),
              y: asked.map((task) => auctions.uav_bid[task]),
            },
          ],
    },
    bidsChart(run, asked),
    underWayChart(run, window),
    {
      title: "Requests",
      unit: "per minute",
      low: 0,
      about: `${asked.length} tasks requested, of which ${asked.filter(isLost).length} were lost.`,
      marks: [
        { kind: "line", name: "requested", colour: "ink", x: middles, y: aMinute(() => true) },
        { kind: "line", name: "lost", colour: "bad", dash: DASHES[2], x: middles, y: aMinute(isLost) },
      ],
    },
  ];
}

/** Return the chart of latency by stage. @type {(run: Run, asked: number[], window: Pair, edges: number[]) => Spec} */
function latencyChart(run, asked, window, edges) {
  const from = new Array(BINS).fill(0);
  /** @type {Bars[]} */
  const marks = [];
  /** @type {string[]} */
  const told = [];
  run.stages.forEach((stage) => {
    for (const [part, column] of Object.entries({ service: stage.time, wait: stage.wait })) {
      const hatched = part === "wait";
      const { means, mean: all } = binned(run, asked, window, (task) => column[task]);
      const values = means.map((mean) => mean || 0);
      const letter = hatched ? null : stage.name[0].toUpperCase(),
        name = `${stage.name} ${part}`,
        colour = `stage-${stage.name}`;
      marks.push({ kind: "bars", name, letter, colour, hatched, edges, values, from: [...from] });
      values.forEach((value, at) => {
        from[at] += value;
      });
      told.push(`${stage.name} ${part} ${figure(all)}`);
    }
  });
  return {
    title: "Latency by stage",
    unit: "mean, s; hatched: waiting",
    low: 0,
    about: `Means in s: ${told.join(", ")}.`,
    marks,
  };
}

/**
 * Return the chart of the winners' shares.
 * @type {(run: Run, asked: number[], window: Pair, edges: number[]) => Spec}
 */
function shareChart(run, asked, window, edges) {
  const from = new Array(BINS).fill(0);
  /** @type {Bars[]} */
  const marks = [];
  /** @type {string[]} */
  const told = [];
  const colours = { ground: "ground", uav: "uav", none: "none" },
    said = { ground: "stations", uav: "UAV", none: "nobody" };
  run.world.head.categories.winner_kind.forEach((kind, code) => {
    const { means, mean: all } = binned(run, asked, window, (task) => Number(run.auctions.winner_kind[task] === code));
    const values = means.map((mean) => mean || 0);
    const look = { colour: colours[kind], hatched: kind === "uav", hollow: kind === "none" };
    marks.push({ kind: "bars", name: said[kind], ...look, edges, values, from: [...from] });
    values.forEach((value, at) => {
      from[at] += value;
    });
    told.push(`${said[kind]} ${figure(all)}`);
  });
  return { title: "Who gets the tasks", unit: "share", low: 0, high: 1, about: `Shares: ${told.join(", ")}.`, marks };
}

/**
 * Return the chart of the numbers of tasks that wait and that are in service, over time.
 * @type {(run: Run, window: Pair) => Spec}
 */
function underWayChart(run, window) {
  const steps = 4 * BINS,
    x = Array.from({ length: steps + 1 }, (_, at) => window[0] + ((window[1] - window[0]) * at) / steps);
  /** @type {number[]} */
  const waiting = [];
  /** @type {number[]} */
  const served = [];
  for (const time of x) {
    const counts = [0, 0];
    run.forEachActive(time, (task) => {
      const phase = run.phase(task, time);
      if (phase) counts[Number(phase.waits)] += 1;
    });
    served.push(counts[0]);
    waiting.push(counts[1]);
  }
  return {
    title: "Tasks in progress",
    unit: "number at this time",
    low: 0,
    about: `On average ${figure(meanOf(served))} in service and ${figure(meanOf(waiting))} waiting.`,
    marks: [
      { kind: "line", name: "in service", colour: "ink", width: 1.2, x, y: served },
      { kind: "line", name: "waiting", colour: "uav", dash: DASHES[2], width: 1.4, x, y: waiting },
    ],
  };
}

/**
 * Return the chart of bids over values, of at most 1,500 auctions: of more it shows every n-th.
 * @type {(run: Run, asked: number[]) => Spec}
 */
function bidsChart(run, asked) {
  const every = Math.ceil(asked.length / 1500),
    rows = asked.filter((_, at) => at % every === 0).flatMap((task) => run.bidsOf(task));
  const byUav = (/** @type {number} */ row) => run.isUav(run.bids.provider[row]);
  const points = (/** @type {number[]} */ list) => ({
    x: list.map((row) => run.bids.value[row]),
    y: list.map((row) => run.bids.bid[row]),
    task: list.map((row) => run.bids.task[row]),
  });
  // A few large tasks have many times the value of the others, and would press these into a corner.
  const numbers = rows.flatMap((row) => [run.bids.value[row], run.bids.bid[row]]).filter((value) => value > 0);
  const [low, high] = spanOf([numbers], NaN);
  return {
    title: "Bids against values",
    unit: every > 1 ? `on the line: truthful; 1 of ${every} auctions is shown` : "on the line: truthful",
    x: "value",
    log: true,
    logx: true,
    low: Math.max(low, high / 1e4) || 0.1,
    high: high * 1.1,
    diagonal: true,
    about: "One point per bid: the true value to the right, the bid upwards.",
    marks: [
      {
        kind: "points",
        name: "stations",
        colour: "ground",
        sign: "circle",
        hollow: true,
        alpha: 0.6,
        ...points(rows.filter((row) => !byUav(row))),
      },
      { kind: "points", name: "UAV", colour: "uav", sign: "diamond", alpha: 0.6, ...points(rows.filter(byUav)) },
    ],
  };
}
