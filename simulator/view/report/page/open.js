/** Opening the page: unpack the numbers, write header and tables, start the player. */

/** Return whether a page shows a part of the run only. @type {(head: Head) => boolean} */
function isPart(head) {
  return head.begin > 0 || head.end < head.duration;
}

/** Write the header: the names of the runs and their totals. @type {(world: World, runs: Run[]) => void} */
function writeHeader(world, runs) {
  const { head } = world,
    [run] = runs,
    { summary } = run.about,
    several = runs.length > 1;
  byId("title").append(
    make("bdi", {}, head.scenario),
    ": ",
    ...runs.flatMap((one, at) => [at ? ", " : "", make("bdi", {}, one.name)]),
  );
  byId("about").append(
    ...(head.about ? [make("bdi", {}, head.about), "; "] : []),
    `seed ${head.seed}, ${figure(head.duration)} s`,
    head.warmup ? `, of which the first ${figure(head.warmup)} s are warm-up and do not count` : "",
    head.zeta === 1 ? "" : `; the value of a UAV is multiplied by ζ = ${figure(head.zeta)}`,
    world.ground.kind === "recorded" ? "; the recording has no signals" : "",
    isPart(head) ? `; in detail from ${clock(head.begin)} to ${clock(head.end)}` : "",
    head.note ? `; ${head.note}` : "",
    several
      ? head.means
        ? ""
        : "; mean surplus per task in this world:"
      : `; information of the policy: ${run.about.information}`,
  );
  /** @type {[name: string, value: number | null][]} */
  const totals = head.means
    ? []
    : several
      ? runs.map((one) => [clip(one.name, 30), one.about.summary.surplus_mean])
      : [
          ["tasks", summary.tasks],
          ["mean surplus", summary.surplus_mean],
          ...(summary.asked
            ? [/** @type {[string, number | null]} */ (["share of the best surplus", summary.best_share])]
            : []),
          ["UAV's share of tasks", summary.uav_share],
          ["mean latency, s", summary.latency_mean],
        ];
  byId("totals").append(
    ...totals.map(([name, value]) => make("div", {}, make("dt", {}, name), make("dd", {}, figure(value)))),
  );
  byId("scrub").min = String(head.begin);
  byId("scrub").max = String(head.end);
  if (isPart(head)) byId("span").options[0].textContent = "all of the part in detail";
  byId("speed").append(...SPEEDS.map((speed) => make("option", { value: speed }, `${speed} ×`)));
  byId("follow").hidden = byId("vehicle").hidden = world.ground.kind === "rounds";
}

/** Write the means over all worlds, with which the page of a comparison begins. @type {(head: Head) => void} */
function writeMeans(head) {
  const { means } = head;
  if (!means) return;
  const names = Object.keys(means.heads),
    worlds = `${figure(means.worlds)} worlds`;
  const both = (/** @type {number | null} */ mean, /** @type {number | null} */ half) =>
    half === null ? figure(mean) : `${figure(mean)} ± ${figure(Number(half.toPrecision(2)))}`;
  const p = (/** @type {number | null} */ value) =>
    value === null ? "" : value < 0.001 ? "< 0.001" : value.toFixed(3);
  const [first, ...others] = names;
  byId("means-table").append(
    tableOf(
      null,
      ["policy|", means.heads[first], "ratio", "p", ...others.map((name) => means.heads[name])],
      means.rows.map((row) => [
        clip(row.name, 40),
        both(...row.figures[first]),
        row.ratio[2] === null ? "1" : both(row.ratio[0], row.ratio[1]),
        p(row.ratio[2]),
        ...others.map((name) => both(...row.figures[name])),
      ]),
    ),
  );
  byId("means-note").append(
    `Means over ${worlds}, ± half of the 95 % interval. Ratio and p compare the ${means.heads[first]} with that of`,
    ` the first policy, paired by world. `,
    `${names.map((name) => `${means.heads[name]}: ${means.meanings[name]}`).join("; ")}.`,
  );
  byId("one-world").append(`One of these ${worlds} in detail: the world of seed ${head.seed}`);
  byId("means").hidden = false;
}

/** Write the tables below the charts. @type {(runs: Run[]) => void} */
function writeTables(runs) {
  const several = runs.length > 1,
    columns = several ? tablesOfRuns(runs) : tablesOfRun(runs[0]);
  byId("tables").classList.toggle("several", several);
  byId("tables").append(...columns.map((tables) => make("div", {}, ...tables)));
}

/** Open the page. */
async function openPage() {
  if (!("DecompressionStream" in window)) throw new Error("it needs a browser of 2023 or later");
  /** @type {Head} */
  const head = JSON.parse(byId("head").textContent ?? "");
  const buffer = await unpack((byId("columns").textContent ?? "").trim());
  const world = new World(head, columnsOf(head.tables, buffer, head));
  const runs = head.runs.map((about) => new Run(world, about, columnsOf(about.tables, buffer, head)));
  byId("main").hidden = false;
  writeMeans(head);
  writeHeader(world, runs);
  writeTables(runs);
  window.dmsb = new Player(world, runs);
  window.dmsb.open();
}

openPage().catch((error) => {
  byId("main").hidden = true;
  byId("failed").hidden = false;
  byId("failed").textContent = `This page cannot be shown: ${error.message}.`;
  console.error(error);
});
