/** Keys and buttons, the help dialog, and the signs of the map. */

const JUMP_S = 5,
  PAN_PX = 60;

/** Return the actions of a player. @type {(player: Player) => Binding[]} */
function bindingsOf(player) {
  /** @type {Record<string, Pair>} */
  const arrows = { ArrowLeft: [1, 0], ArrowRight: [-1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };
  /** @type {(shown: string[], keys: string[], what: string, act: Binding["act"], button?: string | null) => Binding} */
  const bind = (shown, keys, what, act, button = null) => ({ shown, keys, what, act, button });
  return [
    bind(["Space"], [" "], "play or pause", () => player.play(!player.playing), "play"),
    bind(["N"], ["n"], "next auction", () => player.step(1), "next"),
    bind(["P"], ["p"], "previous auction", () => player.step(-1), "before"),
    bind(["A"], ["a"], "show the latest auction at this time", () => player.stepTo(player.latest())),
    bind(["←", "→"], ["ArrowLeft", "ArrowRight"], `go ${JUMP_S} s back or forward`, (key) =>
      player.jump(key === "ArrowLeft" ? -JUMP_S : JUMP_S),
    ),
    bind(["Home", "End"], ["Home", "End"], "go to the beginning or the end", (key) =>
      player.jump(key === "Home" ? -Infinity : Infinity),
    ),
    bind(["+", "-"], ["+", "=", "-"], "play faster or slower", (key) => player.faster(key === "-" ? -1 : 1)),
    bind(["F"], ["f"], "follow the vehicle of the auction, or stop following", () => player.toggleFollow(), "follow"),
    bind(["V"], ["v"], "follow the next vehicle", () => player.nextVehicle(), "vehicle"),
    bind(["G"], ["g"], "show the next provider", () => player.nextProvider(), "provider"),
    bind(["Z"], ["z"], "zoom in", () => player.move((view) => view.zoom(1.5)), "closer"),
    bind(["X"], ["x"], "zoom out", () => player.move((view) => view.zoom(1 / 1.5)), "farther"),
    bind(["0"], ["0"], "show the entire map", () => player.whole(), "whole"),
    bind(
      ["Shift+arrow"],
      Object.keys(arrows).map((key) => `Shift+${key}`),
      "move the map",
      (key) => {
        const [east, south] = arrows[key.slice("Shift+".length)];
        player.pan(east * PAN_PX, south * PAN_PX);
      },
    ),
    bind(["W"], ["w"], "change the time span of the charts", () => player.nextSpan()),
    bind(["D"], ["d"], "light or dark colours", () => player.otherTheme(), "theme"),
    bind(["Esc"], ["Escape"], "clear the selection", () => player.chooseNothing()),
    bind(["?"], ["?"], "show this help", () => explain(player), "help"),
  ];
}

/** Listen to keys and buttons. @type {(bindings: Binding[]) => void} */
function listen(bindings) {
  for (const { shown, what, act, button } of bindings) {
    if (!button) continue;
    const element = byId(button);
    element.addEventListener("click", (event) => {
      act("");
      // After a click the space bar must play, not press the button again. Focus by the Tab key stays.
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
  // A list keeps the focus after a choice, and would take the keys of the page.
  for (const list of document.querySelectorAll("select")) list.addEventListener("change", () => list.blur());
}

/** Glossary of the cards and charts. */
const WORDS = {
  bid: "the amount that a provider offers for a task",
  value: "what a task is worth to a provider: demand × c × m",
  demand: "the part of the value that is the same for all providers",
  c: "mean of 1 / latency over the last tasks of a provider, this task included",
  m: "mean match value over the last tasks of a provider, this task included; it rises with the accuracy of the result",
  ρ: "price scaling factor: the best station wins only if its bid exceeds ρ times the second-highest station bid",
  "contract bid": "the most that the UAV pays, computed from past rounds by equation (13)",
  surplus: "value of the winner when the auction settles",
  "best surplus": "highest surplus that a provider would have had in this round",
  missed: "best surplus minus surplus of the same round",
  "realised surplus": "surplus at the actual latency and accuracy; 0 if the task was lost",
};

/** Open the help dialog. @type {(player: Player) => void} */
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
 * Return the signs of the map: a description, and the function that draws the sign, which the map uses too.
 * @type {(world: World) => [text: string, draw: (pen: Pen, ink: Ink) => void][]}
 */
function signsOf(world) {
  const moves = world.head.stages.includes("migration") ? ", a third ring the migration of its twin" : "";
  /** @type {ReturnType<typeof signsOf>} */
  const signs = [
    ["a ground station; the thin circle is its coverage", (pen, ink) => providerSign(pen, ink, 32, 17, false, false)],
    ["a UAV; the broken circle is its coverage", (pen, ink) => providerSign(pen, ink, 32, 17, true, false)],
    ["a provider that is out of service", (pen, ink) => providerSign(pen, ink, 32, 17, false, true)],
    [
      `queues of a provider, from the left ${world.head.stages.join(", ")}; a hollow square is a task that waits`,
      (pen, ink) =>
        queueSign(
          pen,
          ink,
          18,
          28,
          world.head.stages,
          world.head.stages.map((_, stage) => ({ served: stage % 3 < 2 ? [0] : [], waiting: stage % 3 ? [] : [1, 2] })),
        ),
    ],
    ["an auction: one line per bidder, thicker for a higher bid; the winner has a solid line and a star", auctionSign],
    ["a task that is sent up or down; the dot is hollow while it waits", taskSign],
    [
      `a task that is computed: the inner ring is the GPU stage, the outer ring the CPU stage${moves}`,
      (pen, ink) => {
        providerSign(pen, ink, 32, 17, false, false);
        pen.lineWidth = 3;
        pen.beginPath();
        pen.arc(32, 17, 14, -Math.PI / 2, Math.PI * 0.7);
        pen.stroke();
      },
    ],
    [
      "a vehicle; the ring means a task in progress, ✓ its result, ✕ a lost task",
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
      "stop lines: red is thick, yellow is broken, green is thin with an arrow",
      (pen, ink) => {
        signalSign(pen, ink, [12, 8], [12, 28], "red");
        signalSign(pen, ink, [32, 8], [32, 28], "yellow");
        signalSign(pen, ink, [52, 8], [52, 28], "green");
      },
    ]);
  }
  return signs;
}

/** Draw lines to three bidders. @type {(pen: Pen, ink: Ink) => void} */
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

/** Draw two tasks on a line. @type {(pen: Pen, ink: Ink) => void} */
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
