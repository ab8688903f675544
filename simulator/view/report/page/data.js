/** Numbers of the runs: unpacked columns, and the state of a run at a moment. Times in s, places in m. */

const TRACE_M = 3;

const ARRAYS = { f8: Float64Array, f4: Float32Array, i4: Int32Array, u2: Uint16Array, u1: Uint8Array };

/** Return the packed columns as one buffer. @type {(text: string) => Promise<ArrayBuffer>} */
async function unpack(text) {
  const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  const plain = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Response(plain).arrayBuffer();
}

/** Number of ticks that stands for a time that never came. */
const NO_TIME = -(2 ** 31);

/**
 * Return times, s, from ticks that are each minus the one before.
 * @type {(differences: Int32Array, head: Head) => Float64Array}
 */
function timesOf(differences, { begin, tick_s: tick }) {
  const found = new Float64Array(differences.length);
  let ticks = 0;
  for (let row = 0; row < found.length; row += 1) {
    // Sums wrap around, as the differences did.
    ticks = (ticks + differences[row]) | 0;
    found[row] = ticks === NO_TIME ? NaN : begin + ticks * tick;
  }
  return found;
}

/**
 * Return the columns of each table by name. `payload.py` declares them and their types.
 * @type {(tables: StoredTables, buffer: ArrayBuffer, head: Head) => any}
 */
function columnsOf(tables, buffer, head) {
  const view = (/** @type {Stored} */ [kind, at, rows]) =>
    kind === "t4" ? timesOf(new Int32Array(buffer, at, rows), head) : new ARRAYS[kind](buffer, at, rows);
  const columns = (/** @type {Record<string, Stored>} */ stored) =>
    Object.fromEntries(Object.entries(stored).map(([name, place]) => [name, view(place)]));
  return Object.fromEntries(Object.entries(tables).map(([table, stored]) => [table, columns(stored)]));
}

/**
 * Return how many of the sorted values are at most `value`.
 * @type {(sorted: ArrayLike<number>, value: number) => number}
 */
function countUpTo(sorted, value) {
  let low = 0,
    high = sorted.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (sorted[middle] <= value) low = middle + 1;
    else high = middle;
  }
  return low;
}

/**
 * Return the first row of each id in a table sorted by id: rows of id i are begins[i] to begins[i + 1] - 1.
 * @type {(ids: Iterable<number>, count: number) => Int32Array}
 */
function beginsOf(ids, count) {
  const begins = new Int32Array(count + 1);
  for (const id of ids) begins[id + 1] += 1;
  for (let id = 0; id < count; id += 1) begins[id + 1] += begins[id];
  return begins;
}

/** What all runs share: places of vehicles, states of signals, outages. */
class World {
  /**
   * @param {Head} head
   * @param {WorldTables} tables
   */
  constructor(head, tables) {
    this.head = head;
    this.ground = head.ground;
    this.paths = tables.paths;
    this.names = head.vehicles;
    this.begins = beginsOf(tables.paths.vehicle, this.names.length);
    const there = [...this.names.keys()].filter((vehicle) => this.begins[vehicle] < this.begins[vehicle + 1]);
    const first = (/** @type {number} */ vehicle) => this.paths.time[this.begins[vehicle]];
    const last = (/** @type {number} */ vehicle) => this.paths.time[this.begins[vehicle + 1] - 1];
    this.order = there.sort((one, other) => first(one) - first(other));
    this.firsts = this.order.map(first);
    this.lasts = this.order.map(last);
    this.longest = this.order.reduce((most, _, at) => Math.max(most, this.lasts[at] - this.firsts[at]), 0);
    this.entered = tables.vehicles.entered;
    this.left = tables.vehicles.left;
    /** @type {{ time: number[], state: SignalState[] }[]} */
    this.signals = [];
    /** @type {[Point, Point][] | null} */
    this.pieces = null;
    tables.signals.time.forEach((time, row) => {
      const group = tables.signals.group[row];
      this.signals[group] ??= { time: [], state: [] };
      const signal = this.signals[group];
      signal.time.push(time);
      signal.state.push(head.categories.state[tables.signals.state[row]]);
    });
  }

  /**
   * Call visit(vehicle, place) for each vehicle on the map.
   * @type {(time: number, visit: (vehicle: number, place: Where) => void) => void}
   */
  forEachAt(time, visit) {
    for (let at = countUpTo(this.firsts, time) - 1; at >= 0 && this.firsts[at] >= time - this.longest; at -= 1) {
      if (this.lasts[at] >= time) visit(this.order[at], this.place(this.order[at], time));
    }
  }

