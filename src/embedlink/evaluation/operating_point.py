"""What the link threshold is chosen for: the best F1, or a precision or recall to be reached.

The threshold is chosen among those that `scorer.thresholds` tries, by what each gives on validation
documents.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from embedlink.evaluation.counts import Counts
from embedlink.problems import EmbedLinkError

TAKES = "f1, {precision: p} or {recall: r} with a share between 0 and 1"


@dataclass(frozen=True)
class OperatingPoint:
    """The metric that decides on the threshold.

    With a least precision, the threshold of the best recall is taken among those that reach it.
    With a least recall it is the other way round. If no threshold reaches it, the nearest is taken.
    """

    metric: Literal["f1", "precision", "recall"] = "f1"
    least: float = 0.0  # in (0, 1), for precision and recall alone

    @classmethod
    def of(cls, value: object) -> "OperatingPoint":
        """Read the configuration's `operating_point`, as `TAKES` says.

        Raises `EmbedLinkError` if it is anything else.
        """
        if value == "f1":
            return cls()
        if isinstance(value, Mapping) and len(value) == 1:
            ((metric, least),) = value.items()
            # In Python, True is an integer.
            number = isinstance(least, int | float) and not isinstance(least, bool)
            if metric in ("precision", "recall") and number and 0 < least < 1:
                return cls(metric, float(least))
        raise EmbedLinkError(f"operating_point={value!r} is not allowed; it takes {TAKES}")

    def reached(self, counts: Counts) -> bool:
        """Whether the least value is reached. F1 has none."""
        return self.metric == "f1" or self._own(counts) >= self.least

    def best(self, options: Sequence[Counts]) -> int:
        """Position of the counts that fit best, and the first of equal ones. Takes one or more."""
        return max(range(len(options)), key=lambda at: self._fit(options[at]))

    def _own(self, counts: Counts) -> float:
        return counts.recall if self.metric == "recall" else counts.precision

    def _fit(self, counts: Counts) -> tuple[float, float]:
        """How well counts fit: first by the metric asked for, then by the other one."""
        if self.metric == "f1":
            return 1.0, counts.f1
        other = counts.precision if self.metric == "recall" else counts.recall
        # More than was asked for is no better. Then the other metric decides.
        return min(self._own(counts), self.least), other
