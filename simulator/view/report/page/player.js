/** The page: one clock, the maps, charts and cards that follow it, and the actions of keys and buttons. */

const SPEEDS = [1, 2, 5, 10, 20, 30, 60];
const CARDS_MS = 200,
  BEHIND = 0.1,
  FRAMES_KEPT = 600,
  LONGEST_STEP_S = 0.25,
  FOLLOWED_CLOSER = 2.5;

/** Whether the page has an address, which a page inside another has not: it cannot say there which moment it shows. */
const HAS_ADDRESS = location.protocol !== "about:";

class Player {
  /**
   * @param {World} world
   * @param {Run[]} runs
   */
  constructor(world, runs) {
    this.world = world;
    this.runs = runs;
    // What the page shows in detail, s.
    this.first = world.head.begin;
    this.end = world.head.end;
    this.time = this.first;
    this.playing = false;
    this.speed = 5;
    // Length of the charts' window, s; 0 is all that the page shows in detail.
    this.span = 0;
    /** @type {Pair} */
    this.window = [this.first, this.end];
    // A vehicle, a task and a provider, -1 for none.
    this.follow = this.auction = this.provider = -1;
    // The theme that the user has chosen; null: that of the browser.
    /** @type {string | null} */
    this.themeChosen = null;
    // Whether the page must be drawn again, and the times of the last cards and of the last frame.
    this.stale = true;
    this.cardsAt = -Infinity;
    /** @type {number | null} */
    this.now = null;
    // Time that the page took for each of the last frames, ms.
    /** @type {number[]} */
    this.frameMs = [];
    this.panes = runs.slice(0, 2).map((_, number) => new Pane(this, number));
    byId("panes").classList.toggle("several", runs.length > 1);
    byId("panes").append(...this.panes.map((pane) => pane.root));
    this.charts = this.specs(this.window).map(
      () => new Chart((picked) => this.pickedInChart(picked), world.head.warmup),
    );
    byId("charts").append(...this.charts.map((chart) => chart.figure));
    /** @type {Overview | null} */
    this.overview = isPart(world.head) ? new Overview(world, runs, (picked) => this.pickedInOverview(picked)) : null;
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
    const { auctions, tasks, count } = this.runs[0];
    // Tasks that are still under way when the part begins come before it.
    const from = countUpTo(tasks.requested, this.first - 1e-9),
      asked = auctions.asked.indexOf(1, from);
    return asked >= 0 ? asked : from < count ? from : -1;
  }

