"""The diffusion policy's equations, (16) to (21), against closed forms and batches computed by hand."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the extra learn: pip install 'dmsb[learn]'")

from policies.deployed import Diffusion  # noqa: E402
from policies.diffusion import DiffusionActor, DiffusionActorCritic  # noqa: E402
from policies.learning.critics import Critics, Expected  # noqa: E402
from policies.learning.features import NAMES, PRICE_INPUTS  # noqa: E402
from policies.learning.networks import CPU, Perceptron, arrays_of, mish_, two_hidden_layers  # noqa: E402
from policies.learning.replay import Replay, by_demand, hindsight  # noqa: E402
from policies.learning.scaler import Scaler  # noqa: E402
from policies.learning.schedule import Schedule  # noqa: E402
from policies.learning.soft_actor_critic import Settings, entropy  # noqa: E402
from simulator.model.mechanism import price_grid  # noqa: E402

ACTIONS = 5
TINY = Settings(steps_of_diffusion=3, draws=2, width=6, batch=4, worlds=1, warmup=0, gamma=0.9)


def generator(seed: int = 0) -> Any:
    return torch.Generator().manual_seed(seed)


def test_the_published_schedule() -> None:
    assert np.allclose(Schedule.variance_preserving(5).beta, [0.196, 0.459, 0.636, 0.755, 0.835], atol=5e-4)


def test_the_forward_marginal_in_closed_form() -> None:
    """Iterating (16) from x_0 gives a normal with mean sqrt(kept) x_0 and variance 1 - kept."""
    schedule, rng = Schedule.variance_preserving(5), np.random.default_rng(0)
    x = np.full(200_000, 1.7)
    for beta, kept in zip(schedule.beta, schedule.kept, strict=True):
        x = np.sqrt(1.0 - beta) * x + np.sqrt(beta) * rng.standard_normal(len(x))
        assert x.mean() == pytest.approx(1.7 * math.sqrt(kept), abs=0.01)
        assert x.var() == pytest.approx(1.0 - kept, rel=0.01)


def test_the_reverse_chain_with_the_true_score_of_a_gaussian_recovers_it() -> None:
    mean, sd = 0.8, 0.5

    class TrueScore(DiffusionActor):
        def predicted_noise(self, x: Any, step: int, state: Any, biases: Any) -> Any:
            kept = self.schedule.kept[step - 1]
            return math.sqrt(1 - kept) * (x - math.sqrt(kept) * mean) / (kept * sd**2 + 1 - kept)

    actor = TrueScore(Settings(steps_of_diffusion=300), ACTIONS, generator())
    with torch.no_grad():
        noise = actor.noise(40_000, 1, generator(1))
        x = actor.chain(torch.zeros(40_000, len(NAMES)), noise)
    assert float(x.mean()) == pytest.approx(mean, abs=0.01)
    assert float(x.std()) == pytest.approx(sd, rel=0.03)


def test_the_gradient_through_the_chain_is_the_finite_difference() -> None:
    actor = DiffusionActor(TINY, ACTIONS, generator()).double()
    actor.times = actor.times.double()
    state = torch.randn(3, len(NAMES), generator=generator(1), dtype=torch.float64)
    noise = actor.noise(3, 2, generator(2)).double()
    value = torch.randn(3, ACTIONS, generator=generator(3), dtype=torch.float64)

    def loss() -> Any:
        policy = torch.softmax(actor.chain(state, noise), dim=-1).mean(dim=0)
        return -(policy * value).sum(dim=-1).mean() - 0.1 * entropy(policy).mean()

    loss().backward()
    for parameter in actor.parameters():
        assert parameter.grad is not None
        flat, gradient = parameter.data.view(-1), parameter.grad.view(-1)
        for place in (0, len(flat) // 2, len(flat) - 1):
            kept = float(flat[place])
            sides = []
            for step in (1e-6, -1e-6):
                flat[place] = kept + step
                sides.append(float(loss().detach()))
            flat[place] = kept
            assert float(gradient[place]) == pytest.approx((sides[0] - sides[1]) / 2e-6, rel=1e-4, abs=1e-8)


def test_mish_and_its_derivative_are_the_librarys() -> None:
    x = torch.linspace(-60, 60, 4001, dtype=torch.float64, requires_grad=True)
    theirs = torch.nn.functional.mish(x)
    ours, slope = mish_(x.detach().clone(), True)
    assert torch.allclose(ours, theirs, rtol=0, atol=1e-12)
    assert torch.allclose(slope, torch.autograd.grad(theirs.sum(), x)[0], rtol=0, atol=1e-12)
    assert mish_(x.detach().clone(), False)[1] is None


@pytest.mark.parametrize("networks", [(), (2,)], ids=["one", "two side by side"])
def test_the_gradient_that_is_written_out_is_autograds(networks: tuple[int, ...]) -> None:
    """`two_hidden_layers` against the library's layers: output and the gradient of input, weights and biases."""
    sizes, rng = ((4, 6), (6, 5), (5, 3)), generator()
    shapes = [part for rows, columns in sizes for part in ((*networks, rows, columns), (*networks, 1, columns))]
    own = [
        torch.randn(shape, generator=rng, dtype=torch.float64).requires_grad_()
        for shape in ((*networks, 7, 4), *shapes)
    ]
    x, *layers = own
    theirs = x
    for layer in range(3):
        theirs = theirs @ layers[2 * layer] + layers[2 * layer + 1]
        theirs = torch.nn.functional.mish(theirs) if layer < 2 else theirs
    ours = two_hidden_layers(x, *layers)
    assert torch.allclose(ours, theirs, atol=1e-12)
    gradients = [torch.autograd.grad((y**2).sum(), own) for y in (ours, theirs)]
    assert all(torch.allclose(one, other, atol=1e-10) for one, other in zip(*gradients, strict=True))


