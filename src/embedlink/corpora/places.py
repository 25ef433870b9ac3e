"""Where something stands in a file, ids that repeat, and codes as a file has them."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field

from embedlink.files.lines import shown
from embedlink.identifiers import Form, clean_code, damage
from embedlink.problems import Problems


@dataclass(frozen=True, slots=True)
class Place:
    """Where a row stands, so that its problems can name file and line (or item).

    `item` names the place if a format has no lines (`project 1 document 2 annotation 3`), or the
    note that a row belongs to.
    """

    file: str
    line: int | None
    item: str = ""

    def note(
        self,
        problems: Problems,
        value: str,
        reason: str,
        remedy: str,
        *,
        repaired: bool = False,
        counted: bool = False,
    ) -> None:
        """Add a problem of this place."""
        value = f"{self.item} {value}".strip()
        problems.add(
            self.file, self.line, value, reason, remedy, repaired=repaired, counted=counted
        )


@dataclass(slots=True)
class UniqueIds:
    """Gives a repeated document id its own form, so that nothing overwrites the first.

    Ids are often unique within a project only. So documents with the same id are different
    documents.
    """

    seen: dict[str, int] = field(default_factory=dict)

    def claim(self, id_: str, place: Place, problems: Problems) -> str:
        """The id itself the first time, then `id#duplicate2`, `id#duplicate3`, …"""
        count = self.seen[id_] = self.seen.get(id_, 0) + 1
        if count == 1:
            return id_
        remedy = f"kept as its own document, #duplicate{count}"
        place.note(problems, shown(id_), reason="duplicate id", remedy=remedy, repaired=True)
        # The file may hold the new form too, so it is claimed in turn. It is noted once.
        return self.claim(f"{id_}#duplicate{count}", place, Problems())


def original_id(id_: str) -> str:
    """The id as published, without the mark that `UniqueIds` gives a repeated one."""
    return re.sub(r"(#duplicate\d+)+$", "", id_)


@dataclass(frozen=True, slots=True)
class Codes:
    """Reads the codes of one corpus, whose identifiers have this form.

    `prefixes` are always removed.
    """

    prefixes: tuple[str, ...] = ()
    form: Form | None = None

    @classmethod
    def of(cls, codes: Iterable[str], prefixes: Iterable[str] = ()) -> "Codes":
        """Learn from all codes of a corpus what its identifiers look like."""
        return cls(tuple(prefixes), Form.of(codes))

    def read(self, raw: str, place: Place, problems: Problems) -> str | None:
        """The code without stray spaces and needless prefixes, or None if it is damaged.

        A damaged code is noted as rejected. A code that was changed is noted as repaired. A word
        without a digit says that there is no concept, if other identifiers have digits.
        """
        found = damage(raw, self.form)
        if found:
            place.note(problems, shown(raw), *found)
            return None
        if self.form and self.form.is_word(raw):
            reason = "a word where other identifiers have digits"
            place.note(problems, shown(raw), reason, "read as no concept", repaired=True)
            return ""
        code = clean_code(raw, self.prefixes)
        if code != raw:
            place.note(
                problems,
                shown(raw),
                reason="code form",
                remedy=f"read as {shown(code)}",
                repaired=True,
            )
        return code
