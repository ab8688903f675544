/** Tables, and those below the charts. */

/**
 * Return a table. A head that ends in "|" stands over text, which is aligned left; numbers are aligned right.
 * @param {string | null} caption
 * @param {string[]} heads
 * @param {(string | Node)[][]} rows
 * @param {(number: number) => string} rowClass of a row, by its number
 */
function tableOf(caption, heads, rows, rowClass = () => "") {
  const words = heads.map((head) => head.endsWith("|"));
  const side = (/** @type {number} */ at) => (words[at] ? "words" : "");
  return make(
    "table",
    {},
    ...(caption ? [make("caption", {}, caption)] : []),
    make(
      "thead",
      {},
      make("tr", {}, ...heads.map((head, at) => make("th", { class: side(at), scope: "col" }, head.replace("|", "")))),
    ),
    make(
      "tbody",
      {},
      ...rows.map((row, number) =>
        make("tr", { class: rowClass(number) }, ...row.map((content, at) => make("td", { class: side(at) }, content))),
      ),
    ),
  );
}

const ROWS = 10;

/** Return the tasks of the page after the warm-up, as the summary counts them. @type {(run: Run) => number[]} */
function counted(run) {
  const { warmup, begin } = run.world.head;
  return [...Array(run.count).keys()].slice(countUpTo(run.tasks.requested, Math.max(warmup, begin) - 1e-9));
}

/**
 * Return the tasks with the largest finite values.
 * @type {(run: Run, value: (task: number) => number, among: (task: number) => boolean) => number[]}
 */
function greatest(run, value, among) {
  return counted(run)
    .filter((task) => among(task) && Number.isFinite(value(task)))
    .sort((one, other) => value(other) - value(one))
    .slice(0, ROWS);
}

/** Say that a table is about a part of the run, if it is. @type {(run: Run) => string} */
function partSaid(run) {
  return isPart(run.world.head) ? ", in the part in detail" : "";
}

/** Return the tables of one run, by column of the page. @type {(run: Run) => HTMLElement[][]} */
function tablesOfRun(run) {
  const { figures } = run.world.head;
  const summary = tableOf(
    "Summary",
    ["figure|", "value", "meaning|"],
    Object.entries(figures).map(([name, [unit, meaning]]) => [
      name,
      `${figure(run.about.summary[name])} ${unit}`,
      meaning,
    ]),
  );
  const slow = greatest(
    run,
    (task) => run.tasks.latency[task],
    (task) => run.status(task) === "completed",
  );
  const largest = greatest(
    run,
    (task) => run.missed(task),
    (task) => run.missed(task) > 0,
  );
  const part = partSaid(run);
  const link = (/** @type {number} */ task) => linkTo(run, task, clock(run.tasks.requested[task], 1));
  return [
    [summary],
    [
      tableOf(
        `Slowest tasks${part}`,
        ["time", "provider|", "latency s", "waiting s", "kind|"],
        slow.map((task) => [
          link(task),
          clip(run.providerName(run.tasks.provider[task]), 40),
          figure(run.tasks.latency[task]),
          figure(run.stages.reduce((sum, stage) => sum + stage.wait[task], 0)),
          run.kindName(task),
        ]),
      ),
      tableOf(
        `Auctions that missed the most surplus${part}`,
        ["time", "winner|", "ρ", "surplus", "best surplus", "missed"],
        largest.map((task) => [
          link(task),
          clip(run.providerName(run.auctions.winner[task]), 40),
          figure(run.auctions.rho[task]),
          figure(run.auctions.surplus[task]),
          figure(run.auctions.best_surplus[task]),
          figure(run.missed(task)),
        ]),
      ),
    ],
  ];
}

/**
 * Return the tables of several runs: auctions with different winners, the largest difference first, and summaries.
 * @type {(runs: Run[]) => HTMLElement[][]}
 */
function tablesOfRuns(runs) {
  const { figures } = runs[0].world.head,
    first = runs[0];
  const summary = tableOf(
    "Summary of this world",
    ["figure|", ...runs.map((run) => clip(run.name, 40)), "meaning|"],
    Object.entries(figures).map(([name, [unit, meaning]]) => [
      name,
      ...runs.map((run) => figure(run.about.summary[name])),
      `${unit ? `${unit}; ` : ""}${meaning}`,
    ]),
  );
  const spread = (/** @type {number} */ task) =>
    Math.max(...runs.map((run) => run.auctions.surplus[task])) -
    Math.min(...runs.map((run) => run.auctions.surplus[task]));
  const apart = (/** @type {number} */ task) =>
    runs.some((run) => run.auctions.winner[task] !== first.auctions.winner[task]);
  const counts = counted(first),
    all = counts.filter(apart);
  const shown = greatest(first, spread, apart);
  const disagreed = tableOf(
    `Auctions with different winners${partSaid(first)}: ${figure(all.length)} of ${figure(counts.length)}, ` +
      "the largest differences first",
    ["time", ...runs.map((run) => `${clip(run.name, 40)}|`), "difference"],
    shown.map((task) => [
      linkTo(first, task, clock(first.tasks.requested[task], 1)),
      ...runs.map((run) =>
        [
          clip(run.providerName(run.auctions.winner[task]), 30),
          ...(run.isPriced(task) ? [`ρ ${figure(run.auctions.rho[task])}`] : []),
          `surplus ${figure(run.auctions.surplus[task])}`,
        ].join(", "),
      ),
      figure(spread(task)),
    ]),
  );
  return [[disagreed], [summary]];
}
