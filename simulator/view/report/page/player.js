/** The page: one clock, the maps, charts and cards that follow it, and the actions of keys and buttons. */

const SPEEDS = [1, 2, 5, 10, 20, 30, 60];
const CARDS_MS = 200,
  BEHIND = 0.1,
  FRAMES_KEPT = 600,
  LONGEST_STEP_S = 0.25,
  FOLLOWED_CLOSER = 2.5;

class Player {
  constructor(world, runs) {
    Object.assign(this, { world, runs, end: world.head.duration, frameMs: [] });
    Object.assign(this, { time: 0, playing: false, speed: 5, span: 0, follow: -1, auction: -1, provider: -1 });
    this.panes = runs.slice(0, 2).map((_, number) => new Pane(this, number));
    byId("panes").classList.toggle("several", runs.length > 1);
    byId("panes").append(...this.panes.map((pane) => pane.root));
    this.writeHeader();
    this.writeTables();
    this.charts = this.specs([0, this.end]).map(
      () => new Chart((picked) => this.pickedInChart(picked), world.head.warmup),
    );
    byId("charts").append(...this.charts.map((chart) => chart.figure));
    this.bindings = bindingsOf(this);
    this.listen();
  }

  /** Show the page and let time run. */
  open() {
    this.themeChosen = recall("theme");
    this.setTheme(this.themeChosen ?? this.systemTheme());
    if (!this.readHash(location.hash)) this.stepTo(this.begin());
    requestAnimationFrame((now) => this.tick(now));
  }

  /** Return the first task for which a price was asked: a page opens on an auction, not on an empty map. */
  begin() {
    const asked = this.runs[0].auctions.asked.indexOf(1);
    return asked >= 0 ? asked : this.runs[0].count ? 0 : -1;
  }

  writeHeader() {
    const { head } = this.world,
      [run] = this.runs,
      { summary } = run.about,
      several = this.runs.length > 1;
    byId("title").append(
      make("bdi", {}, head.scenario),
      ": ",
      ...this.runs.flatMap((one, at) => [at ? ", " : "", make("bdi", {}, one.name)]),
    );
    byId("about").append(
      ...(head.about ? [make("bdi", {}, head.about), "; "] : []),
      `seed ${head.seed}, ${figure(head.duration)} s`,
      head.warmup ? `, of which the first ${figure(head.warmup)} s are warm-up and do not count` : "",
      head.zeta === 1 ? "" : `; the value of a UAV is multiplied by ζ = ${figure(head.zeta)}`,
      this.world.ground.kind === "recorded" ? "; the recording has no signals" : "",
      head.note ? `; ${head.note}` : "",
      several ? "; mean surplus per task in this world:" : `; information of the policy: ${run.about.information}`,
    );
    const totals = several
      ? this.runs.map((one) => [clip(one.name, 30), one.about.summary.surplus_mean])
      : [
          ["tasks", summary.tasks],
          ["mean surplus", summary.surplus_mean],
          ...(summary.asked ? [["share of the best surplus", summary.best_share]] : []),
          ["UAV's share of tasks", summary.uav_share],
          ["mean latency, s", summary.latency_mean],
        ];
    byId("totals").append(
      ...totals.map(([name, value]) => make("div", {}, make("dt", {}, name), make("dd", {}, figure(value)))),
    );
    byId("scrub").max = this.end;
    byId("speed").append(...SPEEDS.map((speed) => make("option", { value: speed }, `${speed} ×`)));
    byId("follow").hidden = byId("vehicle").hidden = this.world.ground.kind === "rounds";
  }

  writeTables() {
    const several = this.runs.length > 1,
      columns = several ? tablesOfRuns(this.runs) : tablesOfRun(this.runs[0]);
    byId("tables").classList.toggle("several", several);
    byId("tables").append(...columns.map((tables) => make("div", {}, ...tables)));
  }

