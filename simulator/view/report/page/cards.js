/** Cards of an auction, a provider and a vehicle. */

/** Mechanisms in which stations compete and one UAV stands behind them. */
const CONTESTS = ["msb", "myopic-msb", "second-price"];

/** Say why nobody has won a task. @type {(run: Run, task: number) => string} */
function withoutWinner(run, task) {
  if (run.status(task) === "open") return "the task was still waiting for its auction when the run ended";
  return run.bidsOf(task).length ? "nobody has won the task" : "no provider was invited";
}

/** Return a link to the auction of a task. @type {(run: Run, task: number, text: string) => HTMLElement} */
function linkTo(run, task, text) {
  return make("a", { href: `#t=${run.tasks.requested[task].toFixed(3)}&task=${run.idOf(task)}` }, text);
}

/**
 * Describe an auction in one sentence, for lists and for a screen reader.
 * @type {(run: Run, task: number) => string}
 */
function sentence(run, task) {
  const { auctions } = run,
    at = clock(run.tasks.requested[task], 1),
    who = clip(run.vehicleName(task), 40);
  const won =
    auctions.winner[task] < 0
      ? withoutWinner(run, task)
      : `${clip(run.providerName(auctions.winner[task]), 30)} wins and pays ${figure(auctions.paid_by_provider[task])}`;
  const price = run.isPriced(task) ? `ρ ${figure(auctions.rho[task])}, ` : "";
  return `${at}${who ? ` ${who}` : ""}: ${price}${won}, surplus ${figure(auctions.surplus[task])}`;
}

/**
 * Explain the result of an auction by its rule, with the numbers of the round.
 * @type {(run: Run, task: number) => string}
 */
