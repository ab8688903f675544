/** The map of one run on a canvas: the moving parts, drawn once per frame over the fixed parts. */

const CAR_M = { length: 4.6, width: 1.9 },
  CAR_PX = { length: 9, width: 4.5 };
const NEAR_PX = 16,
  RESULT_S = 0.8,
  AUCTION_S = 1.2;
/** Stages that are drawn as rings around a provider, from the inside. */
const RINGS = ["gpu", "cpu", "migration"];

const AUCTIONS_SHOWN = 6,
  SIGNAL_PX = 11;

/** How far a text may move up or down to be free of others, nearest first. */
const LABEL_MOVES_PX = [0, -14, 14, -28, 28];

class MapView extends GroundView {
  /**
   * @param {HTMLCanvasElement} canvas
   * @param {Run} run
   */
  constructor(canvas, run) {
    super(canvas, run.world);
    this.run = run;
    // Distance between providers, m.
    this.spacing = spacingOf(run.world.ground.providers);
    // What is where on the screen.
    /** @type {(Point & { id: number })[]} */
    this.icons = [];
    /** @type {(Point & { vehicle: number, place: Where })[]} */
    this.vehicles = [];
    /** @type {(Point & { task: number })[]} */
    this.dots = [];
    /** @type {Label[]} */
    this.labels = [];
  }

  /** Whether the signs of providers would cover each other. */
  get isFar() {
    return this.world.ground.providers.length >= MANY_PROVIDERS && this.spacing * this.scale < 3 * ICON_PX;
  }

  get rounds() {
    return this.world.ground.kind === "rounds";
  }

  /**
   * Return the place of a task's request: its vehicle, or the middle of a map without vehicles.
   * @type {(task: number, time: number) => Where}
   */
  placeOf(task, time) {
    if (this.rounds) return { x: 0, y: 0, heading: 0, speed: 0 };
    return this.world.place(this.run.tasks.vehicle[task], time);
  }

  /** Draw the map at a time. @type {(shown: Shown) => void} */
  draw(shown) {
    const { time, follow, auction, provider, speed } = shown;
    this.ink = inkOf(this.canvas);
    if (this.world.isThere(follow, time)) {
      const { x, y } = this.world.place(follow, time);
      Object.assign(this.center, { x, y });
    }
    const pen = context(this.canvas);
    this.labels = [];
    this.drawBase(pen);
    this.dots = [];
    if (this.isFar) {
      drawFar(this, pen, shown);
      if (auction >= 0) this.drawAuction(pen, auction, 1, true);
    } else {
      this.drawSignals(pen, time);
      this.drawAuctions(pen, time, auction, speed);
      this.drawVehicles(pen, time, follow);
      this.drawTasks(pen, time, auction, speed);
      this.drawProviders(pen, time, provider);
    }
    this.drawScale(pen);
    this.drawLabels(pen);
  }

  /** Draw the stop lines. @type {(pen: Pen, time: number) => void} */
  drawSignals(pen, time) {
    for (const line of this.world.ground.stop_lines) {
      const state = this.world.signal(line.group, time);
      if (!state) continue;
      const [left, right] = [line.left, line.right].map(([x, y]) => this.toScreen({ x, y }));
      const longer = Math.max(SIGNAL_PX / Math.hypot(right.x - left.x, right.y - left.y), 1);
      /** @type {Pair} */
      const kerb = [left.x + longer * (right.x - left.x), left.y + longer * (right.y - left.y)];
      signalSign(pen, this.ink, [left.x, left.y], kerb, state);
    }
  }

  /**
   * Draw the vehicles, with a ring where a task is in progress.
   * @type {(pen: Pen, time: number, follow: number) => void}
   */
  drawVehicles(pen, time, follow) {
    const { ink, scale } = this,
      length = Math.max(CAR_M.length * scale, CAR_PX.length),
      width = Math.max(CAR_M.width * scale, CAR_PX.width);
    const asking = new Set(this.run.at(time).active.map(({ task }) => this.run.tasks.vehicle[task]));
    this.vehicles = [];
    this.world.forEachAt(time, (vehicle, place) => {
      pen.fillStyle = ink.car;
      const { x, y } = this.toScreen(place),
        east = Math.cos(place.heading),
        north = Math.sin(place.heading);
      this.vehicles.push({ vehicle, x, y, place });
      pen.beginPath();
      // The place of a vehicle is its front, as in SUMO.
      for (const [ahead, right] of [
        [0, 0],
        [-0.25, 0.5],
        [-1, 0.5],
        [-1, -0.5],
        [-0.25, -0.5],
      ]) {
        const along = ahead * length,
          across = right * width;
        pen.lineTo(x + along * east + across * north, y - along * north + across * east);
      }
      pen.closePath();
      pen.fill();
      if (asking.has(vehicle)) {
        circle(pen, x, y, length * 0.75);
        pen.lineWidth = 1.5;
        pen.strokeStyle = ink.car;
        pen.stroke();
      }
      if (vehicle === follow) {
        circle(pen, x, y, length + 4);
        pen.lineWidth = 3;
        pen.strokeStyle = ink.focus;
        pen.stroke();
        this.write(pen, clip(this.world.names[vehicle], 24), x, y - length - 10, ink.focus, "bold 12px sans-serif");
      }
    });
    if (this.rounds) {
      const { x, y } = this.toScreen({ x: 0, y: 0 });
      circle(pen, x, y, 7);
      pen.fillStyle = ink.car;
      pen.fill();
      this.write(pen, "requests", x, y + 20, ink.soft);
    }
  }