def test_the_entropy_is_that_of_the_policy_and_not_of_a_draw() -> None:
    """Two noise draws, each certain of another action: each draw's entropy is 0, the policy's is log 2."""
    draws = torch.tensor([[[1.0, 0.0, 0.0]], [[0.0, 1.0, 0.0]]])
    assert float(entropy(draws).mean()) == pytest.approx(0.0, abs=1e-6)
    assert float(entropy(draws.mean(dim=0))) == pytest.approx(math.log(2), abs=1e-6)
    # What the learner regularises and reports is the second: of the mean over the draws.
    learner = DiffusionActorCritic(TINY, price_grid(3).tolist(), 0, 100)
    actor: Any = learner.actor
    actor.chain = lambda state, noise: 50.0 * draws.expand(2, len(state), 3)
    policy = actor(torch.zeros(4, len(NAMES)), generator())
    assert torch.allclose(entropy(policy), torch.full((4,), math.log(2)), atol=1e-4)


def batch(**given: Any) -> dict[str, Any]:
    rows = len(next(iter(given.values())))
    blank = {"state": np.zeros((rows, len(NAMES))), "next_state": np.full((rows, len(NAMES)), 0.7)}
    names = ("action", "world", "reward", "later", "later_weight", "discount", "top_bid", "scaled_bid", "by_uav")
    columns = blank | {name: np.zeros(rows) for name in names} | given
    return {name: torch.from_numpy(np.asarray(column, dtype=np.float32)) for name, column in columns.items()}