function ruling(run, task) {
  const { auctions } = run,
    winner = `${clip(run.providerName(auctions.winner[task]), 60)} wins`;
  const [top, second, rho] = [auctions.top_bid, auctions.second_bid, auctions.rho].map((column) => column[task]);
  // Of a file the class belongs to the name: path.py:Class.
  const [head, className] = run.about.mechanism.split(/[:(]/);
  const rule = head.endsWith(".py") ? `${head}:${className}` : head;
  if (auctions.winner[task] < 0) {
    const why = withoutWinner(run, task);
    return `${why[0].toUpperCase()}${why.slice(1)}.`;
  }
  const pays = `${winner} and pays ${figure(auctions.paid_by_provider[task])}`;
  if (!CONTESTS.includes(rule)) return `${pays} under ${rule}.`;
  if (Number.isNaN(second) || Number.isNaN(auctions.uav_bid[task])) {
    const alone = Number.isNaN(second) ? "only one station bid" : "no UAV was invited";
    return `No contest, because ${Number.isNaN(top) ? "no station bid" : alone}. ${pays}.`;
  }
  if (rule === "second-price") {
    return `${winner} with the highest of all bids, the UAV's included, and pays the second-highest.`;
  }
  // The words below hold for `msb` with its default parameters. Other parameters change the rule.
  const asItComes = run.about.mechanism === "msb" && run.world.head.reference === "stations";
  if (!asItComes) {
    return `${winner} under ${rule}. The best stations bid ${figure(top)} and ${figure(second)}. ρ is ${figure(rho)}.`;
  }
  const threshold = `${figure(rho)} × ${figure(second)} = ${figure(rho * second)}`;
  const bought = `The best station's bid ${figure(top)}`;
  if (!run.isUav(auctions.winner[task])) {
    return `${bought} exceeds ρ times the second bid, ${threshold}. ${winner} and pays this amount.`;
  }
  return `${bought} does not exceed ρ times the second bid, ${threshold}. ${winner}. ${uavPayment(run, task)}`;
}

/** Return the sentence that says what a UAV pays that has won. @type {(run: Run, task: number) => string} */
function uavPayment(run, task) {
  const { uav_payment, uav_share } = run.world.head,
    paid = figure(run.auctions.paid_by_provider[task]),
    share = `${figure(100 * uav_share)} %`;
  if (uav_payment === "contract") return `It pays the contract bid ${paid}.`;
  if (uav_payment === "posted") return `It pays ${share} of the value that the platform expects, ${paid}.`;
  if (run.status(task) === "open") return `It pays ${share} of what the task is worth when it has ended.`;
  return `It pays ${share} of what the task was worth in the end, ${paid}.`;
}

/** Return the card of an auction. @type {(run: Run, task: number) => HTMLElement} */
function auctionCard(run, task) {
  const { auctions, tasks, bids } = run;
  const rows = run.bidsOf(task),
    title = make("h2", { class: "long" }, `Auction of task ${run.idOf(task)} at ${clock(tasks.requested[task], 1)}`);
  const who = run.vehicleName(task),
    left = auctions.station_left[task];
  const facts = make(
    "p",
    {},
    `${run.kindName(task)}, ${figure(tasks.size_mb[task])} MB, demand ${figure(tasks.demand[task])}`,
    ...(who ? [`, requested by vehicle ${clip(who, 200)}`] : []),
    ...(left >= 0 ? [`, which leaves the coverage of ${clip(run.providerName(left), 60)}`] : []),
    ".",
  );
  const bidders = tableOf(
    null,
    ["Bidder|", "bid", "value", "c", "m", "latency s"],
    rows.map((row) => [
      [
        bids.provider[row] === auctions.winner[task] ? "★ " : "",
        clip(run.providerName(bids.provider[row]), 40),
        run.standsBack(task, row) ? " (cannot win: another UAV is faster)" : "",
      ].join(""),
      ...[bids.bid, bids.value, bids.common_value, bids.match_value, bids.predicted_latency].map((column) =>
        figure(column[row]),
      ),
    ]),
    (number) => (bids.provider[rows[number]] === auctions.winner[task] ? "won" : ""),
  );
  const money = make(
    "p",
    {},
    run.isPriced(task) ? `ρ ${figure(auctions.rho[task])}. The` : "The",
    ` winner pays ${figure(auctions.paid_by_provider[task])}. Surplus ${figure(auctions.surplus[task])}, `,
    `best of any invited provider ${figure(auctions.best_surplus[task])}, missed ${figure(run.missed(task))}.`,
  );
  const seen = make(
    "details",
    {},
    make("summary", {}, "Public conditions of this auction"),
    tableOf(
      null,
      ["condition|", "value", "meaning|"],
      Object.entries(run.world.head.conditions).map(([name, [unit, meaning]]) => [
        name,
        `${figure(auctions[`m_${name}`][task])} ${unit}`,
        meaning,
      ]),
    ),
  );
  return make(
    "div",
    { class: "card", "data-task": task },
    title,
    facts,
    make("p", {}, ruling(run, task)),
    rows.length ? bidders : "",
    money,
    journey(run, task),
    ...whyThisPrice(run, task),
    seen,
  );
}

/** Return the stages of a task as a bar and in words. @type {(run: Run, task: number) => HTMLElement} */
function journey(run, task) {
  const { tasks } = run,
    whole = run.ends[task] - tasks.requested[task];
  const bar = make("div", { class: "stages", "aria-hidden": "true" });
  /** @type {string[]} */
  const told = [];
  run.stages.forEach((stage) => {
    for (const [part, seconds] of Object.entries({ wait: stage.wait[task], "": stage.time[task] })) {
      if (!(seconds > 0)) continue;
      const piece = make("i");
      piece.style.width = `${(100 * seconds) / whole}%`;
      piece.style.background = part
        ? `repeating-linear-gradient(135deg, var(--stage-${stage.name}) 0 1px, transparent 1px 4px)`
        : `var(--stage-${stage.name})`;
      bar.append(piece);
      told.push(`${stage.name}${part ? " wait" : ""} ${figure(seconds)}`);
    }
  });
  const end = {
    completed: `completed after ${figure(tasks.latency[task])} s`,
    lost: `lost at ${clock(tasks.ended[task], 1)}`,
    unserved: "unserved",
    open: "not finished when the run ended",
  }[run.status(task)];
  return make(
    "div",
    {},
    ...(told.length ? [bar] : []),
    make(
      "p",
      {},
      told.length ? `${told.join(", ")} s; ` : "",
      `${end}, accuracy ${figure(tasks.accuracy[task])}, `,
      `realised surplus ${figure(tasks.realised_surplus[task])}.`,
    ),
  );
}

/** Return the card of a provider. @type {(run: Run, id: number, time: number) => HTMLElement} */
function providerCard(run, id, time) {
  const one = run.world.ground.providers[id],
    totals = run.about.providers[id],
    queue = run.at(time).queues[id];
  /** @type {number[]} */
  const latest = [];
  for (let task = countUpTo(run.tasks.requested, time) - 1; task >= 0 && latest.length < 5; task -= 1)
    if (run.tasks.provider[task] === id) latest.push(task);
  return make(
    "div",
    { class: "card", "data-provider": id },
    make(
      "h2",
      { class: "long" },
      clip(one.name, 200),
      one.uav ? `, a UAV at ${figure(one.altitude)} m` : ", a ground station",
      run.world.isOut(id, time) ? ", out of service" : "",
    ),
    tableOf(
      null,
      ["stage|", "in service", "waiting", "busy share of the run"],
      run.stages.map((stage, number) => [
        stage.name,
        String(queue[number].served.length),
        String(queue[number].waiting.length),
        figure(totals[`${stage.name}_utilisation`]),
      ]),
    ),
    make(
      "p",
      {},
      `Entire run: ${figure(totals.tasks)} tasks, mean latency ${figure(totals.mean_latency)} s, `,
      `surplus ${figure(totals.surplus)}, payments ${figure(totals.payments)}, `,
      `net utility ${figure(totals.net_utility)}.`,
    ),
    make(
      "ul",
      { class: "feed", "aria-label": "Latest tasks of this provider" },
      ...latest.map((task) => make("li", {}, linkTo(run, task, sentence(run, task)))),
    ),
  );
}

/**
 * Describe the queues of a provider at a moment, for a screen reader.
 * @type {(run: Run, id: number, time: number) => string}
 */
function state(run, id, time) {
  const one = run.world.ground.providers[id],
    queue = run.at(time).queues[id];
  const busy = run.stages.map(
    (stage, number) =>
      `${stage.name} ${queue[number].served.length} in service, ${queue[number].waiting.length} waiting`,
  );
  return `${one.uav ? "UAV" : "Station"} ${clip(one.name, 80)} at ${clock(time, 1)}: ${busy.join("; ")}.`;
}

/** Return the card of a vehicle. @type {(run: Run, vehicle: number, time: number) => HTMLElement} */
function vehicleCard(run, vehicle, time) {
  const place = run.world.place(vehicle, time),
    left = run.world.left[vehicle],
    entered = run.world.entered[vehicle];
  /** @type {number[]} */
  const own = [];
  for (let task = 0; task < run.count; task += 1) if (run.tasks.vehicle[task] === vehicle) own.push(task);
  return make(
    "div",
    { class: "card", "data-vehicle": vehicle },
    make("h2", { class: "long" }, `Vehicle ${clip(run.world.names[vehicle], 200)}`),
    make(
      "p",
      {},
      `${figure(Number((3.6 * place.speed).toFixed(0)))} km/h, `,
      Number.isNaN(entered)
        ? "held outside the map"
        : time > left
          ? `left the map at ${clock(left)}`
          : `on the map since ${clock(entered)}`,
      `; ${own.length} task${own.length === 1 ? "" : "s"}.`,
    ),
    make(
      "ul",
      { class: "feed", "aria-label": "Tasks of this vehicle" },
      ...own.slice(0, 8).map((task) => make("li", {}, linkTo(run, task, sentence(run, task)))),
    ),
  );
}

/** Return the card of the latest auctions. @type {(run: Run, time: number) => HTMLElement} */
function feedCard(run, time) {
  /** @type {number[]} */
  const latest = [];
  for (let task = countUpTo(run.tasks.requested, time) - 1; task >= 0 && latest.length < 6; task -= 1)
    latest.push(task);
  return make(
    "div",
    { class: "card" },
    make("h2", {}, "Latest auctions"),
    make("ul", { class: "feed" }, ...latest.map((task) => make("li", {}, linkTo(run, task, sentence(run, task))))),
  );
}
