"""Errors that a user can mend, and the problems that readers find in their input.

A reader notes every problem in one `Problems`, so that a run reports all of them at once. Nothing
here ever holds the text of a note.
"""

from dataclasses import dataclass, field


class EmbedLinkError(Exception):
    """An error that the user can act on. Its message says what is wrong and what to do.

    The commands print it in place of a traceback. It never quotes the text of a note.
    """


@dataclass(frozen=True, slots=True)
class Problem:
    """One piece of bad input. `value` never holds note text: ids, offsets and codes only.

    `repaired` input was used after a correction. `counted` input was left out, but it is a known
    property of the published corpus, so it is reported without stopping a strict run. `file` is a
    path, or the name of a corpus if no file is at fault. `line` counts from 1. It is None if the
    problem is the whole file, or if the format has no lines.
    """

    file: str
    line: int | None
    value: str
    reason: str
    remedy: str
    repaired: bool = False
    counted: bool = False

    def __str__(self) -> str:
        place = self.file if self.line is None else f"{self.file}:{self.line}"
        kind = " (repaired)" if self.repaired else " (counted)" if self.counted else ""
        return f"{place}: {self.reason}{kind}: {self.value!r}; {self.remedy}"


class BadInputError(EmbedLinkError):
    """All rejected input of one reading, reported together. The message has the first `shown`."""

    def __init__(self, problems: list[Problem], shown: int = 20) -> None:
        self.problems = problems
        lines = [str(problem) for problem in problems[:shown]]
        if len(problems) > shown:
            lines.append(f"… and {len(problems) - shown} more")
        count = f"{len(problems)} problem{'s' if len(problems) > 1 else ''} in the input"
        first = f"{count} (data.strict=false skips and counts them):"
        super().__init__("\n  ".join([first, *lines]))


@dataclass(slots=True)
class Problems:
    """Collects what readers find, in the order of reading, so that it is reported at once."""

    found: list[Problem] = field(default_factory=list)

    def add(
        self,
        file: str,
        line: int | None,
        value: object,
        reason: str,
        remedy: str,
        repaired: bool = False,
        counted: bool = False,
    ) -> None:
        """Note one problem. `Problem` says what the fields mean."""
        self.found.append(
            Problem(
                str(file),
                line,
                value=str(value),
                reason=reason,
                remedy=remedy,
                repaired=repaired,
                counted=counted,
            )
        )

    @property
    def rejected(self) -> list[Problem]:
        """Problems with a row that was left out and should not have been in the input."""
        return [each for each in self.found if not (each.repaired or each.counted)]

    def raise_if_rejected(self) -> None:
        """Raise `BadInputError` if any row was rejected. Strict reading calls this."""
        if self.rejected:
            raise BadInputError(self.rejected)
