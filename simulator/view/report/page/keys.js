/** Every key and the button that does the same; the page that explains them, and the signs of the map. */

const JUMP_S = 5,
  PAN_PX = 60;

/** What can be done to a player. @type {(player: Player) => Binding[]} */
function bindingsOf(player) {
  /** @type {Record<string, Pair>} */
  const arrows = { ArrowLeft: [1, 0], ArrowRight: [-1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };
  /** @type {(shown: string[], keys: string[], what: string, act: Binding["act"], button?: string | null) => Binding} */
  const bind = (shown, keys, what, act, button = null) => ({ shown, keys, what, act, button });
  return [
    bind(["Space"], [" "], "play or pause", () => player.play(!player.playing), "play"),
    bind(["N"], ["n"], "next auction", () => player.step(1), "next"),
    bind(["P"], ["p"], "auction before", () => player.step(-1), "before"),
    bind(["A"], ["a"], "numbers of the auction at this moment", () => player.stepTo(player.latest())),
    bind(["←", "→"], ["ArrowLeft", "ArrowRight"], `${JUMP_S} s back, ahead`, (key) =>
      player.jump(key === "ArrowLeft" ? -JUMP_S : JUMP_S),
    ),
    bind(["Home", "End"], ["Home", "End"], "beginning, end", (key) =>
      player.jump(key === "Home" ? -Infinity : Infinity),
    ),
    bind(["+", "-"], ["+", "=", "-"], "faster, slower", (key) => player.faster(key === "-" ? -1 : 1)),
    bind(["F"], ["f"], "follow the vehicle of the auction, or stop", () => player.toggleFollow(), "follow"),
    bind(["V"], ["v"], "follow the next vehicle", () => player.nextVehicle(), "vehicle"),
    bind(["G"], ["g"], "numbers of the next provider", () => player.nextProvider(), "provider"),
    bind(["Z"], ["z"], "map closer", () => player.move((view) => view.zoom(1.5)), "closer"),
    bind(["X"], ["x"], "map farther", () => player.move((view) => view.zoom(1 / 1.5)), "farther"),
    bind(["0"], ["0"], "the whole map", () => player.whole(), "whole"),
    bind(
      ["Shift+arrow"],
      Object.keys(arrows).map((key) => `Shift+${key}`),
      "move the map",
      (key) => {
        const [east, south] = arrows[key.slice("Shift+".length)];
        player.pan(east * PAN_PX, south * PAN_PX);
      },
    ),
    bind(["W"], ["w"], "window of the charts", () => player.nextSpan()),
    bind(["D"], ["d"], "light or dark", () => player.otherTheme(), "theme"),
    bind(["Esc"], ["Escape"], "choose nothing", () => player.chooseNothing()),
    bind(["?"], ["?"], "how to read this", () => explain(player), "help"),
  ];
}

/** Listen to keys and buttons. @type {(bindings: Binding[]) => void} */
function listen(bindings) {
  for (const { shown, what, act, button } of bindings) {
    if (!button) continue;
    const element = byId(button);
    element.addEventListener("click", (event) => {
      act("");
      // After a click the space bar is to play; who came by the Tab key stays where they are.
      if (event.detail > 0) element.blur();
    });
    element.title = `${what[0].toUpperCase()}${what.slice(1)} (${shown.join(", ")})`;
    element.setAttribute("aria-keyshortcuts", shown.join(" "));
    if (!/[a-z]{3}/.test(element.textContent ?? "")) element.setAttribute("aria-label", what);
  }
  document.addEventListener("keydown", (event) => {
    const { target, key } = event;
    if (!(target instanceof Element)) return;
    if (!key || event.ctrlKey || event.metaKey || event.altKey || byId("legend").open) return;
    const own = target.matches("select") || (target.matches("button, a, summary") && [" ", "Enter"].includes(key));
    if (own || (target.matches("input") && ["Home", "End"].includes(key))) return;
    const typed = key.length === 1 ? key.toLowerCase() : event.shiftKey ? `Shift+${key}` : key;
    const found = bindings.find(({ keys }) => keys.includes(typed));
    if (!found) return;
    event.preventDefault();
    found.act(typed);
  });
  // A list that has been used gives the keys back to the page.
  for (const list of document.querySelectorAll("select")) list.addEventListener("change", () => list.blur());
}

/** The words of cards and charts. */
const WORDS = {
  "bid, value": "what a provider says, and what the task is truly worth to it: demand × c × m",
  demand: "what a request is worth to anyone",
  "c, m": "mean of 1/latency, and mean match value of the accuracy, over its last tasks, this one included",
  ρ: "the price scaling factor: the best station wins only with more than ρ times the second-best bid",
  "contract bid": "what the UAV pays at most, from past rounds",
  surplus: "the winner's value as the auction settles",
  "oracle's": "the highest value that any winner could have had in this round; regret is what is missing to it",
  "realised surplus": "the surplus at the latency and accuracy that came true; 0 if the task was lost",
};

/** Open the page that explains. @type {(player: Player) => void} */
function explain({ bindings, world }) {
  byId("keys").replaceChildren(
    ...bindings.map(({ shown, what }) =>
      make(
        "tr",
        {},
        make("td", {}, ...shown.flatMap((name) => [make("kbd", {}, name), " "])),
        make("td", { class: "words" }, what),
      ),
    ),
  );
  byId("words").replaceChildren(
    ...Object.entries(WORDS).flatMap(([word, meaning]) => [make("dt", {}, word), make("dd", {}, meaning)]),
  );
  byId("legend").showModal();
  const signs = signsOf(world),
    list = byId("legend-items");
  list.replaceChildren(
    ...signs.flatMap(([text]) => [make("canvas", { "aria-hidden": "true" }), make("span", {}, text)]),
  );
  for (const [at, canvas] of list.querySelectorAll("canvas").entries()) signs[at][1](context(canvas), inkOf(canvas));
}

/**
 * The signs of the map: what each is, and how it is drawn, by what draws the map.
 * @type {(world: World) => [text: string, draw: (pen: Pen, ink: Ink) => void][]}
 */
function signsOf(world) {
  /** @type {ReturnType<typeof signsOf>} */
  const signs = [
    ["a ground station, and its coverage as a thin circle", (pen, ink) => providerSign(pen, ink, 32, 17, false, false)],
    ["a UAV, and its footprint as a broken circle", (pen, ink) => providerSign(pen, ink, 32, 17, true, false)],
    ["a provider that is out", (pen, ink) => providerSign(pen, ink, 32, 17, false, true)],
    [
      `beside a provider its queues, from the left ${world.head.stages.join(", ")}: filled is in service, hollow waits`,
      (pen, ink) =>
        queueSign(pen, ink, 18, 28, [
          { served: [0], waiting: [1, 2] },
          { served: [0], waiting: [] },
          { served: [], waiting: [] },
          { served: [0], waiting: [1] },
        ]),
    ],
    ["an auction: a line to each bidder, thicker for more; the winner's is whole and has a star", auctionSign],
    ["a task on its way up or down; hollow while it waits to be sent", taskSign],
    [
      "a task that is computed: inner ring GPU, outer ring CPU",
      (pen, ink) => {
        providerSign(pen, ink, 32, 17, false, false);
        pen.lineWidth = 3;
        pen.beginPath();
        pen.arc(32, 17, 14, -Math.PI / 2, Math.PI * 0.7);
        pen.stroke();
      },
    ],
    [
      "a vehicle whose task is under way has a ring; ✓ is its result, ✕ its loss",
      (pen, ink) => {
        Object.assign(pen, { fillStyle: ink.car, strokeStyle: ink.car, lineWidth: 1.5 });
        pen.fillRect(27, 15, 10, 5);
        circle(pen, 32, 17.5, 8);
        pen.stroke();
      },
    ],
  ];
  if (world.ground.stop_lines.length) {
    signs.push([
      "stop lines: red thick, yellow broken, green thin with an arrow",
      (pen, ink) => {
        signalSign(pen, ink, [12, 8], [12, 28], "red");
        signalSign(pen, ink, [32, 8], [32, 28], "yellow");
        signalSign(pen, ink, [52, 8], [52, 28], "green");
      },
    ]);
  }
  return signs;
}

/** Lines to three bidders. @type {(pen: Pen, ink: Ink) => void} */
function auctionSign(pen, ink) {
  for (const { y, width, dash } of [
    { y: 8, width: 3.4, dash: [] },
    { y: 18, width: 2.6, dash: [4, 5] },
    { y: 27, width: 1, dash: [4, 5] },
  ]) {
    Object.assign(pen, { strokeStyle: ink.ground, lineWidth: width });
    pen.setLineDash(dash);
    pen.beginPath();
    pen.moveTo(6, 17);
    pen.lineTo(58, y);
    pen.stroke();
  }
}

/** Dots on a line. @type {(pen: Pen, ink: Ink) => void} */
function taskSign(pen, ink) {
  Object.assign(pen, { strokeStyle: ink.ground, fillStyle: ink.ground, lineWidth: 1 });
  pen.strokeRect(6, 17, 52, 0);
  circle(pen, 24, 17, 4);
  pen.fill();
  circle(pen, 42, 17, 4);
  Object.assign(pen, { fillStyle: ink.card, lineWidth: 2 });
  pen.fill();
  pen.stroke();
}
