"""The environment in the shape of CleanRL's PPO: vectorised worlds, wrapped, one file from top to bottom."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import gymnasium
import numpy as np
import pytest

import dmsb  # noqa: F401 (registers the environments)

torch = pytest.importorskip("torch", reason="needs the extra learn: pip install 'dmsb[learn]'")

WORLDS, STEPS, UPDATES, EPOCHS, BATCHES = 4, 64, 40, 4, 4
CLIP, ENTROPY, RATE = 0.2, 0.01, 2e-3


def make(seed: int) -> Callable[[], gymnasium.Env[Any, Any]]:
    def thunk() -> gymnasium.Env[Any, Any]:
        env = gymnasium.make("dmsb/Paper-v0", duration=100, overrides={"market.contract_rounds": 2_000})
        env = gymnasium.wrappers.RecordEpisodeStatistics(env)
        space = gymnasium.spaces.Box(-10.0, 30.0, env.observation_space.shape, np.float32)
        env = gymnasium.wrappers.TransformObservation(env, lambda seen: np.log(seen + 1e-3).astype(np.float32), space)
        env.action_space.seed(seed)
        return env

    return thunk


def layers(inputs: int, outputs: int) -> Any:
    return torch.nn.Sequential(torch.nn.Linear(inputs, 64), torch.nn.Tanh(), torch.nn.Linear(64, outputs))


def test_cleanrls_ppo_runs_on_vectorised_worlds_and_learns() -> None:
    torch.manual_seed(1)
    torch.set_num_threads(1)
    envs = gymnasium.vector.SyncVectorEnv([make(seed) for seed in range(WORLDS)])
    size, actions = envs.single_observation_space.shape[0], int(envs.single_action_space.n)  # type: ignore[index, attr-defined]
    actor, critic = layers(size, actions), layers(size, 1)
    optimiser = torch.optim.Adam([*actor.parameters(), *critic.parameters()], lr=RATE)
    seen, _ = envs.reset(seed=1)
    state, returns = torch.tensor(seen), list[float]()
    for _ in range(UPDATES):
        rows = []
        for _ in range(STEPS):
            with torch.no_grad():
                chosen = torch.distributions.Categorical(logits=actor(state))
                action, value = chosen.sample(), critic(state).squeeze(-1)
            following, reward, terminated, _, infos = envs.step(action.numpy())
            assert not terminated.any()
            rows.append((state, action, chosen.log_prob(action), value, torch.tensor(reward, dtype=torch.float32)))
            if "episode" in infos:
                returns += infos["episode"]["r"][infos["_episode"]].tolist()
            state = torch.tensor(following)
        states, taken, before, values, rewards = (
            torch.stack(column).flatten(0, 1) for column in zip(*rows, strict=True)
        )
        # The advantage is the reward minus its expectation, because rounds of `paper` are independent.
        advantages = rewards - values
        for _ in range(EPOCHS):
            for part in torch.randperm(len(states)).chunk(BATCHES):
                now = torch.distributions.Categorical(logits=actor(states[part]))
                ratio = (now.log_prob(taken[part]) - before[part]).exp()
                gain = advantages[part]
                gain = (gain - gain.mean()) / (gain.std() + 1e-8)
                loss = torch.max(-gain * ratio, -gain * ratio.clamp(1 - CLIP, 1 + CLIP)).mean()
                loss += 0.5 * ((critic(states[part]).squeeze(-1) - rewards[part]) ** 2).mean()
                loss -= ENTROPY * now.entropy().mean()
                optimiser.zero_grad()
                loss.backward()
                torch.nn.utils.clip_grad_norm_([*actor.parameters(), *critic.parameters()], 0.5)
                optimiser.step()
    envs.close()
    assert len(returns) == WORLDS * (UPDATES * STEPS // 101), "100 rounds and the step that begins the next episode"
    first, last = np.mean(returns[:20]), np.mean(returns[-20:])
    assert last > 1.1 * first, (first, last)
