/** The page: one clock, maps, charts and cards that follow it, and every way to move it. */

const SPEEDS = [1, 2, 5, 10, 20, 30, 60];
const JUMP_S = 5, CARDS_MS = 200, PAGE = 0.9, FRAMES_KEPT = 600;

const byId = (id) => document.getElementById(id);

class Pane {
  constructor(player, number) {
    this.player = player;
    this.canvas = make("canvas", { tabindex: 0, role: "img" });
    this.side = make("div", { class: "side" });
    this.auction = make("div");
    this.thing = make("div");
    this.feed = make("div");
    this.side.append(this.auction, this.thing, this.feed);
    this.root = make("div", { class: "pane" });
    if (player.runs.length > 1) {
      const choice = make("select", {}, ...player.runs.map((run, at) => make("option", { value: at }, clip(run.name, 80))));
      choice.value = String(Math.min(number, player.runs.length - 1));
      choice.addEventListener("change", () => { this.show(player.runs[choice.value]); player.changed(); });
      this.root.append(make("label", {}, "Policy ", choice));
      this.show(player.runs[choice.value]);
    } else this.show(player.runs[0]);
    this.root.append(make("div", { class: "map" }, this.canvas), this.side);
    this.listen();
  }

  show(run) {
    this.run = run;
    this.view = this.view ? Object.assign(this.view, { run }) : new MapView(this.canvas, run);
  }

  listen() {
    let from = null;
    const place = (event) => ({ x: event.offsetX, y: event.offsetY });
    this.canvas.addEventListener("pointerdown", (event) => { from = { ...place(event), moved: false }; });
    this.canvas.addEventListener("pointermove", (event) => {
      if (!from || !(event.buttons & 1)) return;
      const to = place(event);
      if (!from.moved && Math.hypot(to.x - from.x, to.y - from.y) < 5) return;
      this.player.follow = -1;
      this.player.move((view) => { view.center.x -= (to.x - from.x) / view.scale; view.center.y += (to.y - from.y) / view.scale; });
      from = { ...to, moved: true };
    });
    this.canvas.addEventListener("pointerup", (event) => {
      if (from && !from.moved) this.player.picked(this.view.hit(place(event)));
      from = null;
    });
    this.canvas.addEventListener("wheel", (event) => {
      if (!event.ctrlKey && document.activeElement !== this.canvas) return;
      event.preventDefault();
      this.player.move((view) => view.zoom(event.deltaY < 0 ? 1.2 : 1 / 1.2, place(event)));
    }, { passive: false });
  }

  draw() { this.view.draw(this.player); }

  cards() {
    const { time, auction, provider, follow, world } = this.player, { run } = this;
    const latest = countUpTo(run.tasks.requested, time) - 1, shown = auction >= 0 ? auction : latest;
    if (this.shown !== `${run.name}/${shown}`) {
      this.shown = `${run.name}/${shown}`;
      const open = this.auction.querySelector("details")?.open ?? false;
      this.auction.replaceChildren(...(shown >= 0 ? [auctionCard(run, shown)] : []));
      const details = this.auction.querySelector("details");
      if (details) details.open = open;
    }
    this.thing.replaceChildren(...(provider >= 0 ? [providerCard(run, provider, time)] : []), ...(follow >= 0 ? [vehicleCard(run, follow, time)] : []));
    if (this.fed !== `${run.name}/${latest}`) {
      this.fed = `${run.name}/${latest}`;
      this.feed.replaceChildren(feedCard(run, time));
    }
    let cars = 0;
    world.forEachAt(time, () => { cars += 1; });
    const rest = world.ground.kind === "rounds" ? "The market without a map" : `The map with ${cars} vehicles`;
    this.canvas.setAttribute("aria-label", `${rest} at ${clock(time, 1)} under ${clip(run.name, 80)}. ${shown >= 0 ? sentence(run, shown) : ""}`);
  }
}