def test_the_target_of_a_batch_by_hand() -> None:
    """(20) with the smaller critic, the target networks, the entropy, n steps, and the mean reward taken off."""
    learner: Any = DiffusionActorCritic(
        Settings(width=6, gamma=0.9, n_step=3, worlds=1), price_grid(3).tolist(), 0, 100
    )
    policy = torch.tensor([0.5, 0.25, 0.25])
    learner.target_actor.forward = lambda state, rng: policy.expand(len(state), 3)
    now, after = torch.tensor([[1.0, 2.0, 3.0], [2.0, 1.0, 0.0]]), torch.tensor([[0.5, 1.5], [1.0, 9.0]])
    # A station certainly wins at the third price, and at the other two with probabilities 1/2 and 1/4.
    odds = torch.tensor([0.0, -math.log(3.0), 100.0])
    learner.rounds.forward = lambda state: Expected(
        torch.ones(len(state)), torch.ones(len(state)), odds.expand(len(state), 3)
    )
    learner.target_critics.forward = lambda state: (now[:, None], after[:, None])
    # A mean reward of .5, to which what comes after is the difference.
    learner.earned, learner.taken = np.array([50.0]), np.array([100.0])
    given = batch(reward=[1.0, 1.0], later=[0.7, 0.7], later_weight=[1.9, 1.9], discount=[0.81, 0.0])
    # F_1 = 1, .75, 1.5 and F_2 = 5, 3, 9, so Q_1 = 2, 2.75, 4.5 and Q_2 = 7, 4, 9; under pi the smaller has 2.8125.
    value = 2.8125 + 0.1 * (0.5 * math.log(2) + 0.5 * math.log(4))
    expected = [0.9 * (0.7 - 0.5 * 1.9 + 0.81 * (value - 0.5)), 0.9 * (0.7 - 0.5 * 1.9)]
    assert learner.target(given, 0.1).tolist() == pytest.approx(expected, rel=1e-5)


def test_without_hindsight_only_the_action_that_was_taken_is_learned_from() -> None:
    learner: Any = DiffusionActorCritic(
        Settings(width=6, gamma=0.0, hindsight=False, worlds=1), price_grid(3).tolist(), 0, 100
    )
    value = torch.tensor([[[1.0, 2.0, 3.0]], [[0.0, 0.0, 0.0]]], requires_grad=True)
    learner.critics.forward = lambda state: (value, torch.zeros(2, 1, 2))
    loss = learner.critic_loss(torch.zeros(1, len(NAMES)), batch(action=[1], reward=[5.0]), 0.1)
    assert float(loss.detach()) == pytest.approx((2.0 - 5.0) ** 2 + 5.0**2)
    loss.backward()
    assert value.grad.nonzero()[:, 2].tolist() == [1, 1]


GRID = np.array([1.0, 2.0, 4.0])


def test_hindsight_of_rounds_by_hand() -> None:
    seen = batch(top_bid=[3.0, 3.0], scaled_bid=[1.0, 1.0], by_uav=[0, 1], reward=[2.5, 2.0], action=[0, 2])
    earned, wins = hindsight(seen, torch.from_numpy(GRID), torch.tensor([1.5, 1.5]), torch.tensor([0.5, 0.5]))
    # At rho = 1 and 2 the station wins, with 2.5 where it has won, else with half of its bid; at 4 the UAV, whose value
    # is known only where it has won.
    assert earned.tolist() == [[2.5, 2.5, 1.5], [1.5, 1.5, 2.0]]
    assert wins.tolist() == [[True, True, False], [True, True, False]]


def test_dropping_what_was_not_seen_is_biased_and_the_estimate_is_not() -> None:
    """The UAV's value is seen only where it has won. Dropped, its mean earnings at a price are those of rounds in which
    the stations were weak; estimated, they are what the price would earn over all rounds."""
    rng = np.random.default_rng(3)
    rounds = 200_000
    common = np.exp(rng.normal(0.0, 0.8, rounds))
    bids = np.sort(common[:, None] * np.exp(rng.normal(0.0, 0.4, (rounds, 3))), axis=1)
    uav = 1.2 * common
    played = rng.integers(3, size=rounds)
    by_station = bids[:, -1] > GRID[played] * bids[:, -2]
    seen = batch(
        top_bid=bids[:, -1], scaled_bid=bids[:, -2], by_uav=~by_station, action=played,
        reward=np.where(by_station, bids[:, -1], uav),
    )  # fmt: skip
    truth = np.array([np.where(bids[:, -1] > rho * bids[:, -2], bids[:, -1], uav).mean() for rho in GRID])
    # The common value cancels in who wins, so the mean over rounds that the UAV won is the mean over all (given m).
    estimate = torch.full((rounds,), uav[~by_station].mean())
    earned = hindsight(seen, torch.from_numpy(GRID), estimate, torch.ones(rounds))[0].numpy()
    assert np.allclose(earned.mean(axis=0), truth, rtol=0.01)
    wins = bids[:, -1][:, None] > GRID * bids[:, -2][:, None]
    known = wins | ~by_station[:, None]
    dropped = np.array([earned[known[:, action], action].mean() for action in range(3)])
    assert np.abs(dropped / truth - 1.0).max() > 0.03


