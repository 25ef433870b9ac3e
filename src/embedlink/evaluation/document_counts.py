"""Counts of every document, from which intervals and paired comparisons are made.

They hold no text. A document is a digest, and two runs have the same digest if id, text, split and
annotations are equal. A run leaves the counts as a CSV, so `comparison` needs only the files of two
runs, and neither corpus nor linker.
"""

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from embedlink.corpora.report import digest
from embedlink.evaluation.metrics import Outcome, count_documents
from embedlink.files.atomic import file_written_aside
from embedlink.linking.mention_table import NOT_GOLD, MentionTable
from embedlink.problems import EmbedLinkError
from embedlink.types import CodeRule

COLUMNS = ("tp", "fp", "fn", "gold", "hits_at_1")
"""MedCAT's counts, then gold mentions with a known concept, and those of them ranked first."""

HEADER = ("document", "corpus", *COLUMNS)


@dataclass(frozen=True)
class DocumentCounts:
    """The counts of a split, one row for each document."""

    documents: Sequence[str]  # digests
    corpora: Sequence[str]
    counts: NDArray[np.int64]  # (documents, 5) in the order of `COLUMNS`

    @classmethod
    def of(cls, table: MentionTable, outcome: Outcome, rule: CodeRule) -> "DocumentCounts":
        """Count the outcome of a split, in the table's order of documents.

        `tp`, `fp` and `fn` count predictions and depend on `rule`. `gold` and `hits_at_1` count
        ranks and do not depend on it.
        """
        ends = count_documents(table, outcome.predictions, rule)
        gold = table.gold != NOT_GOLD
        inside = table.gold[gold] >= 0
        document = table.document[gold][inside]
        hit = outcome.ranks[inside] <= 1
        size = len(table.documents)
        # With `minlength` a document without gold mentions has its row as well.
        mentions = torch.bincount(document, minlength=size)
        hits = torch.bincount(document[hit], minlength=size)
        rows = [
            (c.tp, c.fp, c.fn, m, h)
            for c, m, h in zip(ends, mentions.tolist(), hits.tolist(), strict=True)
        ]
        return cls(
            [digest([each]) for each in table.documents],
            [each.corpus for each in table.documents],
            np.array(rows, dtype=np.int64).reshape(size, len(COLUMNS)),
        )

    def sorted(self) -> "DocumentCounts":
        """The same rows by corpus and digest, which is an order that two runs share.

        Runs may read the same documents in different orders, and a comparison goes row by row.
        """
        order = sorted(
            range(len(self.documents)), key=lambda n: (self.corpora[n], self.documents[n])
        )
        return DocumentCounts(
            [self.documents[n] for n in order], [self.corpora[n] for n in order], self.counts[order]
        )

    def write(self, path: Path) -> None:
        """Write a CSV with one row for each document. An older file is replaced."""
        with (
            file_written_aside(path) as aside,
            aside.open("w", encoding="utf-8", newline="") as file,
        ):
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(HEADER)
            for document, corpus, row in zip(
                self.documents, self.corpora, self.counts.tolist(), strict=True
            ):
                writer.writerow([document, corpus, *row])

    @classmethod
    def read(cls, path: Path) -> "DocumentCounts":
        """Read what `write` wrote. An `EmbedLinkError` names the file and the line at fault."""
        try:
            text = path.read_text("utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise EmbedLinkError(
                f"{path}: cannot be read ({error}); train.py and evaluate.py leave this "
                "file in a run's folder"
            ) from error
        header, *rows = list(csv.reader(text.splitlines())) or [[]]
        if tuple(header) != HEADER:
            raise EmbedLinkError(f"{path}:1: the columns are not {','.join(HEADER)}")
        counts = np.array([_counts(path, n, row) for n, row in enumerate(rows, 2)], dtype=np.int64)
        return cls(
            [row[0] for row in rows],
            [row[1] for row in rows],
            counts.reshape(len(rows), len(COLUMNS)),
        )


def _counts(path: Path, line: int, row: list[str]) -> list[int]:
    if len(row) != len(HEADER) or not all(cell.isdecimal() for cell in row[2:]):
        raise EmbedLinkError(f"{path}:{line}: not a document, a corpus and {len(COLUMNS)} counts")
    return [int(cell) for cell in row[2:]]