  /**
   * Draw the lines of recent auctions to their bidders: thicker for higher bids, solid for the winner, else broken.
   * @type {(pen: Pen, time: number, chosen: number, speed: number) => void}
   */
  drawAuctions(pen, time, chosen, speed) {
    const { run } = this,
      lasts = AUCTION_S * speed;
    /** @type {number[]} */
    const shown = [];
    for (
      let task = countUpTo(run.tasks.requested, time) - 1;
      task >= 0 && run.tasks.requested[task] >= time - lasts;
      task -= 1
    ) {
      if (task !== chosen) shown.push(task);
    }
    for (const task of shown.slice(0, AUCTIONS_SHOWN))
      this.drawAuction(pen, task, 0.75 * (1 - (time - run.tasks.requested[task]) / lasts), false);
    if (chosen >= 0) this.drawAuction(pen, chosen, 1, true);
  }

  /** Draw one auction. @type {(pen: Pen, task: number, alpha: number, labels: boolean) => void} */
  drawAuction(pen, task, alpha, labels) {
    const { run, ink } = this,
      from = this.toScreen(this.placeOf(task, run.tasks.requested[task])),
      rows = run.bidsOf(task);
    const most = rows.length ? run.bids.bid[rows[0]] : 1;
    pen.globalAlpha = Math.max(alpha, 0);
    for (const row of rows) {
      const id = run.bids.provider[row],
        won = id === run.auctions.winner[task],
        to = this.toScreen(this.world.ground.providers[id]);
      pen.strokeStyle = run.isUav(id) ? ink.uav : ink.ground;
      pen.lineWidth = (won ? 2 : 0.6) + 3 * Math.max(run.bids.bid[row] / most, 0);
      pen.setLineDash(won ? [] : [4, 5]);
      pen.beginPath();
      pen.moveTo(from.x, from.y);
      pen.lineTo(to.x, to.y);
      pen.stroke();
      if (labels)
        this.write(
          pen,
          `${won ? "★ " : ""}${figure(run.bids.bid[row])}`,
          to.x,
          to.y - 16,
          won ? ink.ink : ink.soft,
          won ? "bold 13px sans-serif" : "12px sans-serif",
        );
    }
    pen.setLineDash([]);
    if (labels) {
      circle(pen, from.x, from.y, 11);
      pen.lineWidth = 2.5;
      pen.strokeStyle = ink.ink;
      pen.stroke();
    }
    pen.globalAlpha = 1;
  }

  /**
   * Draw each task in progress: a dot to the provider, a ring that fills while it computes, a dot back, the result.
   * @type {(pen: Pen, time: number, chosen: number, speed: number) => void}
   */
  drawTasks(pen, time, chosen, speed) {
    const { run, ink } = this;
    run.forEachActive(
      time,
      (task) => {
        const id = run.tasks.provider[task];
        if (id < 0) return;
        const vehicle = this.toScreen(this.placeOf(task, time)),
          provider = this.toScreen(this.world.ground.providers[id]);
        const phase = run.phase(task, time);
        pen.strokeStyle = pen.fillStyle = run.isUav(id) ? ink.uav : ink.ground;
        const over = run.tasks.ended[task];
        if (!phase || time >= over) {
          this.drawResult(pen, task, vehicle, (time - over) / (RESULT_S * speed));
          return;
        }
        const stage = run.stages[phase.number].name,
          transfer = stage === "uplink" || stage === "downlink";
        const share = stage === "uplink" ? phase.share : stage === "downlink" ? 1 - phase.share : 1;
        const dot = {
          x: vehicle.x + share * (provider.x - vehicle.x),
          y: vehicle.y + share * (provider.y - vehicle.y),
        };
        if (transfer) {
          pen.lineWidth = task === chosen ? 2.5 : 1;
          pen.globalAlpha = 0.55;
          pen.beginPath();
          pen.moveTo(vehicle.x, vehicle.y);
          pen.lineTo(provider.x, provider.y);
          pen.stroke();
          pen.globalAlpha = 1;
          circle(pen, dot.x, dot.y, task === chosen ? 6 : 4);
          if (phase.waits) {
            pen.lineWidth = 2;
            pen.stroke();
          } else pen.fill();
        } else {
          pen.lineWidth = 3;
          pen.beginPath();
          pen.arc(
            provider.x,
            provider.y,
            ICON_PX + 5 + 4 * RINGS.indexOf(stage),
            -Math.PI / 2,
            -Math.PI / 2 + 2 * Math.PI * phase.share,
          );
          pen.stroke();
        }
        this.dots.push({ task, ...dot });
      },
      RESULT_S * speed,
    );
  }