class Player {
  constructor(world, runs) {
    Object.assign(this, { world, runs, time: 0, playing: false, speed: 10, follow: -1, auction: -1, provider: -1, span: 0 });
    this.end = world.head.duration;
    this.panes = Array.from({ length: Math.min(runs.length, 2) }, (_, number) => new Pane(this, number));
    byId("panes").classList.toggle("several", runs.length > 1);
    byId("panes").append(...this.panes.map((pane) => pane.root));
    this.words();
    this.buttons();
    this.keys();
    this.charts = (runs.length > 1 ? chartsOfRuns(runs, [0, this.end]) : chartsOfRun(runs[0], [0, this.end])).map(() => new Chart((picked) => this.pickedInChart(picked)));
    byId("charts").append(...this.charts.map((chart) => chart.figure));
    this.frameMs = [];
    window.addEventListener("hashchange", () => this.readHash());
    new ResizeObserver(() => { this.showCharts(); this.changed(); }).observe(byId("main"));
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.setTheme(null));
    this.setTheme(null);
    if (!this.readHash()) this.stepTo(this.begin());
    requestAnimationFrame((now) => this.tick(now));
  }

  /** The first task that a price was asked for: a page opens on an auction, not on an empty map. */
  begin() {
    const asked = this.runs[0].auctions.asked.indexOf(1);
    return asked >= 0 ? asked : this.runs[0].count ? 0 : -1;
  }

  words() {
    const { head } = this.world, [run] = this.runs, { summary } = run.about;
    byId("title").textContent = `${head.scenario}: ${this.runs.map((one) => one.name).join(", ")}`;
    byId("about").textContent = `${head.about ? `${head.about}; ` : ""}seed ${head.seed}, ${figure(head.duration)} s${head.warmup ? `, summary from ${figure(head.warmup)} s on` : ""}`;
    const totals = this.runs.length > 1
      ? this.runs.slice(0, 6).map((one) => [clip(one.name, 30), figure(one.about.summary.surplus_mean)])
      : [["tasks", figure(summary.tasks)], ["mean surplus", figure(summary.surplus_mean)], ["of the oracle's", figure(summary.oracle_share)], ["by UAV", figure(summary.uav_share)], ["mean latency, s", figure(summary.latency_mean)]];
    byId("totals").append(...totals.map(([name, value]) => make("div", {}, make("dt", {}, name), make("dd", {}, value))));
    byId("tables").classList.toggle("several", this.runs.length > 1);
    byId("tables").append(...(this.runs.length > 1 ? tablesOfRuns(this.runs) : tablesOfRun(run)).map((tables) => make("div", {}, ...tables)));
    byId("scrub").max = this.end;
    byId("speed").append(...SPEEDS.map((speed) => make("option", { value: speed }, `${speed} ×`)));
  }

  buttons() {
    const act = { before: () => this.step(-1), next: () => this.step(1), play: () => this.play(!this.playing), follow: () => this.toggleFollow(),
      closer: () => this.move((view) => view.zoom(1.5)), farther: () => this.move((view) => view.zoom(1 / 1.5)), whole: () => { this.follow = -1; this.move((view) => view.fit()); },
      provider: () => this.nextProvider(), theme: () => this.setTheme(document.documentElement.dataset.theme === "dark" ? "light" : "dark"), help: () => this.help() };
    for (const [id, action] of Object.entries(act)) byId(id).addEventListener("click", action);
    byId("scrub").addEventListener("input", (event) => { this.auction = -1; this.seek(Number(event.target.value)); });
    byId("speed").addEventListener("change", (event) => { this.speed = Number(event.target.value); });
    byId("span").addEventListener("change", (event) => { this.span = Number(event.target.value); this.showCharts(); });
    if (this.world.ground.kind === "rounds") byId("follow").hidden = true;
    this.act = act;
  }

  keys() {
    const jump = (seconds) => { this.auction = -1; this.seek(this.time + seconds); };
    const faster = (by) => { this.setSpeed(SPEEDS[Math.min(Math.max(SPEEDS.indexOf(this.speed) + by, 0), SPEEDS.length - 1)]); };
    const span = () => { const choice = byId("span"); choice.selectedIndex = (choice.selectedIndex + 1) % choice.options.length; choice.dispatchEvent(new Event("change")); };
    this.bindings = [
      ["Space", [" "], "play, pause", this.act.play], ["N", ["n"], "next auction", this.act.next], ["P", ["p"], "auction before", this.act.before],
      ["← →", ["ArrowLeft", "ArrowRight"], `${JUMP_S} s back, ahead`, (key) => jump(key === "ArrowLeft" ? -JUMP_S : JUMP_S)],
      ["Home End", ["Home", "End"], "beginning, end", (key) => jump(key === "Home" ? -Infinity : Infinity)],
      ["+ −", ["+", "=", "-"], "faster, slower", (key) => faster(key === "-" ? -1 : 1)],
      ["F", ["f"], "follow the vehicle of the auction, or stop", this.act.follow], ["G", ["g"], "next provider's numbers", this.act.provider],
      ["A", ["a"], "numbers of the auction at this moment", () => this.stepTo(this.latest())],
      ["Z X 0", ["z", "x", "0"], "map closer, farther, whole", (key) => ({ z: this.act.closer, x: this.act.farther, 0: this.act.whole })[key]()],
      ["W", ["w"], "window of the charts", span], ["D", ["d"], "light or dark", this.act.theme],
      ["Esc", ["Escape"], "choose nothing", () => { Object.assign(this, { follow: -1, auction: -1, provider: -1 }); this.changed(); }], ["?", ["?"], "this page", this.act.help],
    ];
    document.addEventListener("keydown", (event) => {
      const { target } = event, typed = event.key.length === 1 ? event.key.toLowerCase() : event.key;
      if (event.ctrlKey || event.metaKey || event.altKey || byId("legend").open) return;
      if (target.matches("select") || (target.matches("button, a, summary") && [" ", "Enter"].includes(event.key))) return;
      if (target.matches("input") && ["Home", "End"].includes(event.key)) return;
      const found = this.bindings.find(([, keys]) => keys.includes(typed));
      if (!found) return;
      event.preventDefault();
      found[3](typed);
    });
  }

  help() {
    const dialog = byId("legend");
    byId("keys").replaceChildren(...this.bindings.map(([names, , what]) => make("tr", {}, make("td", {}, ...names.split(" ").flatMap((name) => [make("kbd", {}, name), " "])), make("td", { class: "words" }, what))));
    dialog.showModal();
    drawLegend(byId("legend-items"), this.world);
  }

  setTheme(theme) {
    document.documentElement.dataset.theme = theme ?? (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light");
    this.showCharts();
    this.changed();
  }

  setSpeed(speed) { this.speed = speed; this.changed(); }

  play(on) {
    if (on && this.time >= this.end) this.time = 0;
    this.playing = on;
    if (on) this.auction = -1; else this.writeHash();
    this.changed();
  }

  seek(time) {
    this.time = Math.min(Math.max(time, 0), this.end);
    if (!this.playing) this.writeHash();
    this.changed();
  }

  /** The last task that had been asked for. */
  latest() { return countUpTo(this.runs[0].tasks.requested, this.time) - 1; }

  step(by) {
    const { requested } = this.runs[0].tasks, here = this.auction >= 0 ? this.auction : this.latest();
    const on = this.auction < 0 && by < 0 && here >= 0 && requested[here] < this.time - 1e-9;
    this.stepTo(Math.min(Math.max(on ? here : here + by, 0), this.runs[0].count - 1));
  }

  /** Stop at an auction. */
  stepTo(task) {
    if (task < 0) return this.changed();
    this.playing = false;
    this.auction = task;
    this.seek(this.runs[0].tasks.requested[task]);
    byId("said").textContent = this.panes.map((pane) => `${this.runs.length > 1 ? `${clip(pane.run.name, 40)}: ` : ""}Auction ${task + 1} at ${sentence(pane.run, task)}`).join(". ");
  }

  toggleFollow() {
    if (this.world.ground.kind === "rounds") return;
    if (this.follow >= 0) this.follow = -1;
    else {
      const task = this.auction >= 0 ? this.auction : this.latest();
      let first = -1;
      this.world.forEachAt(this.time, (vehicle) => { first = vehicle; });
      this.setFollow(task >= 0 ? this.runs[0].tasks.vehicle[task] : first);
    }
    this.changed();
  }

  setFollow(vehicle) {
    if (this.follow < 0) this.move((view) => { view.closer = Math.max(view.closer, 2.5); });
    this.follow = vehicle;
  }

  nextProvider() {
    const count = this.world.ground.providers.length;
    this.provider = this.provider + 1 < count ? this.provider + 1 : -1;
    this.changed();
    const id = this.provider;
    byId("said").textContent = id < 0 ? "No provider" : this.panes.map((pane) => pane.thing.textContent).join(". ");
  }

  picked({ provider = -1, auction = -1, vehicle = -1 }) {
    if (auction >= 0) { this.stepTo(auction); return; }
    this.provider = provider;
    if (vehicle >= 0) this.setFollow(vehicle); else if (provider < 0) this.follow = -1;
    this.changed();
  }

  pickedInChart({ task, time }) {
    if (task !== undefined) this.stepTo(task);
    else if (time !== undefined) { this.auction = -1; this.seek(time); }
  }

  /** Change the view of all maps alike. */
  move(change) {
    for (const pane of this.panes) change(pane.view);
    this.changed();
  }

  readHash() {
    const said = new URLSearchParams(location.hash.slice(1)), time = Number(said.get("t") ?? NaN), task = Number(said.get("task") ?? NaN);
    if (Number.isInteger(task) && task >= 0 && task < this.runs[0].count) this.stepTo(task);
    else if (Number.isFinite(time)) { Object.assign(this, { playing: false, auction: -1 }); this.seek(time); } else return false;
    if (this.panes[0].canvas.getBoundingClientRect().bottom < 80) byId("panes").scrollIntoView({ block: "start" });
    return true;
  }

  writeHash() {
    const hash = `#t=${this.time.toFixed(3)}${this.auction >= 0 ? `&task=${this.auction}` : ""}`;
    if (location.hash !== hash) history.replaceState(null, "", hash);
  }

  /** The charts' window: the whole run, or the page of it in which the moment is. */
  windowNow() {
    if (!this.span || this.span >= this.end) return [0, this.end];
    const begin = Math.min(Math.max(this.time - (1 - PAGE) * this.span, 0), this.end - this.span);
    return [begin, begin + this.span];
  }

  showCharts() {
    if (!this.charts) return;
    this.window = this.windowNow();
    const specs = this.runs.length > 1 ? chartsOfRuns(this.runs, this.window) : chartsOfRun(this.runs[0], this.window);
    specs.forEach((spec, number) => this.charts[number].show(spec, this.window));
  }

  /** Something is to be drawn anew, cards and all. */
  changed() {
    this.stale = true;
    this.cardsAt = 0;
  }

  tick(now) {
    const passed = Math.min((now - (this.now ?? now)) / 1000, 0.25);
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
    for (const pane of this.panes) pane.draw();
    const [begin, end] = this.window ?? [0, this.end];
    if (this.span && (this.time < begin || this.time > begin + (end - begin) * 0.999) && this.time < this.end) this.showCharts();
    for (const chart of this.charts ?? []) chart.moment(this.time);
    if (now - (this.cardsAt ?? 0) < CARDS_MS) return;
    this.cardsAt = now;
    for (const pane of this.panes) pane.cards();
    const scrub = byId("scrub"), said = clock(this.time, 1);
    scrub.value = this.time;
    scrub.setAttribute("aria-valuetext", `${said} of ${clock(this.end)}`);
    byId("clock").textContent = said;
    byId("speed").value = String(this.speed);
    byId("play").textContent = this.playing ? "Pause" : "Play";
    byId("follow").setAttribute("aria-pressed", String(this.follow >= 0));
  }
}

