/** Numbers of the runs: unpacked columns, and the state of a run at a moment. Times in s, places in m. */

const TRACE_M = 3;

const ARRAYS = { f8: Float64Array, f4: Float32Array, i4: Int32Array, u2: Uint16Array, u1: Uint8Array };

/** Return the packed columns as one buffer. */
async function unpack(text) {
  const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  const plain = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Response(plain).arrayBuffer();
}

/** Return the columns of each table by name, as views of the buffer. */
function columnsOf(tables, buffer) {
  const found = {};
  for (const [table, columns] of Object.entries(tables)) {
    found[table] = {};
    for (const [name, [kind, at, rows]] of Object.entries(columns))
      found[table][name] = new ARRAYS[kind](buffer, at, rows);
  }
  return found;
}

/** Return how many of the sorted values are at most `value`. */
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

/** Return the first row of each id in a table sorted by id: rows of id i are begins[i] to begins[i + 1] - 1. */
function beginsOf(ids, count) {
  const begins = new Int32Array(count + 1);
  for (const id of ids) begins[id + 1] += 1;
  for (let id = 0; id < count; id += 1) begins[id + 1] += begins[id];
  return begins;
}

/** What all runs share: places of vehicles, states of signals, outages. */
class World {
  constructor(head, tables) {
    this.head = head;
    this.ground = head.ground;
    this.paths = tables.paths;
    this.names = head.vehicles;
    this.begins = beginsOf(tables.paths.vehicle, this.names.length);
    const there = [...this.names.keys()].filter((vehicle) => this.begins[vehicle] < this.begins[vehicle + 1]);
    const first = (vehicle) => this.paths.time[this.begins[vehicle]];
    const last = (vehicle) => this.paths.time[this.begins[vehicle + 1] - 1];
    this.order = there.sort((one, other) => first(one) - first(other));
    this.firsts = this.order.map(first);
    this.lasts = this.order.map(last);
    this.longest = this.order.reduce((most, _, at) => Math.max(most, this.lasts[at] - this.firsts[at]), 0);
    this.entered = tables.vehicles.entered;
    this.left = tables.vehicles.left;
    this.signals = [];
    tables.signals.time.forEach((time, row) => {
      const signal = (this.signals[tables.signals.group[row]] ??= { time: [], state: [] });
      signal.time.push(time);
      signal.state.push(head.categories.state[tables.signals.state[row]]);
    });
  }

  /** Call visit(vehicle, place) for each vehicle on the map. */
  forEachAt(time, visit) {
    for (let at = countUpTo(this.firsts, time) - 1; at >= 0 && this.firsts[at] >= time - this.longest; at -= 1) {
      if (this.lasts[at] >= time) visit(this.order[at], this.place(this.order[at], time));
    }
  }

  /** Return a vehicle's place, heading in rad from east, and speed; before and after its path, the nearer end of it. */
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

  /** Return whether a vehicle is on the map; -1 is no vehicle. */
  isThere(vehicle, time) {
    const begin = this.begins[vehicle],
      end = this.begins[vehicle + 1];
    return vehicle >= 0 && begin < end && this.paths.time[begin] <= time && time <= this.paths.time[end - 1];
  }

  /** Return the ways of all vehicles, as pieces between points of a grid of TRACE_M. Each piece is drawn only once. */
  traces() {
    if (this.pieces) return this.pieces;
    const { x, y } = this.paths,
      found = new Map();
    const snap = (row) => ({ x: Math.round(x[row] / TRACE_M) * TRACE_M, y: Math.round(y[row] / TRACE_M) * TRACE_M });
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

  /** Return the state of a signal group, or null before the first known state. */
  signal(group, time) {
    const { time: times, state } = this.signals[group],
      row = countUpTo(times, time) - 1;
    return row < 0 ? null : state[row];
  }

  /** Return whether a provider is out of service at a time. */
  isOut(provider, time) {
    return this.head.outages.some(
      ([who, begin, end]) => who === provider && begin <= time && (end === null || time < end),
    );
  }
}

/** One run: its tasks, auctions and bids, by the number of the task. */
class Run {
  constructor(world, about, tables) {
    Object.assign(this, { world, about, name: about.name, ...tables });
    const { tasks } = tables;
    this.count = tasks.requested.length;
    let before = tasks.requested;
    this.stages = world.head.stages.map((name) => {
      const starts = tasks[`${name}_started`],
        ends = tasks[`${name}_finished`],
        came = before;
      before = ends;
      const wait = starts.map((start, task) => start - came[task]);
      return { name, starts, ends, wait, time: ends.map((end, task) => end - starts[task]) };
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
      const cut = (task) => (Number.isFinite(stage.starts[task]) ? this.ends[task] : NaN);
      stage.until = stage.ends.map((end, task) => (Number.isFinite(end) ? end : cut(task)));
    }
    this.longest = this.ends.reduce((most, end, task) => Math.max(most, end - tasks.requested[task]), 0);
    this.bidsAt = beginsOf(tables.bids.task, this.count);
  }

  status(task) {
    return this.world.head.categories.status[this.tasks.status[task]];
  }
  kindName(task) {
    return this.world.head.categories.kind[this.tasks.kind[task]].replaceAll("_", " ");
  }
  providerName(id) {
    return id < 0 ? "nobody" : this.world.ground.providers[id].name;
  }
  vehicleName(task) {
    return this.world.names[this.tasks.vehicle[task]] ?? "";
  }
  isUav(id) {
    return id >= 0 && this.world.ground.providers[id].uav;
  }
  regret(task) {
    return this.auctions.best_surplus[task] - this.auctions.surplus[task];
  }

  /** Return whether ρ decides an auction: a price was asked for, and the mechanism uses it. */
  isPriced(task) {
    return Boolean(this.auctions.asked[task]) && !this.about.mechanism.startsWith("second-price");
  }

  /** Return whether a bid is of a UAV that cannot win: only the UAV with the shortest public prediction can. */
  standsBack(task, row) {
    if (!this.isUav(this.bids.provider[row])) return false;
    return Math.abs(this.bids.bid[row] - this.auctions.uav_bid[task]) > 1e-6 * this.auctions.uav_bid[task];
  }

  /** Call visit(task) for each task between its request and its result, the latest first. */
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

  /** Return the stage of a task, whether it waits, and the share of the stage that is done; null if in no stage. */
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

  /** Return the tasks in progress at a time with their phase, and the queues of each provider by stage. */
  at(time) {
    if (this.moment?.time === time) return this.moment;
    const queues = this.world.ground.providers.map(() => this.stages.map(() => ({ served: [], waiting: [] })));
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

  /** Return the rows of the bids of an auction, the highest bid first. */
  bidsOf(task) {
    const rows = [];
    for (let row = this.bidsAt[task]; row < this.bidsAt[task + 1]; row += 1) rows.push(row);
    return rows.sort((one, other) => this.bids.bid[other] - this.bids.bid[one]);
  }
}
