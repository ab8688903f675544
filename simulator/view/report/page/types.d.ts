/**
 * What the page is made of, for the type checker: the head and the columns as `payload.py` packs them, and what maps
 * and charts are drawn from. Times in s, places in m. Nothing of this file goes into a page.
 */

type Point = { x: number; y: number };
type Pair = [number, number];
type Pen = CanvasRenderingContext2D;

/** Colours by name, without the dashes of the style sheet. */
type Ink = Record<string, string>;

/** Something said of a column or a figure: its unit, and what it means. */
type Said = [unit: string, meaning: string];

// --- the head ------------------------------------------------------------------------------------

type Provider = Point & { name: string; uav: boolean; altitude: number; radius: number | null };
type StopLine = { group: number; left: Pair; right: Pair };

type Ground = {
  kind: "generated" | "recorded" | "rounds";
  lane_m: number;
  roads: [x0: number, y0: number, x1: number, y1: number, lanes: number][];
  stop_lines: StopLine[];
  providers: Provider[];
};

/** Where a column stands in the buffer: its type, its first byte, its number of rows. */
type Stored = [kind: "t4" | "f8" | "f4" | "i4" | "u2" | "u1", at: number, rows: number];
type StoredTables = Record<string, Record<string, Stored>>;

/** What is said of one run. Figures without a finite value are null. */
type About = {
  name: string;
  mechanism: string;
  information: string;
  explained: boolean;
  reasons: Record<string, string>;
  summary: Record<string, number | null>;
  providers: Record<string, number | null>[];
  tables: StoredTables;
  overview: OverviewTable | null;
};

/** Counts and means of the entire run by bins, on a page that shows a part of it. */
type OverviewTable = Record<
  "ground" | "uav" | "nobody" | "lost" | "surplus" | "rho" | "latency" | "p95" | "vehicles",
  (number | null)[]
>;

/** Means over all worlds of a comparison, each with half its 95 % interval; null stands for NaN. */
type Means = {
  metric: string;
  worlds: number;
  heads: Record<string, string>;
  meanings: Record<string, string>;
  rows: {
    name: string;
    figures: Record<string, [mean: number | null, half: number | null]>;
    ratio: [ratio: number | null, half: number | null, p: number | null];
  }[];
};

type Head = {
  means: Means | null;
  scenario: string;
  about: string;
  note: string;
  zeta: number;
  reference: string;
  history: number;
  uav_payment: string;
  uav_share: number;
  seed: number;
  duration: number;
  warmup: number;
  /** What the page shows in detail, s, and the first task of it. */
  begin: number;
  end: number;
  first_task: number;
  /** Length of a tick of packed times, s. */
  tick_s: number;
  categories: {
    kind: string[];
    status: ("completed" | "lost" | "unserved" | "open")[];
    winner_kind: WinnerKind[];
    state: SignalState[];
  };
  stages: string[];
  conditions: Record<string, Said>;
  figures: Record<string, Said>;
  vehicles: string[];
  ground: Ground;
  outages: [provider: number, begin: number, end: number | null][];
  tables: StoredTables;
  runs: About[];
};

type WinnerKind = "ground" | "uav" | "none";
type SignalState = "red" | "yellow" | "green";

// --- the columns ---------------------------------------------------------------------------------

type Paths = { vehicle: Int32Array; time: Float64Array; x: Float64Array; y: Float64Array };

/** What all runs of a world share. */
type WorldTables = {
  paths: Paths;
  vehicles: { entered: Float64Array; left: Float64Array };
  signals: { time: Float64Array; group: Int32Array; state: Uint8Array };
};

type TaskTable = {
  vehicle: Int32Array;
  kind: Uint8Array;
  size_mb: Float32Array;
  demand: Float32Array;
  requested: Float64Array;
  provider: Int32Array;
  status: Uint8Array;
  ended: Float64Array;
  latency: Float32Array;
  accuracy: Float32Array;
  realised_surplus: Float32Array;
  [stage: `${string}_started` | `${string}_finished`]: Float64Array;
};