/** The key of the map, drawn by what draws the map. */
function drawLegend(list, world) {
  const rows = [
    ["a ground station, and its coverage as a thin circle", (pen, ink) => providerSign(pen, ink, 32, 17, false, false)],
    ["a UAV, and its footprint as a broken circle", (pen, ink) => providerSign(pen, ink, 32, 17, true, false)],
    ["a provider that is out", (pen, ink) => providerSign(pen, ink, 32, 17, false, true)],
    [`beside a provider its queues, from the left ${world.head.stages.join(", ")}: filled is in service, hollow waits`, (pen, ink) => queueSign(pen, ink, 18, 28, [
      { served: [0], waiting: [1, 2] }, { served: [0], waiting: [] }, { served: [], waiting: [] }, { served: [0], waiting: [1] }])],
    ["an auction: a line to each bidder, thicker for more; the winner's is whole and has a star", (pen, ink) => {
      for (const [y, width, dash] of [[8, 3.4, []], [18, 2.6, [4, 5]], [27, 1, [4, 5]]]) { Object.assign(pen, { strokeStyle: ink.ground, lineWidth: width }); pen.setLineDash(dash); pen.beginPath(); pen.moveTo(6, 17); pen.lineTo(58, y); pen.stroke(); }
    }],
    ["a task on its way up or down; hollow while it waits to be sent", (pen, ink) => {
      Object.assign(pen, { strokeStyle: ink.ground, fillStyle: ink.ground, lineWidth: 1 }); pen.strokeRect(6, 17, 52, 0);
      circle(pen, 24, 17, 4); pen.fill(); circle(pen, 42, 17, 4); pen.fillStyle = ink.card; pen.fill(); pen.lineWidth = 2; pen.stroke();
    }],
    ["a task that is computed: inner ring GPU, outer ring CPU", (pen, ink) => { providerSign(pen, ink, 32, 17, false, false); pen.lineWidth = 3; pen.beginPath(); pen.arc(32, 17, 14, -Math.PI / 2, Math.PI * 0.7); pen.stroke(); }],
    ["a vehicle whose task is under way has a ring; ✓ is its result, ✕ its loss", (pen, ink) => { pen.fillStyle = ink.car; pen.fillRect(27, 15, 10, 5); circle(pen, 32, 17.5, 8); Object.assign(pen, { strokeStyle: ink.car, lineWidth: 1.5 }); pen.stroke(); }],
    ...(world.ground.heads.length ? [["stop lines: red thick, yellow broken, green thin with an arrow", (pen, ink) => ["red", "yellow", "green"].forEach((state, at) => signalSign(pen, ink, [12 + 20 * at, 8], [12 + 20 * at, 28], state))]] : []),
  ];
  list.replaceChildren(...rows.flatMap(([text]) => [make("canvas", { "aria-hidden": "true" }), make("span", {}, text)]));
  list.querySelectorAll("canvas").forEach((canvas, at) => { const pen = context(canvas); rows[at][1](pen, inkOf(canvas)); });
}

async function open() {
  const head = JSON.parse(byId("head").textContent), buffer = await unpack(byId("columns").textContent.trim());
  const world = new World(head, columnsOf(head.tables, buffer));
  const runs = head.runs.map((about) => new Run(world, about, columnsOf(about.tables, buffer)));
  byId("main").hidden = false;
  window.dmsb = new Player(world, runs);
}

open().catch((error) => {
  byId("failed").hidden = false;
  byId("failed").textContent = `This page cannot be shown: ${error.message}. It needs a browser of 2023 or later.`;
  console.error(error);
});
