/** Why a policy has set its price: the numbers by which it explains a decision. */

/** Names of numbers that are probabilities of the prices, from the lowest price on. */
const PROBABILITY = /^p_\d+$/;

/** Return the probabilities of the prices as bars. @type {(values: number[], meanings: string[]) => HTMLElement} */
function probabilityBars(values, meanings) {
  const most = Math.max(...values),
    likeliest = values.indexOf(most);
  const bars = make("div", { class: "odds", "aria-hidden": "true" });
  values.forEach((value, at) => {
    const bar = make("i", { class: at === likeliest ? "likeliest" : "", title: `${meanings[at]}: ${figure(value)}` });
    bar.style.height = `${(100 * value) / most}%`;
    bars.append(bar);
  });
  const said = `${meanings[likeliest]}: ${figure(most)}`;
  return make(
    "div",
    {},
    bars,
    make("p", {}, `Each bar is the probability of a price, the lowest price on the left. The likeliest: ${said}.`),
  );
}

/** Return the panel "Why this ρ?" of an auction, or nothing. @type {(run: Run, task: number) => HTMLElement[]} */
function whyThisPrice(run, task) {
  if (!run.isPriced(task)) return [];
  const row = run.decisionOf.get(task),
    names = Object.keys(run.about.reasons),
    { history } = run.world.head;
  /** @type {(HTMLElement | string)[]} */
  const told = [];
  if (row !== undefined && names.length) {
    const values = names.map((name) => run.decisions[`why_${name}`][row]),
      meanings = Object.values(run.about.reasons);
    told.push(
      names.every((name) => PROBABILITY.test(name))
        ? probabilityBars(values, meanings)
        : tableOf(
            null,
            ["number|", "value", "meaning|"],
            names.map((name, at) => [name, figure(values[at]), meanings[at]]),
          ),
    );
  } else {
    const silent = `The policy ${clip(run.name, 60)} does not explain its prices.`;
    told.push(make("p", {}, run.about.explained ? silent : "This run did not record it; with --explain a run does."));
  }
  told.push(make("p", {}, "ρ scales the second bid of the stations. The UAV's bid is not compared with any bid."));
  if (history > 1) {
    const past = `the last T = ${history} tasks of a provider, this one included`;
    told.push(make("p", {}, `Values are means over ${past}, so the surplus of a round is not of this task only.`));
  }
  return [make("div", { class: "why" }, make("h3", {}, "Why this ρ?"), ...told)];
}