  /**
   * Return where a vehicle is; before and after its path, the nearer end.
   * @type {(vehicle: number, time: number) => Where}
   */
  place(vehicle, time) {
    const { time: times, x, y } = this.paths;
    const begin = this.begins[vehicle],
      end = this.begins[vehicle + 1] - 1;
    if (begin > end) return { x: 0, y: 0, heading: 0, speed: 0 };
    let low = begin,
      high = end;
    while (high - low > 1) {
      const middle = (low + high) >> 1;
      if (times[middle] <= time) low = middle;
      else high = middle;
    }
    const step = times[high] - times[low];
    const share = step > 0 ? Math.min(Math.max((time - times[low]) / step, 0), 1) : 0;
    let east = x[high] - x[low],
      north = y[high] - y[low];
    const there = times[begin] <= time && time <= times[end],
      speed = there && step > 0 ? Math.hypot(east, north) / step : 0;
    const place = { x: x[low] + share * east, y: y[low] + share * north, heading: 0, speed };
    for (let row = low; east === 0 && north === 0 && row > begin; row -= 1) {
      east = x[row] - x[row - 1];
      north = y[row] - y[row - 1];
    }
    place.heading = Math.atan2(north, east);
    return place;
  }

  /** Return whether a vehicle is on the map; -1 is no vehicle. @type {(vehicle: number, time: number) => boolean} */
  isThere(vehicle, time) {
    const begin = this.begins[vehicle],
      end = this.begins[vehicle + 1];
    return vehicle >= 0 && begin < end && this.paths.time[begin] <= time && time <= this.paths.time[end - 1];
  }

  /** Return the ways of all vehicles, as pieces between points of a grid of TRACE_M. Each piece is drawn only once. */
  traces() {
    if (this.pieces) return this.pieces;
    const { x, y } = this.paths;
    /** @type {Map<string, [Point, Point]>} */
    const found = new Map();
    const grid = (/** @type {number} */ metres) => Math.round(metres / TRACE_M) * TRACE_M;
    const snap = (/** @type {number} */ row) => ({ x: grid(x[row]), y: grid(y[row]) });
    for (let vehicle = 0; vehicle + 1 < this.begins.length; vehicle += 1) {
      for (let row = this.begins[vehicle] + 1; row < this.begins[vehicle + 1]; row += 1) {
        const from = snap(row - 1),
          to = snap(row);
        found.set(`${from.x},${from.y},${to.x},${to.y}`, [from, to]);
      }
    }
    this.pieces = [...found.values()];
    return this.pieces;
  }

  /**
   * Return the state of a signal group, null if unknown.
   * @type {(group: number, time: number) => SignalState | null}
   */
  signal(group, time) {
    const { time: times, state } = this.signals[group],
      row = countUpTo(times, time) - 1;
    return row < 0 ? null : state[row];
  }

  /** Return whether a provider is out of service at a time. @type {(provider: number, time: number) => boolean} */
  isOut(provider, time) {
    return this.head.outages.some(
      ([who, begin, end]) => who === provider && begin <= time && (end === null || time < end),
    );
  }
}

/** One run: its tasks, auctions and bids, by the number of the task. */
class Run {
  /**
   * @param {World} world
   * @param {About} about
   * @param {RunTables} tables
   */
  constructor(world, about, tables) {
    const { tasks } = tables;
    this.world = world;
    this.about = about;
    this.name = about.name;
    this.tasks = tasks;
    this.auctions = tables.auctions;
    this.bids = tables.bids;
    this.decisions = tables.decisions;
    /** Row of the decision about each task. */
    this.decisionOf = new Map([...tables.decisions.task].map((task, row) => [task, row]));
    /** @type {Moment | null} */
    this.moment = null;
    this.count = tasks.requested.length;
    let before = tasks.requested;
    /** @type {Stage[]} */
    this.stages = world.head.stages.map((name) => {
      const starts = tasks[`${name}_started`],
        ends = tasks[`${name}_finished`],
        came = before;
      before = ends;
      const wait = starts.map((start, task) => start - came[task]);
      return { name, starts, ends, until: ends, wait, time: ends.map((end, task) => end - starts[task]) };
    });
    // A stage that an outage or the end of the run has cut off lasts until then.
    this.ends = tasks.requested.map((requested, task) => {
      const known = this.stages.reduce(
        (last, { ends }) => (Number.isFinite(ends[task]) ? ends[task] : last),
        requested,
      );
      const going = this.status(task) === "open" && tasks.provider[task] >= 0 ? world.head.duration : known;
      return Math.max(known, going, tasks.ended[task] || 0);
    });
    for (const stage of this.stages) {
      const cut = (/** @type {number} */ task) => (Number.isFinite(stage.starts[task]) ? this.ends[task] : NaN);
      stage.until = stage.ends.map((end, task) => (Number.isFinite(end) ? end : cut(task)));
    }
    this.longest = this.ends.reduce((most, end, task) => Math.max(most, end - tasks.requested[task]), 0);
    this.bidsAt = beginsOf(tables.bids.task, this.count);
  }

