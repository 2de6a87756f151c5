"""What a benchmark measures: figures, each with its rounds, what to reach and what bounds it."""

import statistics
from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One figure: its value is the median of its rounds.

    `unit` is what stands behind the number, such as "of the bare handler", "ms" or "events/s". `target` is
    what to reach: at least, or at most where `less_is_better`. `bound` says in a sentence what bounds the
    figure and how far it is from that. `details` are figures beside it by name, such as rates and p99.
    """

    name: str
    unit: str
    rounds: tuple[float, ...]
    target: float | None = None
    less_is_better: bool = False
    bound: str = ""
    details: Mapping[str, float] = field(default_factory=dict)

    @property
    def value(self) -> float:
        return statistics.median(self.rounds)

    @property
    def is_reached(self) -> bool | None:
        """Whether the target is reached; None where there is none."""
        if self.target is None:
            return None
        return self.value <= self.target if self.less_is_better else self.value >= self.target
