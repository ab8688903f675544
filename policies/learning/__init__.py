"""Parts that the learners share: features, networks, replay buffer, schedule, training loop and checkpoints."""