  listen() {
    listen(this.bindings);
    byId("scrub").addEventListener("input", (event) => this.jump(Number(event.target.value) - this.time));
    byId("speed").addEventListener("change", (event) => this.setSpeed(Number(event.target.value)));
    byId("span").addEventListener("change", (event) => this.setSpan(Number(event.target.value)));
    window.addEventListener("hashchange", () => this.readHash(location.hash));
    // A link to the present address of the page changes no address, so the browser tells nobody. It must work too.
    document.addEventListener("click", (event) => {
      const hash = event.target.closest?.("a[href^='#t=']")?.getAttribute("href");
      if (!hash || event.ctrlKey || event.metaKey || event.shiftKey) return;
      event.preventDefault();
      if (location.hash !== hash) history.pushState(null, "", hash);
      this.readHash(hash);
    });
    new ResizeObserver(() => {
      this.showCharts();
      this.changed();
    }).observe(byId("main"));
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
      if (!this.themeChosen) this.setTheme(this.systemTheme());
    });
  }

  /** Let a screen reader say something. */
  say(text) {
    byId("said").textContent = text;
  }

  systemTheme() {
    return matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
  }

  setTheme(theme) {
    document.documentElement.dataset.theme = theme;
    this.showCharts();
    this.changed();
  }

  otherTheme() {
    this.themeChosen = document.documentElement.dataset.theme === "dark" ? "light" : "dark";
    remember("theme", this.themeChosen);
    this.setTheme(this.themeChosen);
    this.say(`${document.documentElement.dataset.theme} colours`);
  }

  setSpeed(speed) {
    this.speed = speed;
    this.changed();
    this.say(`${speed} times as fast as real time`);
  }

  faster(by) {
    this.setSpeed(SPEEDS[Math.min(Math.max(SPEEDS.indexOf(this.speed) + by, 0), SPEEDS.length - 1)]);
  }

  play(on) {
    if (on && this.time >= this.end) this.time = 0;
    this.playing = on;
    if (on) this.auction = -1;
    this.writeHash();
    this.changed();
    this.say(on ? "Playing" : `Stopped at ${clock(this.time, 1)}`);
  }

  seek(time) {
    this.time = Math.min(Math.max(time, 0), this.end);
    if (!this.playing) this.writeHash();
    this.changed();
  }

  jump(seconds) {
    this.auction = -1;
    this.seek(this.time + seconds);
  }

  /** Return the last task that was requested before the present time. */
  latest() {
    return countUpTo(this.runs[0].tasks.requested, this.time) - 1;
  }

  step(by) {
    const { requested } = this.runs[0].tasks,
      here = this.auction >= 0 ? this.auction : this.latest();
    const between = this.auction < 0 && by < 0 && here >= 0 && requested[here] < this.time - 1e-9;
    const task = between ? here : here + by;
    if (task < 0 || task >= this.runs[0].count) this.say(by < 0 ? "No earlier auction" : "No later auction");
    else this.stepTo(task);
  }

  /** Stop at an auction. */
  stepTo(task) {
    if (task < 0) {
      this.changed();
      return;
    }
    this.playing = false;
    this.auction = task;
    if (this.follow >= 0) this.follow = this.runs[0].tasks.vehicle[task];
    this.seek(this.runs[0].tasks.requested[task]);
    const policy = (run) => (this.runs.length > 1 ? `${clip(run.name, 40)}: ` : "");
    this.say(this.panes.map(({ run }) => `${policy(run)}Auction of task ${task} at ${sentence(run, task)}`).join(". "));
  }

  toggleFollow() {
    const task = this.auction >= 0 ? this.auction : this.latest();
    if (this.follow >= 0) this.setFollow(-1);
    else if (task >= 0) this.setFollow(this.runs[0].tasks.vehicle[task]);
    else this.nextVehicle();
  }

  /** Follow a vehicle, -1 for none. */
  setFollow(vehicle) {
    if (this.world.ground.kind === "rounds") return;
    if (this.follow < 0 && vehicle >= 0) {
      this.move((view) => {
        view.closer = Math.max(view.closer, FOLLOWED_CLOSER);
      });
    }
    this.follow = vehicle;
    this.changed();
    this.say(vehicle < 0 ? "Following no vehicle" : `Following vehicle ${clip(this.world.names[vehicle], 80)}`);
  }

  nextVehicle() {
    const there = [];
    this.world.forEachAt(this.time, (vehicle) => there.push(vehicle));
    there.sort((one, other) => one - other);
    this.setFollow(there.find((vehicle) => vehicle > this.follow) ?? -1);
  }

  nextProvider() {
    const { providers } = this.world.ground;
    this.provider = this.provider + 1 < providers.length ? this.provider + 1 : -1;
    this.changed();
    const id = this.provider,
      said = this.panes.map(({ run }) => (id < 0 ? "" : state(run, id, this.time)));
    this.say(id < 0 ? "No provider is selected" : said.join(" "));
  }

  chooseNothing() {
    Object.assign(this, { follow: -1, auction: -1, provider: -1 });
    this.writeHash();
    this.changed();
    this.say("Nothing is selected");
  }

  picked({ provider = -1, auction = -1, vehicle = -1 }) {
    if (auction >= 0) {
      this.stepTo(auction);
      return;
    }
    this.provider = provider;
    if (vehicle >= 0 || provider < 0) this.setFollow(vehicle);
    this.changed();
  }

  pickedInChart({ task, time }) {
    if (task !== undefined) this.stepTo(task);
    else if (time !== undefined) this.jump(time - this.time);
  }

  /** Change the view of all maps in the same way. */
  move(change) {
    for (const pane of this.panes) change(pane.view);
    this.changed();
  }

  /** Move the map by pixels. */
  pan(east, south) {
    this.follow = -1;
    this.move((view) => {
      view.center.x -= east / view.scale;
      view.center.y += south / view.scale;
    });
  }

  whole() {
    this.follow = -1;
    this.move((view) => view.fit());
  }

  readHash(hash) {
    const said = new URLSearchParams(hash.slice(1));
    const time = Number(said.get("t") ?? NaN),
      task = Number(said.get("task") ?? NaN);
    if (Number.isInteger(task) && task >= 0 && task < this.runs[0].count) this.stepTo(task);
    else if (Number.isFinite(time)) {
      this.playing = false;
      this.jump(time - this.time);
    } else return false;
    if (this.panes[0].canvas.getBoundingClientRect().bottom < 80) byId("panes").scrollIntoView({ block: "start" });
    return true;
  }

  writeHash() {
    const hash = `#t=${this.time.toFixed(3)}${this.auction >= 0 ? `&task=${this.auction}` : ""}`;
    if (location.hash !== hash) history.replaceState(null, "", hash);
  }

  /** Return the charts of a window of time. */
  specs(window) {
    return this.runs.length > 1 ? chartsOfRuns(this.runs, window) : chartsOfRun(this.runs[0], window);
  }

  setSpan(seconds) {
    this.span = seconds;
    this.showCharts();
    this.changed();
  }

  nextSpan() {
    const list = byId("span");
    list.selectedIndex = (list.selectedIndex + 1) % list.options.length;
    this.setSpan(Number(list.value));
    this.say(`Charts show ${list.selectedOptions[0].textContent}`);
  }

  /** Return the window of the charts: the entire run, or a part that begins shortly before the present time. */
  windowNow() {
    if (!this.span || this.span >= this.end) return [0, this.end];
    const begin = Math.min(Math.max(this.time - BEHIND * this.span, 0), this.end - this.span);
    return [begin, begin + this.span];
  }

  showCharts() {
    this.window = this.windowNow();
    this.specs(this.window).forEach((spec, number) => this.charts[number].show(spec, this.window));
  }

  /** Draw everything again in the next frame, the cards included. */
  changed() {
    this.stale = true;
    this.cardsAt = -Infinity;
  }

  tick(now) {
    const passed = Math.min((now - (this.now ?? now)) / 1000, LONGEST_STEP_S);
    this.now = now;
    if (this.playing) {
      this.time = Math.min(this.time + passed * this.speed, this.end);
      if (this.time >= this.end) this.play(false);
    }
    if (this.playing || this.stale) {
      const begin = performance.now();
      this.stale = false;
      this.draw(now);
      this.frameMs.push(performance.now() - begin);
      if (this.frameMs.length > FRAMES_KEPT) this.frameMs.shift();
    }
    requestAnimationFrame((later) => this.tick(later));
  }

  draw(now) {
    const { time, follow, auction, provider, speed } = this;
    for (const pane of this.panes) pane.view.draw({ time, follow, auction, provider, speed });
    const [begin, end] = this.window;
    if (time < begin || time > end) this.showCharts();
    for (const chart of this.charts) chart.moment(time);
    if (now - this.cardsAt < CARDS_MS) return;
    this.cardsAt = now;
    for (const pane of this.panes) pane.cards();
    const scrub = byId("scrub"),
      said = clock(time, 1);
    scrub.value = time;
    scrub.setAttribute("aria-valuetext", `${said} of ${clock(this.end)}`);
    byId("clock").textContent = said;
    byId("speed").value = String(speed);
    byId("play").textContent = this.playing ? "Pause" : "Play";
    byId("follow").setAttribute("aria-pressed", String(follow >= 0));
  }
}

async function open() {
  if (!("DecompressionStream" in window)) throw new Error("it needs a browser of 2023 or later");
  const head = JSON.parse(byId("head").textContent),
    buffer = await unpack(byId("columns").textContent.trim());
  const world = new World(head, columnsOf(head.tables, buffer));
  const runs = head.runs.map((about) => new Run(world, about, columnsOf(about.tables, buffer)));
  byId("main").hidden = false;
  window.dmsb = new Player(world, runs);
  window.dmsb.open();
}

open().catch((error) => {
  byId("main").hidden = true;
  byId("failed").hidden = false;
  byId("failed").textContent = `This page cannot be shown: ${error.message}.`;
  console.error(error);
});
