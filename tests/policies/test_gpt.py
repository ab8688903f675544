"""The transformer that chooses steps: its two forms, its records, its two parts of a training, and what it refuses."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the extra learn: pip install 'dmsb[learn]'")

from policies.deployed_transformer import Gpt  # noqa: E402
from policies.gpt import TOLD, GenerativeTransformer, Settings  # noqa: E402
from policies.learning.features import Inputs  # noqa: E402
from policies.learning.networks import arrays_of  # noqa: E402
from policies.learning.sequence import Sequence, transformer_shapes  # noqa: E402
from policies.learning.transformer import Transformer  # noqa: E402
from simulator import InputError, PolicyError, plan  # noqa: E402
from simulator.market.contracts import Numbers, Seat  # noqa: E402
from simulator.market.mechanisms.double_dutch import STEPS as STEPS_OF_CLOCKS  # noqa: E402
from simulator.scenario.scenario import Scenario  # noqa: E402
from simulator.study.train import train  # noqa: E402

torch.set_num_threads(1)

STEPS, FEATURES, ACTIONS = 11, 5, 4
SEEN = Inputs(("round", "buyer_clock", "seller_clock", "sign"), (False, True, True, True))
GRID = [0.05, 0.1, 0.2, 0.4]


def transformer(context: int = 3, positions: int = 8) -> Any:
    generator = torch.Generator().manual_seed(0)
    network: Any = Transformer(FEATURES, ACTIONS, 8, 2, 16, context, positions, generator)
    with torch.no_grad():  # larger than the first weights, so that every part counts
        for parameter in network.parameters():
            parameter += 0.4 * torch.randn(parameter.shape, generator=generator)
    return network


def sequence(batch: int = 1) -> tuple[Any, Any, Any, Any]:
    generator = torch.Generator().manual_seed(1)
    states = torch.randn((batch, STEPS, FEATURES), generator=generator)
    asked = torch.randn((batch, STEPS), generator=generator)
    return states, asked, torch.arange(STEPS).expand(batch, STEPS) % ACTIONS, torch.arange(STEPS).expand(batch, STEPS)


def test_a_trained_network_in_numpy_is_that_in_torch() -> None:
    network = transformer()
    arrays = arrays_of(network, "x")
    own = {name.removeprefix("x."): array for name, array in arrays.items()}
    sizes = {"width": 8, "layers": 2, "inner": 16, "positions": 8}
    assert {name: array.shape for name, array in own.items()} == dict(transformer_shapes(FEATURES, ACTIONS, sizes))
    states = sequence()[0]
    deployed = Sequence(own, layers=2, context=3)
    asked, taken = torch.zeros(1, STEPS), torch.zeros(1, STEPS, dtype=torch.long)
    for step in range(STEPS):
        told, probabilities = deployed.decide(step, states[0, step].numpy())
        seen = slice(0, step + 1)
        position = torch.arange(step + 1)[None]
        with torch.no_grad():
            asked[0, step] = network(states[:, seen], asked[:, seen], taken[:, seen], position)[0][0, step]
            logits = network(states[:, seen], asked[:, seen], taken[:, seen], position)[1][0, step]
        taken[0, step] = logits.argmax()
        assert told == pytest.approx(float(asked[0, step]), abs=1e-4)
        assert probabilities == pytest.approx(torch.softmax(logits, dim=-1).numpy(), abs=1e-4)
    # A step that is decided again, as for an explanation, is decided alike. A new sequence forgets the last one.
    again = deployed.decide(STEPS - 1, states[0, STEPS - 1].numpy())
    assert again[0] == told
    assert np.array_equal(again[1], probabilities)
    first = Sequence(own, layers=2, context=3).decide(0, states[0, 0].numpy())
    assert deployed.decide(0, states[0, 0].numpy())[0] == first[0]


def test_a_step_sees_itself_and_what_came_before_within_the_context() -> None:
    network, (states, asked, actions, position) = transformer(context=2), sequence()

    def outputs(step: int) -> tuple[Any, Any]:
        with torch.no_grad():
            quantile, logits = network(states, asked, actions, position)
        return quantile[0, step].clone(), logits[0, step].clone()

    before = outputs(5)
    states[0, 6] += 1.0
    asked[0, 6] += 1.0
    actions = actions.clone()
    actions[0, 5] = (actions[0, 5] + 1) % ACTIONS
    assert torch.equal(outputs(5)[0], before[0])
    assert torch.equal(outputs(5)[1], before[1])
    asked[0, 5] += 1.0
    assert torch.equal(outputs(5)[0], before[0])  # the return is told before it is asked for
    assert not torch.equal(outputs(5)[1], before[1])
    asked[0, 5] -= 1.0
    # Two layers, each of which sees one step back, reach two steps back.
    states[0, 2] += 1.0
    assert torch.equal(outputs(5)[0], before[0])
    states[0, 3] += 1.0
    assert not torch.equal(outputs(5)[0], before[0])


def learner(steps: int = 1_000, **settings: Any) -> GenerativeTransformer:
    small = {"width": 8, "layers": 1, "inner": 16, "worlds": 2, "horizon": 8, "batch": 8, "without_demand": False}
    return GenerativeTransformer(Settings(**{**small, **settings}), GRID, 0, steps, inputs=SEEN)


def play(own: GenerativeTransformer, steps: int, length: int = 3, first: int = 0) -> list[tuple[int, float]]:
    """Let a learner play sequences in which action 3 is right where a sign is 1, and action 0 where it is 0.

    Returns:
        The rule and the reward of each step.
    """
    found = []
    for step in range(first, first + steps):
        state = np.zeros((2, len(SEEN)))
        state[:, 0] = step % length
        state[:, 1], state[:, 2] = 1.0, 0.2
        state[:, 3] = np.random.default_rng(step).integers(2, size=2)
        actions = own.act(state, range(2))
        told = [own._chosen[world]["rule"] for world in range(2)]
        for world in range(2):
            reward = float(actions[world] == 3 * state[world, 3])
            own.remember(world, state[world].copy(), int(actions[world]), reward, False, state[world], {})
            found.append((int(told[world]), reward))
        own.learn()
    return found


def test_rules_choose_the_first_part_and_keep_to_their_sequence() -> None:
    own = learner(steps=400, recorded_share=0.5)
    assert own.rules == [None, 0, 1, 2, 3, 2.0, 4.0, 8.0, 16.0]
    told = play(own, 160)
    rules = np.array([rule for rule, _ in told]).reshape(-1, 2)
    # Sequences have three steps. At step 200 of both worlds together, sequences go on to their end.
    for world in range(2):
        of_sequences = rules[: len(rules) // 3 * 3, world].reshape(-1, 3)
        assert (of_sequences == of_sequences[:, :1]).all()
    assert (rules[:100] >= 0).all()
    assert set(rules[:99].ravel()) == set(range(9))
    assert (rules[102:] == TOLD).all()
    # A gap of .8: a half is .4, a quarter .2, an eighth .1, a sixteenth .05.
    vector = np.array([1.0, 1.0, 0.2, 0.0])
    assert [own._by_rule(rule, vector) for rule in own.rules[1:]] == [0, 1, 2, 3, 3, 2, 1, 0]


def test_records_are_pieces_of_sequences_with_the_returns_that_followed() -> None:
    own = learner(context=2, recorded_share=0.9, record_every=1_000)
    play(own, 20)
    steps = own.rollouts.steps[0]
    told = own._with_returns(steps[3:6])
    rewards = [step["reward"] for step in steps[3:6]]
    assert [np.sinh(step["asked"]) for step in told] == pytest.approx([sum(rewards[at:]) for at in range(3)])
    for piece in own._pieces():
        assert len(piece) <= 2
        rounds = [int(step["state"][0]) for step in piece]
        assert rounds == list(range(rounds[0], rounds[0] + len(rounds)))
        # The last steps of both worlds are of sequences that have not ended yet.
        assert rounds[-1] == 2 or len(piece) == 2


def test_the_quantile_is_where_its_loss_is_least() -> None:
    own = learner(quantile=0.9)
    found = torch.arange(1.0, 102.0)
    losses = [float(own.quantile_loss(torch.full((101,), float(told)), found)) for told in range(1, 102)]
    assert int(np.argmin(losses)) + 1 == 91


@pytest.mark.slow
def test_it_learns_from_records_and_goes_on_by_ppo() -> None:
    """A chance of a half at random; rules that keep to one action reach no more."""
    told = play(learner(steps=4_000, record_every=8, warmup=20, rate=3e-3, context=3), 2_000)
    rewards = np.array([reward for _, reward in told])
    by_rules = np.array([rule != TOLD for rule, _ in told])
    own = rewards[~by_rules]
    assert rewards[by_rules].mean() < 0.45
    assert own[:200].mean() > rewards[by_rules].mean() + 0.1  # what it has learned from records alone
    assert own[-400:].mean() > 0.75


@pytest.mark.parametrize("stop", [57, 181])
def test_a_learner_that_is_restored_takes_the_same_steps(stop: int) -> None:
    about: dict[str, Any] = {"steps": 600, "record_every": 10, "recorded_share": 0.4}
    whole, first, second = (learner(**about) for _ in range(3))
    told = play(whole, 250)
    begun = play(first, stop)
    second.restore(*first.state())
    assert begun + play(second, 250 - stop, first=stop) == told
    one, other = whole.state()[0], second.state()[0]
    assert one.keys() == other.keys()
    assert all(np.array_equal(one[name], other[name]) for name in one)


def test_old_probabilities_are_those_of_the_new_network_before_an_update() -> None:
    """The step that was drawn and the sequence that is learned from must be the same to the network."""
    own, found = learner(steps=800, recorded_share=0.1, epochs=1, minibatches=1), []
    usual = own.actor_loss

    def loss(logs: Any, action: Any, old: Any, gain: Any) -> Any:
        found.append((logs.gather(1, action)[:, 0] - old).detach().exp().numpy())
        return usual(logs, action, old, gain)

    own.actor_loss = loss  # type: ignore[method-assign]
    play(own, 400, length=5)
    assert len(found) > 30
    # Statistics of the features have moved a little since an action was drawn.
    assert max(np.abs(ratio - 1.0).max() for ratio in found) < 0.02


def test_a_training_ends_with_weights_that_run(tmp_path: Path) -> None:
    hyper: dict[str, Any] = {"worlds": 2, "width": 8, "layers": 1, "inner": 8, "batch": 4, "horizon": 16}
    scenario = Scenario.load("four_way", duration_s=90.0)
    train([scenario], "gpt", 600, out=tmp_path / "t", mechanism="double-dutch", held_out=1, hyper=hyper)
    policy = f"gpt:weights={tmp_path / 't' / 'deployed'}"
    for mechanism in ("double-dutch", "madda"):
        decisions = plan(scenario, policy, mechanism=mechanism, explain=True).run().decisions
        assert len(decisions) > 20
        assert decisions["action"].isin(STEPS_OF_CLOCKS).all()
        chances = decisions.filter(regex="^why_p_")
        assert chances.sum(axis=1).to_numpy() == pytest.approx(np.ones(len(decisions)), abs=1e-5)
        assert [STEPS_OF_CLOCKS[best] for best in chances.to_numpy().argmax(axis=1)] == decisions["action"].tolist()


def test_a_seat_that_counts_no_steps_is_refused() -> None:
    with pytest.raises(InputError, match="policy gpt: needs a seat whose state has 'round'"):
        Gpt().sit(Seat(Numbers(0.0, 1.0, (0.5,)), ()))
    with pytest.raises(PolicyError, match="sets a price, but policy gpt sets a number"):
        plan("four_way", "gpt")
    with pytest.raises(InputError, match="policy gpt: needs a seat whose state has 'round'"):
        GenerativeTransformer(Settings(), GRID, 0, 100)