@pytest.mark.parametrize("by_winner", [True, False])
def test_what_follows_belongs_to_the_winner_not_to_the_price(by_winner: bool) -> None:
    """A station as the winner costs 1 later. Three prices, of which the played one is drawn uniformly; the lead of the
    best station over the second is such that a station wins at them with probability 3/4, 1/2 and 1/4.

    Fitted per price on the rounds whose winner the price would not have changed, what follows price a would be -q(a)
    with q(a) = S / (S + U), S = sum over played prices t of min(p_a, p_t), and U = sum of 1 - max(p_a, p_t).
    """
    p = np.array([0.75, 0.5, 0.25])
    station = np.minimum(p[:, None], p).sum(axis=1)
    biased = station / (station + (1.0 - np.maximum(p[:, None], p)).sum(axis=1))
    # Two thirds of the true slope.
    assert (biased[0] - biased[2]) / (p[0] - p[2]) == pytest.approx(2 / 3)

    rng, rounds = np.random.default_rng(0), 4_000
    lead = GRID[0] + rng.random(rounds)  # 1 to 2, with prices at which 3/4, 1/2 and 1/4 of the leads are higher
    prices = [1.25, 1.5, 1.75]
    played = rng.integers(3, size=rounds)
    by_station = lead > np.array(prices)[played]
    learner: Any = DiffusionActorCritic(
        Settings(width=16, gamma=0.9, n_step=2, worlds=1, critic_rate=5e-3, future_by_winner=by_winner),
        prices,
        0,
        10**9,
    )
    learner.scaler.learn(rng.normal(size=(50, len(NAMES))))
    seen = batch(
        state=np.zeros((rounds, len(NAMES))), action=played, later=np.where(by_station, -1.0, 0.0) / 0.9,
        top_bid=lead, scaled_bid=np.ones(rounds), by_uav=~by_station, reward=np.where(by_station, lead, 1.0),
    )  # fmt: skip
    for _ in range(400):
        rows = rng.integers(rounds, size=256)
        learner.update({name: column[rows] for name, column in seen.items()})
    state = learner.scaler.standardise(torch.zeros(1, len(NAMES)))
    with torch.no_grad():
        (now, after), odds = learner.critics(state), learner.rounds(state).odds
        follows = learner.critics.least(state, odds) - torch.minimum(now[0], now[1])
    assert follows[0].numpy() == pytest.approx(-p if by_winner else -biased, abs=0.06)
    if by_winner:
        assert after[..., 1].mean() == pytest.approx(-1.0, abs=0.05)