  /** Draw the result of a task, fading away. @type {(pen: Pen, task: number, at: Point, share: number) => void} */
  drawResult(pen, task, at, share) {
    const { ink } = this,
      lost = this.run.status(task) !== "completed";
    if (!(share >= 0 && share <= 1)) return;
    pen.globalAlpha = 1 - share;
    pen.strokeStyle = lost ? ink.bad : ink.good;
    pen.lineWidth = 2;
    circle(pen, at.x, at.y, 6 + 16 * share);
    pen.stroke();
    this.write(pen, lost ? "✕ lost" : "✓", at.x, at.y - 14, lost ? ink.bad : ink.good, "bold 14px sans-serif");
    pen.globalAlpha = 1;
  }

  /** Draw the providers with their queues. @type {(pen: Pen, time: number, chosen: number) => void} */
  drawProviders(pen, time, chosen) {
    const { ink } = this,
      { queues } = this.run.at(time);
    this.icons = this.world.ground.providers.map((one, id) => ({ id, ...this.toScreen(one) }));
    for (const { id, x, y } of this.icons) {
      const one = this.world.ground.providers[id],
        out = this.world.isOut(id, time);
      if (id === chosen) {
        circle(pen, x, y, ICON_PX + 8);
        pen.lineWidth = 3;
        pen.strokeStyle = ink.focus;
        pen.stroke();
      }
      providerSign(pen, ink, x, y, one.uav, out);
      queueSign(pen, ink, x + ICON_PX + 6, y + ICON_PX - 3, this.world.head.stages, queues[id]);
      this.write(pen, `${clip(one.name, 14)}${out ? " (out)" : ""}`, x, y + ICON_PX + 13, ink.ink);
    }
  }

  /** Draw the scale: a round number of metres. @type {(pen: Pen) => void} */
  drawScale(pen) {
    if (this.rounds) return;
    const meters = niceStep(90 / this.scale),
      width = meters * this.scale,
      y = this.canvas.clientHeight - 14;
    pen.strokeStyle = this.ink.soft;
    pen.lineWidth = 1.5;
    pen.strokeRect(14, y, width, 0);
    this.write(pen, `${meters} m`, 14 + width / 2, y - 6, this.ink.soft);
  }

  /**
   * Ask for a text. All texts are drawn at the end, when it is known which would overprint each other.
   * @type {(pen: Pen, text: string, x: number, y: number, colour: string, font?: string) => void}
   */
  write(pen, text, x, y, colour, font = "12px sans-serif") {
    this.labels.push({ text, x, y, colour, font, alpha: pen.globalAlpha });
  }

  /**
   * Draw the texts with a halo, bold ones first. One that would overprint another moves a line up or down, or is left
   * out if that does not help.
   * @type {(pen: Pen) => void}
   */
  drawLabels(pen) {
    Object.assign(pen, { textAlign: "center", lineWidth: 3, strokeStyle: this.ink.card, lineJoin: "round" });
    const rank = (/** @type {{ font: string }} */ { font }) => Number(!font.startsWith("bold"));
    /** @type {Box[]} */
    const taken = this.isFar ? [] : this.icons.map(({ x, y }) => ({ x, y, halfWidth: ICON_PX, halfHeight: ICON_PX }));
    for (const { text, x, y, colour, font, alpha } of this.labels.sort((one, other) => rank(one) - rank(other))) {
      pen.font = font;
      const halfWidth = pen.measureText(text).width / 2 + 1;
      const places = LABEL_MOVES_PX.map((moved) => ({ x, y: y - 4 + moved, halfWidth, halfHeight: 7 }));
      const free = places.find((place) => !taken.some((other) => overlap(place, other)));
      if (!free) continue;
      taken.push(free);
      pen.globalAlpha = alpha;
      pen.strokeText(text, x, free.y + 4);
      pen.fillStyle = colour;
      pen.fillText(text, x, free.y + 4);
    }
    pen.globalAlpha = 1;
  }

  /**
   * Return what is at a place of the screen: the nearest provider, else auction, else vehicle.
   * @type {(at: Point) => PickedOnMap}
   */
  hit(at) {
    const provider = nearest(this.icons, at),
      dot = nearest(this.dots, at),
      vehicle = nearest(this.vehicles, at);
    if (provider) return { provider: provider.id };
    if (dot) return { auction: dot.task };
    return vehicle ? { vehicle: vehicle.vehicle } : {};
  }
}

/** Return whether two boxes overlap. @type {(one: Box, other: Box) => boolean} */
function overlap(one, other) {
  return (
    Math.abs(one.x - other.x) < one.halfWidth + other.halfWidth &&
    Math.abs(one.y - other.y) < one.halfHeight + other.halfHeight
  );
}

/**
 * Return the item of a list that is nearest to a place, if it is near.
 * @template {Point} T
 * @param {T[]} list
 * @param {Point} at
 * @returns {T | undefined}
 */
function nearest(list, at) {
  return list
    .map((one) => ({ one, away: Math.hypot(one.x - at.x, one.y - at.y) }))
    .filter(({ away }) => away <= NEAR_PX)
    .sort((one, other) => one.away - other.away)[0]?.one;
}