  /** Listen to keys, buttons, lists, links and the size of the window. */
  listen() {
    listen(this.bindings);
    const [scrub, speed, span] = [byId("scrub"), byId("speed"), byId("span")];
    scrub.addEventListener("input", () => this.jump(Number(scrub.value) - this.time));
    speed.addEventListener("change", () => this.setSpeed(Number(speed.value)));
    span.addEventListener("change", () => this.setSpan(Number(span.value)));
    window.addEventListener("hashchange", () => this.readHash(location.hash));
    // A link to the present address of the page changes no address, so the browser tells nobody. It must work too.
    document.addEventListener("click", (event) => {
      const { target } = event;
      const hash = target instanceof Element && target.closest("a[href^='#t=']")?.getAttribute("href");
      if (!hash || event.ctrlKey || event.metaKey || event.shiftKey) return;
      event.preventDefault();
      if (HAS_ADDRESS && location.hash !== hash) history.pushState(null, "", hash);
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

  /** Let a screen reader say something. @type {(text: string) => void} */
  say(text) {
    byId("said").textContent = text;
  }

  systemTheme() {
    return matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
  }

  /** Use light or dark colours. @type {(theme: string) => void} */
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

  /** Set how many times as fast as real time the replay runs. @type {(speed: number) => void} */
  setSpeed(speed) {
    this.speed = speed;
    this.changed();
    this.say(`${speed} times as fast as real time`);
  }

  /** Take the next of the speeds, or the one before. @type {(by: number) => void} */
  faster(by) {
    this.setSpeed(SPEEDS[Math.min(Math.max(SPEEDS.indexOf(this.speed) + by, 0), SPEEDS.length - 1)]);
  }

  /** Play or stop. @type {(on: boolean) => void} */
  play(on) {
    if (on && this.time >= this.end) this.time = this.first;
    this.playing = on;
    if (on) this.auction = -1;
    this.writeHash();
    this.changed();
    this.say(on ? "Playing" : `Stopped at ${clock(this.time, 1)}`);
  }

  /** Go to a time. @type {(time: number) => void} */
  seek(time) {
    this.time = Math.min(Math.max(time, this.first), this.end);
    if (!this.playing) this.writeHash();
    this.changed();
  }

  /** Go ahead or back, away from the auction. @type {(seconds: number) => void} */
  jump(seconds) {
    this.auction = -1;
    this.seek(this.time + seconds);
  }

  /** Return the last task that was requested before the present time. */
  latest() {
    return countUpTo(this.runs[0].tasks.requested, this.time) - 1;
  }

  /** Go to the next auction, or to the one before. @type {(by: number) => void} */
  step(by) {
    const { requested } = this.runs[0].tasks,
      here = this.auction >= 0 ? this.auction : this.latest();
    const between = this.auction < 0 && by < 0 && here >= 0 && requested[here] < this.time - 1e-9;
    const task = between ? here : here + by;
    const outside = task < 0 || task >= this.runs[0].count || requested[task] < this.first - 1e-9;
    if (outside) this.say(by < 0 ? "No earlier auction" : "No later auction");
    else this.stepTo(task);
  }

  /** Stop at an auction. @type {(task: number) => void} */
  stepTo(task) {
    if (task < 0) {
      this.changed();
      return;
    }
    this.playing = false;
    this.auction = task;
    if (this.follow >= 0) this.follow = this.runs[0].tasks.vehicle[task];
    this.seek(this.runs[0].tasks.requested[task]);
    const policy = (/** @type {Run} */ run) => (this.runs.length > 1 ? `${clip(run.name, 40)}: ` : "");
    this.say(
      this.panes
        .map(({ run }) => `${policy(run)}Auction of task ${run.idOf(task)} at ${sentence(run, task)}`)
        .join(". "),
    );
  }

  toggleFollow() {
    const task = this.auction >= 0 ? this.auction : this.latest();
    if (this.follow >= 0) this.setFollow(-1);
    else if (task >= 0) this.setFollow(this.runs[0].tasks.vehicle[task]);
    else this.nextVehicle();
  }

  /** Follow a vehicle, -1 for none. @type {(vehicle: number) => void} */
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
    /** @type {number[]} */
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

  /** Show what was picked on a map. @type {(picked: PickedOnMap) => void} */
  picked({ provider = -1, auction = -1, vehicle = -1 }) {
    if (auction >= 0) {
      this.stepTo(auction);
      return;
    }
    this.provider = provider;
    if (vehicle >= 0 || provider < 0) this.setFollow(vehicle);
    this.changed();
  }

  /** Go where was picked in a chart. @type {(picked: PickedInChart) => void} */
  pickedInChart({ task, time }) {
    if (task !== undefined) this.stepTo(task);
    else if (time !== undefined) this.jump(time - this.time);
  }

  /** Go where was picked in a chart of the entire run, if the page has it. @type {(picked: PickedInChart) => void} */
  pickedInOverview({ time }) {
    if (time === undefined) return;
    if (time >= this.first && time <= this.end) this.jump(time - this.time);
    else this.say(`${clock(time)} is not in the part that this page shows in detail`);
  }

  /** Change the view of all maps in the same way. @type {(change: (view: MapView) => void) => void} */
  move(change) {
    for (const pane of this.panes) change(pane.view);
    this.changed();
  }

  /** Move the map by pixels. @type {(east: number, south: number) => void} */
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

  /** Go where an address points; false if it points nowhere. @type {(hash: string) => boolean} */
  readHash(hash) {
    const said = new URLSearchParams(hash.slice(1));
    const time = Number(said.get("t") ?? NaN),
      task = Number(said.get("task") ?? NaN) - this.world.head.first_task;
    if (Number.isInteger(task) && task >= 0 && task < this.runs[0].count) this.stepTo(task);
    else if (Number.isFinite(time)) {
      this.playing = false;
      this.jump(time - this.time);
    } else return false;
    if (this.panes[0].canvas.getBoundingClientRect().bottom < 80) byId("panes").scrollIntoView({ block: "start" });
    return true;
  }

  writeHash() {
    const hash = `#t=${this.time.toFixed(3)}${this.auction >= 0 ? `&task=${this.runs[0].idOf(this.auction)}` : ""}`;
    if (HAS_ADDRESS && location.hash !== hash) history.replaceState(null, "", hash);
  }

  /** Return the charts of a window of time. @type {(window: Pair) => Spec[]} */
  specs(window) {
    return this.runs.length > 1 ? chartsOfRuns(this.runs, window) : chartsOfRun(this.runs[0], window);
  }

  /** Set the window of the charts, s; 0 is the entire run. @type {(seconds: number) => void} */
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

  /**
   * Return the window of the charts: all that the page shows in detail, or a part that begins shortly before now.
   * @type {() => Pair}
   */
  windowNow() {
    if (!this.span || this.span >= this.end - this.first) return [this.first, this.end];
    const begin = Math.min(Math.max(this.time - BEHIND * this.span, this.first), this.end - this.span);
    return [begin, begin + this.span];
  }

  showCharts() {
    this.window = this.windowNow();
    for (const [number, spec] of this.specs(this.window).entries()) this.charts[number].show(spec, this.window);
    this.overview?.show();
  }

  /** Draw everything again in the next frame, the cards included. */
  changed() {
    this.stale = true;
    this.cardsAt = -Infinity;
  }

  /** Draw one frame and ask for the next. @type {(now: number) => void} */
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

  /** Draw the moment. @type {(now: number) => void} */
  draw(now) {
    const { time, follow, auction, provider, speed } = this;
    for (const pane of this.panes) pane.view.draw({ time, follow, auction, provider, speed });
    const [begin, end] = this.window;
    if (time < begin || time > end) this.showCharts();
    for (const chart of this.charts) chart.moment(time);
    this.overview?.moment(time);
    if (now - this.cardsAt < CARDS_MS) return;
    this.cardsAt = now;
    for (const pane of this.panes) pane.cards();
    const scrub = byId("scrub"),
      said = clock(time, 1);
    scrub.value = String(time);
    scrub.setAttribute("aria-valuetext", `${said} of ${clock(this.world.head.duration)}`);
    byId("clock").textContent = said;
    byId("speed").value = String(speed);
    byId("play").textContent = this.playing ? "Pause" : "Play";
    byId("follow").setAttribute("aria-pressed", String(follow >= 0));
  }
}
