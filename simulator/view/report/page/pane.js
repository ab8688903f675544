/** One map with its cards, about the run that is chosen. */

const CLICK_PX = 5,
  WHEEL = 1.2;

class Pane {
  /**
   * @param {Player} player
   * @param {number} number
   */
  constructor(player, number) {
    this.player = player;
    this.canvas = make("canvas", { tabindex: 0, role: "img" });
    this.auction = make("div");
    this.chosen = make("div");
    this.feed = make("div");
    const side = make("div", { class: "side" }, this.auction, this.chosen, this.feed);
    this.root = make("div", { class: "pane" });
    if (player.runs.length > 1) this.root.append(this.choice(number));
    this.run = player.runs[number];
    this.view = new MapView(this.canvas, this.run);
    this.root.append(make("div", { class: "map" }, this.canvas), side);
    this.listen();
  }

  /** Return the list from which a person chooses the policy of this pane. @type {(number: number) => HTMLElement} */
  choice(number) {
    const { runs } = this.player;
    const list = make("select", {}, ...runs.map((run, at) => make("option", { value: at }, clip(run.name, 80))));
    list.value = String(number);
    list.addEventListener("change", () => {
      this.run = this.view.run = runs[Number(list.value)];
      this.player.changed();
    });
    return make("label", {}, "Policy ", list);
  }

  /** Listen to clicks, drags, fingers and the wheel. */
  listen() {
    /** @type {Point & { moved: boolean } | null} */
    let from = null;
    /** @type {Map<number, Point>} */
    const touches = new Map();
    const span = () => {
      const [one, other] = [...touches.values()];
      return Math.hypot(one.x - other.x, one.y - other.y);
    };
    const place = (/** @type {MouseEvent} */ event) => ({ x: event.offsetX, y: event.offsetY });
    this.canvas.addEventListener("pointerdown", (event) => {
      touches.set(event.pointerId, place(event));
      from = touches.size === 1 ? { ...place(event), moved: false } : null;
    });
    this.canvas.addEventListener("pointermove", (event) => {
      if (touches.size === 2 && touches.has(event.pointerId)) {
        const before = span();
        touches.set(event.pointerId, place(event));
        this.player.move((view) => view.zoom(span() / before, place(event)));
        return;
      }
      if (!from || !(event.buttons & 1)) return;
      const to = place(event);
      if (!from.moved && Math.hypot(to.x - from.x, to.y - from.y) < CLICK_PX) return;
      this.player.pan(to.x - from.x, to.y - from.y);
      from = { ...to, moved: true };
    });
    this.canvas.addEventListener("pointerup", (event) => {
      if (from && !from.moved) this.player.picked(this.view.hit(place(event)));
      from = null;
    });
    const lift = (/** @type {PointerEvent} */ event) => touches.delete(event.pointerId);
    this.canvas.addEventListener("pointerup", lift);
    this.canvas.addEventListener("pointercancel", lift);
    // The wheel scrolls the page, unless the map has the focus after a click or the Tab key. Otherwise a page that is
    // scrolled would stop at the map.
    this.canvas.addEventListener(
      "wheel",
      (event) => {
        if (!event.ctrlKey && document.activeElement !== this.canvas) return;
        event.preventDefault();
        this.player.move((view) => view.zoom(event.deltaY < 0 ? WHEEL : 1 / WHEEL, place(event)));
      },
      { passive: false },
    );
  }

  /** Update the cards to the present time. */
  cards() {
    const { time, auction, provider, follow, world } = this.player,
      { run } = this;
    const latest = countUpTo(run.tasks.requested, time) - 1,
      shown = auction >= 0 ? auction : latest;
    const show = (/** @type {HTMLElement} */ place, /** @type {HTMLElement[]} */ cards) =>
      patch(place, make("div", {}, ...cards));
    show(this.auction, shown >= 0 ? [auctionCard(run, shown)] : []);
    /** @type {HTMLElement[]} */
    const chosen = [];
    if (provider >= 0) chosen.push(providerCard(run, provider, time));
    if (follow >= 0) chosen.push(vehicleCard(run, follow, time));
    show(this.chosen, chosen);
    show(this.feed, [feedCard(run, time)]);
    let vehicles = 0;
    world.forEachAt(time, () => {
      vehicles += 1;
    });
    const what = world.ground.kind === "rounds" ? "The market without a map" : `The map with ${vehicles} vehicles`;
    const said = shown >= 0 ? ` ${sentence(run, shown)}` : "";
    this.canvas.setAttribute("aria-label", `${what} at ${clock(time, 1)} under ${clip(run.name, 80)}.${said}`);
  }
}