type AuctionTable = {
  station_left: Int32Array;
  asked: Uint8Array;
  winner: Int32Array;
  winner_kind: Uint8Array;
  top_bid: Float32Array;
  second_bid: Float32Array;
  uav_bid: Float32Array;
  contract_bid: Float32Array;
  rho: Float32Array;
  paid_by_provider: Float32Array;
  paid_by_vehicle: Float32Array;
  uav_value: Float32Array;
  surplus: Float32Array;
  best_surplus: Float32Array;
  [condition: `m_${string}`]: Float32Array;
};

type BidTable = {
  task: Int32Array;
  provider: Uint16Array;
  bid: Float32Array;
  value: Float32Array;
  common_value: Float32Array;
  match_value: Float32Array;
  predicted_latency: Float32Array;
};

/** Decisions of the policy, and the numbers by which it explains them. */
type DecisionTable = { task: Int32Array; [reason: `why_${string}`]: Float32Array };

/** What each run has of its own. */
type RunTables = { tasks: TaskTable; auctions: AuctionTable; bids: BidTable; decisions: DecisionTable };

// --- what is true at a moment --------------------------------------------------------------------

/** Where a vehicle is; its heading in radians from east, its speed in m/s. */
type Where = Point & { heading: number; speed: number };

/** One stage of all tasks: when each starts and ends, and until when an outage or the end of the run lets it go on. */
type Stage = {
  name: string;
  starts: Float64Array;
  ends: Float64Array;
  until: Float64Array;
  wait: Float64Array;
  time: Float64Array;
};

/** Which stage a task is in, whether it waits for it, and which share of it is done. */
type Phase = { number: number; waits: boolean; share: number };

/** Tasks at one stage of one provider. */
type Queue = { served: number[]; waiting: number[] };

type Moment = { time: number; active: { task: number; phase: Phase }[]; queues: Queue[][] };

// --- charts --------------------------------------------------------------------------------------

/** How a mark looks, and what it is called. */
type Look = {
  name: string;
  colour: string;
  dash?: number[];
  width?: number;
  alpha?: number;
  sign?: string | null;
  hollow?: boolean;
  hatched?: boolean;
  letter?: string | null;
};

/** A line or points over x; a point leads to the auction of its task. */
type XY = Look & { kind: "line" | "points"; x: number[]; y: number[]; task?: number[] };

/** Bars between edges, each from where it begins. */
type Bars = Look & { kind: "bars"; edges: number[]; values: number[]; from: number[] };

/** Rows of cells between edges, values from 0 to 1. */
type Cells = Look & { kind: "cells"; edges: number[]; rows: { name: string; values: number[] }[] };

type Mark = XY | Bars | Cells;

/**
 * One chart: title, unit, a sentence about it, its marks. `low` and `high` are those of the y axis. `log` makes it
 * logarithmic, and `logx` the x axis, over the same span. `x` is the title of an x axis that is not time.
 * `diagonal` draws y = x.
 */
type Spec = {
  title: string;
  unit: string;
  about: string;
  marks: Mark[];
  low?: number;
  high?: number;
  log?: boolean;
  logx?: boolean;
  x?: string;
  diagonal?: boolean;
  /** A part of the time axis that is marked. */
  band?: Pair;
};

/** A part of the map: its middle in m, its size in pixels. */
type Frame = Point & { width: number; height: number };

/** A box on the screen by its middle, in pixels. */
type Box = Point & { halfWidth: number; halfHeight: number };

/** A text on a map. */
type Label = Point & { text: string; colour: string; font: string; alpha: number };

/** What was picked: in a chart an auction or a time, on a map a provider, an auction or a vehicle. */
type PickedInChart = { task?: number; time?: number };
type PickedOnMap = { provider?: number; auction?: number; vehicle?: number };

/** What a map shows: a time, and a vehicle, a task and a provider, -1 for none. */
type Shown = { time: number; follow: number; auction: number; provider: number; speed: number };

// --- the page ------------------------------------------------------------------------------------

/** A key or several, how they are written, what they do, and the id of the button that does it too. */
type Binding = { shown: string[]; keys: string[]; what: string; act: (key: string) => void; button: string | null };

/** Elements of the page that are more than any element. */
interface Elements {
  scrub: HTMLInputElement;
  speed: HTMLSelectElement;
  span: HTMLSelectElement;
  legend: HTMLDialogElement;
}

interface Window {
  dmsb: Player;
}