  /** Return the status of a task. @type {(task: number) => Head["categories"]["status"][number]} */
  status(task) {
    return this.world.head.categories.status[this.tasks.status[task]];
  }

  /** Return the kind of a task, in words. @type {(task: number) => string} */
  kindName(task) {
    return this.world.head.categories.kind[this.tasks.kind[task]].replaceAll("_", " ");
  }

  /** Return the number that a task has in the tables of the run. @type {(task: number) => number} */
  idOf(task) {
    return task + this.world.head.first_task;
  }

  /** Return the name of a provider; -1 is nobody. @type {(id: number) => string} */
  providerName(id) {
    return id < 0 ? "nobody" : this.world.ground.providers[id].name;
  }

  /** Return the name of a task's vehicle, empty in a market without a map. @type {(task: number) => string} */
  vehicleName(task) {
    return this.world.names[this.tasks.vehicle[task]] ?? "";
  }

  /** Return whether a provider is a UAV; -1 is no provider. @type {(id: number) => boolean} */
  isUav(id) {
    return id >= 0 && this.world.ground.providers[id].uav;
  }

  /** Return the surplus that a round missed: the best one minus that of the winner. @type {(task: number) => number} */
  missed(task) {
    return this.auctions.best_surplus[task] - this.auctions.surplus[task];
  }

  /** Return whether a policy set ρ for the auction. @type {(task: number) => boolean} */
  isPriced(task) {
    return !Number.isNaN(this.auctions.rho[task]);
  }

  /**
   * Return whether a bid is of a UAV that cannot win: only the UAV with the shortest public prediction can.
   * @type {(task: number, row: number) => boolean}
   */
  standsBack(task, row) {
    if (!this.isUav(this.bids.provider[row])) return false;
    return Math.abs(this.bids.bid[row] - this.auctions.uav_bid[task]) > 1e-6 * this.auctions.uav_bid[task];
  }

  /**
   * Call visit(task) for each task between its request and `after` seconds after its result, the latest first.
   * @type {(time: number, visit: (task: number) => void, after?: number) => void}
   */
  forEachActive(time, visit, after = 0) {
    const { requested } = this.tasks;
    for (
      let task = countUpTo(requested, time) - 1;
      task >= 0 && requested[task] >= time - this.longest - after;
      task -= 1
    ) {
      if (this.ends[task] + after >= time) visit(task);
    }
  }

  /** Return the stage of a task, null if in no stage. @type {(task: number, time: number) => Phase | null} */
  phase(task, time) {
    if (time < this.tasks.requested[task] || time >= this.ends[task]) return null;
    for (let number = 0; number < this.stages.length; number += 1) {
      const starts = this.stages[number].starts[task],
        until = this.stages[number].until[task];
      if (!(time >= starts)) return { number, waits: true, share: 0 };
      if (time < until) return { number, waits: false, share: (time - starts) / (until - starts) };
    }
    return null;
  }

  /** Return the tasks in progress at a time, and the queues of all providers. @type {(time: number) => Moment} */
  at(time) {
    if (this.moment?.time === time) return this.moment;
    const nobody = () => ({ served: [], waiting: [] });
    /** @type {Queue[][]} */
    const queues = this.world.ground.providers.map(() => this.stages.map(nobody));
    /** @type {Moment["active"]} */
    const active = [];
    this.forEachActive(time, (task) => {
      const id = this.tasks.provider[task],
        phase = id < 0 ? null : this.phase(task, time);
      if (!phase) return;
      active.push({ task, phase });
      queues[id][phase.number][phase.waits ? "waiting" : "served"].push(task);
    });
    this.moment = { time, active, queues };
    return this.moment;
  }

  /** Return the rows of the bids of an auction, the highest bid first. @type {(task: number) => number[]} */
  bidsOf(task) {
    /** @type {number[]} */
    const rows = [];
    for (let row = this.bidsAt[task]; row < this.bidsAt[task + 1]; row += 1) rows.push(row);
    return rows.sort((one, other) => this.bids.bid[other] - this.bids.bid[one]);
  }
}
