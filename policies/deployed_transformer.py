"""The trained transformer in deployment: frozen weights, numpy only, one sequence of decisions after another."""

from __future__ import annotations

from typing import TYPE_CHECKING

from simulator.market.contracts import Observation, Seat

from .deployed import Array, Trained
from .learning.features import ROUND, check_sequence, inputs_of
from .learning.sequence import Sequence

if TYPE_CHECKING:
    from .learning.training import Algorithm


class Gpt(Trained):
    """Auctioneer of MADDA: the most likely step under a transformer, given the return that it asks for.

    Attributes:
        memory: the sequence so far.
    """

    kind = "gpt"

    def algorithm(self) -> Algorithm:
        """Return the learner and its settings."""
        from .gpt import GenerativeTransformer, Settings
        from .learning.training import Algorithm

        return Algorithm(GenerativeTransformer, Settings)

    def sit(self, seat: Seat) -> None:
        """Take a seat that counts the steps of a sequence.

        Raises:
            InputError: it does not count them, there are no weights for it, or they were trained for another.
        """
        check_sequence(inputs_of(seat))
        super().sit(seat)

    def _ready(self) -> None:
        """Prepare the network; no sequence has begun."""
        super()._ready()
        assert self._arrays is not None
        own = {name.removeprefix("actor."): array for name, array in self._arrays.items()}
        sizes = self._meta["settings"]
        self.memory = Sequence(own, int(sizes["layers"]), int(sizes["context"]))

    def _of(self, observation: Observation) -> Array:
        """Return the probabilities of the actions at the next step of the sequence, shape (actions,)."""
        return self.memory.decide(int(observation.state[ROUND]), self._state(observation))[1]
