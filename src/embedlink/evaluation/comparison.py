"""Two runs compared on the same documents.

Only the counts that each run left in its folder are read. Different documents cannot be compared,
so the digests must be the same, document by document.
"""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from embedlink.evaluation.bootstrap import Difference, differences
from embedlink.evaluation.document_counts import DocumentCounts
from embedlink.problems import EmbedLinkError


def counts_file(split: str) -> str:
    """Name of the file in a run's folder that holds the counts of a split's documents."""
    return f"{split}_documents.csv"


def compare_runs(folders: Sequence[str], split: str = "test") -> list[Difference]:
    """Differences between two runs: the second run's metric less the first's.

    Raises `EmbedLinkError` if `folders` are not two, if the counts of `split` cannot be read, if
    the documents are not the same, or if there are fewer than two.
    """
    # On the command line, compare=runs/A is a string.
    if isinstance(folders, str) or not isinstance(folders, Sequence) or len(folders) != 2:
        raise EmbedLinkError(
            f"compare={folders!r} is not allowed; it takes the folders of two runs, as "
            "compare=[runs/A,runs/B]"
        )
    first, second = (_read(Path(str(folder)), split) for folder in folders)
    _check_same(first, second, folders, split)
    return differences(first.counts, second.counts)


def _read(folder: Path, split: str) -> DocumentCounts:
    """The counts that a run left in its folder, sorted by document."""
    if not folder.is_dir():
        raise EmbedLinkError(
            f"compare: {folder}: no such folder; it takes the folders that train.py or evaluate.py "
            "left, as compare=[runs/A,runs/B]"
        )
    return DocumentCounts.read(folder / counts_file(split)).sorted()


def _check_same(
    first: DocumentCounts, second: DocumentCounts, folders: Sequence[str], split: str
) -> None:
    """Raise `EmbedLinkError` unless both have the same documents, and two or more."""
    # Counted and not as sets, because a document may occur twice in a corpus.
    one, other = (Counter(zip(c.corpora, c.documents, strict=True)) for c in (first, second))
    if one != other:
        raise EmbedLinkError(
            f"compare: the {split} documents differ: {(one - other).total()} only in "
            f"{folders[0]}, {(other - one).total()} only in {folders[1]}, "
            f"{(one & other).total()} in both; runs are comparable on the same documents and "
            "gold mentions: use the same data, split, seed and limit_documents"
        )
    if len(first.documents) < 2:
        raise EmbedLinkError(
            f"compare: {folders[0]}: {len(first.documents)} {split} documents; it takes two or "
            "more to say how sure a difference is"
        )


def format_comparison(rows: Sequence[Difference], folders: Sequence[str]) -> str:
    """The comparison as a table. `folders` are A and B, and the difference is B less A.

    The interval and the p-value are those of the difference.
    """
    lines = [f"A = {folders[0]}", f"B = {folders[1]}", ""]
    lines.append(f"{'':14}{'A':>8}{'B':>8}{'B - A':>9}  {'95 % interval':18}{'p':>8}")
    for row in rows:
        interval = f"[{row.low:+.4f}, {row.high:+.4f}]"
        lines.append(
            f"{row.metric:14}{row.first:8.4f}{row.second:8.4f}{row.difference:+9.4f}  "
            f"{interval:18}{row.p:8.4f}"
        )
    return "\n".join(lines)
