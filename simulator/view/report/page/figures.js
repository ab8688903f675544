/** Numbers of the charts, of one run or of several, in a window of time. */

const BINS = 48;

/** Return the edges and the middles of the bins of a window. */
function binsOf([begin, end]) {
  const edges = Array.from({ length: BINS + 1 }, (_, at) => begin + ((end - begin) * at) / BINS);
  return { edges, middles: edges.slice(1).map((edge, at) => (edge + edges[at]) / 2) };
}

/** Return the tasks that were requested in a window. */
function tasksIn(run, [begin, end]) {
  const found = [];
  for (
    let task = countUpTo(run.tasks.requested, begin - 1e-9);
    task < run.count && run.tasks.requested[task] <= end;
    task += 1
  )
    found.push(task);
  return found;
}

/** Return sum and mean per bin of the finite values of tasks, and the mean over all of them. */
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
  const total = (values) => values.reduce((sum, one) => sum + one, 0);
  return {
    sums: [...sums],
    means: [...sums].map((sum, at) => (counts[at] ? sum / counts[at] : NaN)),
    mean: total(counts) ? total(sums) / total(counts) : NaN,
  };
}

function meanOf(values) {
  const finite = values.filter((value) => Number.isFinite(value));
  return finite.length ? finite.reduce((sum, value) => sum + value, 0) / finite.length : NaN;
}

/** Return the value below which a share of the values lies. */
function quantile(values, share) {
  return Float64Array.from(values).sort()[Math.floor(share * (values.length - 1))];
}

/** Return the share of each bin in which a stage of a provider was busy. */
function busy(run, provider, stage, edges) {
  const found = new Float64Array(edges.length - 1),
    begin = edges[0],
    length = edges[1] - edges[0];
  const { starts, until } = run.stages[stage];
  for (
    let task = countUpTo(run.tasks.requested, begin - run.longest - 1e-9);
    task < run.count && run.tasks.requested[task] <= edges.at(-1);
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

/** Return the charts of one run. */
function chartsOfRun(run, window) {
  const { auctions, tasks } = run,
    asked = tasksIn(run, window),
    { edges, middles } = binsOf(window);
  const bin = (value) => binned(run, asked, window, value);
  const pick = (kind) =>
    asked.filter(
      (task) => auctions.asked[task] && run.world.head.categories.winner_kind[auctions.winner_kind[task]] === kind,
    );
  const points = (list, column) => ({
    x: list.map((task) => tasks.requested[task]),
    y: list.map((task) => column[task]),
    task: list,
  });
  const ground = pick("ground"),
    uav = pick("uav");
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
  const isLost = (task) => run.status(task) === "lost";
  return [
    {
      title: "Price scaling factor ρ",
      unit: "",
      log: true,
      low: 1,
      high: Math.max(2, spanOf([rhos], 1)[1] * 1.05),
      about: [
        `Mean of the finite values ${figure(meanOf(rhos))}. Of ${asked.length} auctions`,
        `stations won ${ground.length} at a price, and the UAV won ${uav.length}.`,
      ].join(" "),
      marks: [
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
      about: [
        `Mean ${figure(surplus.mean)},`,
        `with the best provider of each round ${figure(oracle.mean)}.`,
      ].join(" "),
      marks: [
        { kind: "line", name: "best of each round", colour: "oracle", dash: DASHES[1], x: middles, y: oracle.means },
        { kind: "line", name: "winner", colour: "ink", x: middles, y: surplus.means },
        {
          kind: "line",
          name: "realised, 0 if lost",
          colour: "stage-2",
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
      cells: true,
      about: `One row per provider, from 0 (pale) to 1 (full). Over the entire run ${busiest.join(", ")}.`,
      marks: [
        {
          kind: "cells",
          name: "0, 0.5, 1",
          colour: "stage-0",
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
      unit: "per task; the highest 1 % is above the frame",
      low: 0,
      high: quantile(worth, 0.99) * 1.1 || 1,
      about: "The UAV bids by its last report. Its value is what the task at hand is worth to it.",
      marks: [
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
        ["requested", "ink", [], () => true],
        ["lost", "bad", DASHES[2], isLost],
      ].map(([name, colour, dash, counts]) => ({
        kind: "line",
        name,
        colour,
        dash,
        x: middles,
        y: bin((task) => Number(counts(task))).sums.map((sum) => (60 * sum) / (edges[1] - edges[0])),
      })),
    },
  ];
}

function latencyChart(run, asked, window, edges) {
  const from = new Array(BINS).fill(0),
    marks = [],
    told = [];
  run.stages.forEach((stage, number) => {
    for (const [part, column, hatched] of [
      ["service", stage.time, false],
      ["wait", stage.wait, true],
    ]) {
      const { means, mean: all } = binned(run, asked, window, (task) => column[task]);
      const values = means.map((mean) => mean || 0);
      const letter = hatched ? null : stage.name[0].toUpperCase(),
        name = `${stage.name} ${part}`;
      marks.push({ kind: "bars", name, letter, colour: `stage-${number}`, hatched, edges, values, from: [...from] });
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

function shareChart(run, asked, window, edges) {
  const from = new Array(BINS).fill(0),
    marks = [],
    told = [];
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

/** Return the chart of the numbers of tasks that wait and that are in service, over time. */
function underWayChart(run, window) {
  const steps = 4 * BINS,
    x = Array.from({ length: steps + 1 }, (_, at) => window[0] + ((window[1] - window[0]) * at) / steps);
  const waiting = [],
    served = [];
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

/** Return the chart of bids over values, of at most 1,500 auctions: of more it shows every n-th. */
function bidsChart(run, asked) {
  const every = Math.ceil(asked.length / 1500),
    rows = { ground: [], uav: [] };
  asked
    .filter((_, at) => at % every === 0)
    .forEach((task) => {
      for (const row of run.bidsOf(task)) rows[run.isUav(run.bids.provider[row]) ? "uav" : "ground"].push(row);
    });
  const points = (list) => ({
    x: list.map((row) => run.bids.value[row]),
    y: list.map((row) => run.bids.bid[row]),
    task: list.map((row) => run.bids.task[row]),
  });
  return {
    title: "Bids against values",
    unit: every > 1 ? `on the line: truthful; 1 of ${every} auctions is shown` : "on the line: truthful",
    x: "value",
    low: 0,
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
        ...points(rows.ground),
      },
      { kind: "points", name: "UAV", colour: "uav", sign: "diamond", alpha: 0.6, ...points(rows.uav) },
    ],
  };
}

const COLOURS = ["ink", "uav", "ground", "stage-2", "stage-1", "stage-3", "bad"];

/** Return the charts of several runs of one world, with one line per policy. */
function chartsOfRuns(runs, window) {
  const { middles } = binsOf(window),
    tasks = runs.map((run) => tasksIn(run, window));
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
  const chart = (title, unit, value, more = {}) => {
    const found = runs.map((run, number) => binned(run, tasks[number], window, (task) => value(run, task)));
    const about = runs.map((run, number) => `${clip(run.name, 40)}: mean ${figure(found[number].mean)}`).join("; ");
    return { title, unit, about, marks: lines((run, number) => found[number].means), ...more };
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
    chart("Payments", "mean per task", (run, task) => run.auctions.payment[task], { low: 0 }),
  ];
}

/** Return the surplus of a run since its beginning minus that of another run, at some times. */
function ahead(run, other, times) {
  let task = 0,
    sum = 0;
  return times.map((time) => {
    for (; task < run.count && run.tasks.requested[task] <= time; task += 1)
      sum += run.auctions.surplus[task] - other.auctions.surplus[task];
    return sum;
  });
}