def test_what_a_bid_is_worth_is_learned_from_the_rounds_that_a_station_won() -> None:
    """Of what stations promise three quarters arrive, and of what the UAV promises nothing is bid."""
    rng, rounds = np.random.default_rng(0), 2_000
    by_uav = rng.random(rounds) < 0.5
    top = 1.0 + rng.random(rounds)
    arrives = rng.random(rounds) < 0.75
    learner: Any = DiffusionActorCritic(
        Settings(width=16, worlds=1, critic_rate=2e-3), [1.0, 2.0], 0, 10**9, bids_are_rewards=False
    )
    learner.scaler.learn(rng.normal(size=(50, len(NAMES))))
    seen = batch(
        top_bid=top, scaled_bid=np.full(rounds, 0.7), by_uav=by_uav, reward=np.where(by_uav, 0.6, top * arrives)
    )
    for _ in range(600):
        rows = rng.integers(rounds, size=512)
        learner.update({name: column[rows] for name, column in seen.items()})
    with torch.no_grad():
        expected = learner.rounds(learner.scaler.standardise(torch.zeros(1, len(NAMES))))
        now = learner.critics(learner.scaler.standardise(torch.zeros(1, len(NAMES))))[0].mean(dim=0)[0]
    assert float(expected.worth_of_bid) == pytest.approx(0.75, abs=0.04)
    assert float(expected.uav) == pytest.approx(0.6, abs=0.03)
    # At rho = 1 a station always wins; at 2 it wins where its bid is above 1.4.
    at_2 = np.where(top > 1.4, 0.75 * top, 0.6).mean()
    assert now.numpy() == pytest.approx([0.75 * 1.5, at_2], abs=0.06)
    exact: Any = DiffusionActorCritic(Settings(width=6, worlds=1), [1.0, 2.0], 0, 100)
    assert exact.rounds(torch.zeros(2, len(NAMES))).worth_of_bid.tolist() == [1.0, 1.0]


def test_demand_is_divided_out() -> None:
    assert by_demand({"demand": 4.0, "top_bid": 2.0, "scaled_bid": 1.0, "uav_value": 8.0, "rho": 1.0}) == {
        "top_bid": 0.5, "scaled_bid": 0.25, "uav_value": 2.0,
    }  # fmt: skip
    told = {"demand": 4.0, "top_bid": 2.0, "scaled_bid": 1.0}
    for without, reward, top in ((True, 0.5, 0.5), (False, 2.0, 2.0)):
        learner: Any = DiffusionActorCritic(Settings(width=6, worlds=1, without_demand=without), GRID.tolist(), 0, 100)
        learner.remember(0, np.ones(len(NAMES)), 1, 2.0, False, np.ones(len(NAMES)), told)
        assert learner.replay.sample(1, generator())["reward"].tolist() == [reward]
        assert learner.replay.sample(1, generator())["top_bid"].tolist() == [top]


def test_replay_returns_n_steps_and_fewer_at_the_end_of_an_episode() -> None:
    replay = Replay(10, 1, gamma=0.5, n_step=3, device=CPU)
    info = {"demand": 1.0, "top_bid": 1.0, "scaled_bid": 0.5}
    vectors = [np.full(len(NAMES), float(number)) for number in range(6)]
    for number, reward in enumerate((1.0, 2.0, 4.0, 8.0)):
        replay.add(0, vectors[number], number, reward, number == 3, vectors[number + 1], info)
    stored = {name: column[: replay.size] for name, column in replay.state().items()}
    assert stored["action"].tolist() == [0, 1, 2, 3]
    assert stored["reward"].tolist() == [1, 2, 4, 8]
    assert stored["later"].tolist() == [2 + 0.5 * 4, 4 + 0.5 * 8, 8, 0]
    assert stored["later_weight"].tolist() == [1.5, 1.5, 1, 0]
    # Each goes on from the observation that it has last, for the duration cuts a run off and nothing ends there.
    assert stored["discount"].tolist() == [0.25, 0.25, 0.5, 1]
    assert np.array_equal(stored["next_state"], PRICE_INPUTS.scaled(np.array(vectors)[[3, 4, 4, 4]]).astype(np.float32))
    assert not stored["by_uav"].any()


def test_running_statistics_are_those_of_all_that_was_seen() -> None:
    rng = np.random.default_rng(0)
    vectors = np.exp(rng.normal(0.0, 1.0, (500, len(NAMES))))
    scaler = Scaler()
    for part in np.array_split(vectors, 7):
        last = scaler.learn_and_scale(part)
    logs = torch.from_numpy(PRICE_INPUTS.scaled(vectors).astype(np.float32))
    scaled = scaler.standardise(logs).numpy()
    assert np.allclose(scaled[-len(last) :], last, atol=1e-5)
    assert np.allclose(scaled.mean(axis=0), 0.0, atol=1e-5)
    assert np.allclose(scaled.std(axis=0), 1.0, atol=1e-5)


