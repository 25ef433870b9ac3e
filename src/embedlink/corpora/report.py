"""The data report: what a corpus holds, how much of it the concept database covers, what was bad.

It holds counts and ids only, never text. `build_report` counts, and `format_report` writes for a
terminal. With `digest`, other rooms recognise a document in two runs without storing its text.
"""

import hashlib
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, fields

from medcat.cdb import CDB

from embedlink.problems import Problem, Problems
from embedlink.types import Document


@dataclass(frozen=True, slots=True)
class CorpusCounts:
    """Counts of one corpus.

    `train`, `validation` and `test` count documents of the official split, not of the run's split.
    `coded` mentions have a code that is not empty. `composite` mentions name several concepts,
    `single` ones exactly one. `no_concept` mentions say that there is none (`NOMAP`, `-1`).
    `in_database` counts the single mentions with a concept that the database has.

    A mention is `ambiguous` if its surface, ignoring case, is the gold of two or more concepts in
    this corpus. `concepts` are distinct and include those of composites. `rejected_mentions` are
    the explicit negatives, not bad rows.
    """

    documents: int
    train: int
    validation: int
    test: int
    mentions: int
    coded: int
    single: int
    composite: int
    no_concept: int
    rejected_mentions: int
    concepts: int
    in_database: int
    concepts_in_database: int
    ambiguous: int


@dataclass(frozen=True, slots=True)
class DataReport:
    """The counts of every corpus and of the concept database, and all problems.

    `corpora` and `digests` are by corpus. `database` has `concepts`, `names` and `ambiguous_names`
    (names of several concepts). It is empty if there is no database.
    """

    corpora: dict[str, CorpusCounts]
    digests: dict[str, str]
    database: dict[str, int]
    problems: tuple[Problem, ...]

    def metrics(self) -> dict[str, float]:
        """All counts by their key in a run: `data/<corpus>/<count>` and `data/concepts/<count>`."""
        found = {
            f"data/{corpus}/{key}": float(value)
            for corpus, row in self.corpora.items()
            for key, value in asdict(row).items()
        }
        found |= {f"data/concepts/{key}": float(value) for key, value in self.database.items()}
        kinds = Counter(map(_kind, self.problems))
        return found | {f"data/problems/{kind}": float(kinds[kind]) for kind in _KINDS}


_KINDS = ("repaired", "counted", "rejected")


def build_report(documents: Sequence[Document], problems: Problems, cdb: CDB | None) -> DataReport:
    """Count everything. Without a database no concept counts as known, and `database` is empty.

    Corpora go by `Document.corpus`, in the order in which they first come.
    """
    corpora: dict[str, list[Document]] = {}
    for document in documents:
        corpora.setdefault(document.corpus, []).append(document)
    known = cdb.cui2info.keys() if cdb is not None else set()
    return DataReport(
        {corpus: _count(members, known) for corpus, members in corpora.items()},
        {corpus: digest(members) for corpus, members in corpora.items()},
        database=_count_database(cdb) if cdb is not None else {},
        problems=tuple(problems.found),
    )


def digest(documents: Iterable[Document]) -> str:
    """A fingerprint of ids, texts, mentions and splits (32 hexadecimal digits).

    Equal corpora have equal digests on every machine. The text cannot be told from it. The order of
    documents and mentions counts, and so do rejected mentions. The corpus' name does not count.
    """
    sha = hashlib.sha256()
    for document in documents:
        parts = [document.id, document.text, document.split]
        for mention in (*document.mentions, *document.rejected):
            parts.append(f"{mention.start} {mention.end} {mention.code}")
        # Lengths go first, or "ab" and "c" would look like "a" and "bc".
        for part in parts:
            data = part.encode("utf-8", "surrogatepass")
            sha.update(len(data).to_bytes(8) + data)
        sha.update(len(document.mentions).to_bytes(8) + len(document.rejected).to_bytes(8))
    return sha.hexdigest()[:32]


def format_report(report: DataReport, shown: int = 20) -> str:
    """The report as text: a table of the corpora, the database, then problems by reason.

    At most `shown` rejected rows are written out. Digests are cut to 12 digits.
    """
    # A row for each count and a column for each corpus, because there are few corpora.
    names = [field.name for field in fields(CorpusCounts)]
    table = [["", *report.corpora], ["digest", *(d[:12] for d in report.digests.values())]]
    for name in names:
        cells = [str(getattr(row, name)) for row in report.corpora.values()]
        table.append([name.replace("_", " "), *cells])
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    lines = [
        "  ".join([row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:])]) for row in table
    ]
    if report.database:
        counts = ", ".join(
            f"{value} {key.replace('_', ' ')}" for key, value in report.database.items()
        )
        lines += ["", f"concept database: {counts}"]
    return "\n".join([*lines, "", *_format_problems(report.problems, shown)])


def _format_problems(problems: Sequence[Problem], shown: int) -> list[str]:
    """Rejected rows one by one, the others by reason with their first place."""
    # Users mend rejected rows one by one. For the rest a kind and one place say enough.
    rejected = [problem for problem in problems if _kind(problem) == "rejected"]
    lines = [f"rows rejected: {len(rejected)}", *(f"  {problem}" for problem in rejected[:shown])]
    if len(rejected) > shown:
        lines.append(f"  … and {len(rejected) - shown} more")
    for kind in ("repaired", "counted"):
        same = [problem for problem in problems if _kind(problem) == kind]
        lines.append(f"rows {kind}: {len(same)}")
        for reason, count in Counter(problem.reason for problem in same).most_common():
            first = next(problem for problem in same if problem.reason == reason)
            lines.append(f"  {count} times: {reason}, first: {first}")
    return lines


def _kind(problem: Problem) -> str:
    return "repaired" if problem.repaired else "counted" if problem.counted else "rejected"


def _count(documents: Sequence[Document], known: Iterable[str]) -> CorpusCounts:
    """The counts of the documents of one corpus."""
    known = set(known)
    splits = Counter(document.split for document in documents)
    mentions = [mention for document in documents for mention in document.mentions]
    single = [mention.cui for mention in mentions if mention.cui is not None]
    concepts = {cui for mention in mentions for cui in mention.cuis}
    return CorpusCounts(
        documents=len(documents),
        train=splits["train"],
        validation=splits["validation"],
        test=splits["test"],
        mentions=len(mentions),
        coded=sum(mention.code != "" for mention in mentions),
        single=len(single),
        composite=sum(len(mention.cuis) > 1 for mention in mentions),
        no_concept=sum(mention.code != "" and not mention.cuis for mention in mentions),
        rejected_mentions=sum(len(document.rejected) for document in documents),
        concepts=len(concepts),
        in_database=sum(cui in known for cui in single),
        concepts_in_database=len(concepts & known),
        ambiguous=_count_ambiguous(documents),
    )


def _count_ambiguous(documents: Iterable[Document]) -> int:
    """Mentions with a surface that stands for several single concepts. Composites do not count."""
    meanings: dict[str, Counter[str]] = {}
    for document in documents:
        for mention in document.mentions:
            if mention.cui is not None:
                surface = document.text[mention.start : mention.end].lower()
                meanings.setdefault(surface, Counter())[mention.cui] += 1
    return sum(counts.total() for counts in meanings.values() if len(counts) > 1)


def _count_database(cdb: CDB) -> dict[str, int]:
    """Concepts and names, and the names that several concepts share."""
    shared = sum(len(info["per_cui_status"]) > 1 for info in cdb.name2info.values())
    return {
        "concepts": len(cdb.cui2info),
        "names": len(cdb.name2info),
        "ambiguous_names": shared,
    }