def test_the_deployed_policy_is_the_trained_one_in_numpy(tmp_path: Any) -> None:
    """The same chain, to 1e-6, at the same noise; and the same price for the same observation, always."""
    from policies.deployed import DRAWS, NOISE_SEED
    from simulator.files import checkpoint

    learner: Any = DiffusionActorCritic(Settings(), price_grid(20).tolist(), 3, 100)
    learner.scaler.learn(np.random.default_rng(0).normal(0, 1, (100, len(NAMES))))
    _, meta = learner.state()
    told = {name: meta[name] for name in ("features", "kind", "settings", "grid", "steps")}
    told |= {"information": "public", "reward": "own"}
    checkpoint.save(tmp_path / "w", learner.weights(), told)
    policy = Diffusion(weights=str(tmp_path / "w"))
    state = np.random.default_rng(1).standard_normal(len(NAMES)).astype(np.float32)
    noise = np.random.default_rng(NOISE_SEED).standard_normal((5, DRAWS, 20)).astype(np.float32)
    with torch.no_grad():
        x = learner.actor.chain(torch.from_numpy(state)[None], torch.from_numpy(noise)[:, :, None])
        expected = torch.softmax(x, dim=-1).mean(dim=0)[0].numpy()
    assert np.allclose(policy.probabilities(state), expected, atol=1e-6)
    assert np.array_equal(policy.probabilities(state), policy.probabilities(state))


def test_the_actor_waits_for_its_critics() -> None:
    """Else critics that know nothing yet take an action's probability to 0, from where a softmax hardly returns."""
    learner: Any = DiffusionActorCritic(
        Settings(width=6, batch=4, worlds=1, warmup=4, update_every=1, critics_alone=3), price_grid(3).tolist(), 0, 100
    )
    before = [parameter.detach().clone() for parameter in learner.actor.parameters()]
    critics = learner.critics.net.weights[0].detach().clone()
    rng, moved = np.random.default_rng(0), []
    for step in range(8):
        state = np.exp(rng.normal(size=len(NAMES)))
        learner.scaler.learn_and_scale(state[None])
        info = {"demand": 1.0, "top_bid": 1.0, "scaled_bid": 0.5}
        learner.remember(0, state, 1, float(step), False, state, info)
        learner.learn()
        moved.append(
            not all(torch.equal(one, two) for one, two in zip(before, learner.actor.parameters(), strict=True))
        )
    assert moved.index(True) == 4  # at the fifth step five updates have been made, three of them without the actor
    assert not torch.equal(critics, learner.critics.net.weights[0])


def test_twin_critics_are_two_networks() -> None:
    critics = Critics(TINY, 3, generator())
    now, after = critics(torch.randn(4, len(NAMES), generator=generator(1)))
    assert now.shape == (2, 4, 3)
    assert after.shape == (2, 4, 2)
    assert not torch.allclose(now[0], now[1])
    alone = Perceptron(1, len(NAMES), 6, 5, generator())
    with torch.no_grad():
        for mine, both in zip(alone.parameters(), critics.net.parameters(), strict=True):
            mine.copy_(both[1:])
    x = torch.randn(4, len(NAMES), generator=generator(2))
    assert torch.allclose(alone(x)[0, :, :3], critics(x)[0][1], atol=1e-6)
    assert set(arrays_of(critics, "c")) == {
        f"c.net.{part}.{layer}" for part in ("weights", "biases") for layer in range(3)
    }


def test_three_updates_are_those_of_a_plain_implementation() -> None:
    """The same equations with `F.mish` and one module per network, from the same weights, batches and noise."""
    from tests.benchmarks.learners import against_plain

    assert against_plain(updates=3)[1] < 1e-5
