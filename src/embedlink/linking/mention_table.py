"""Every span that a split trains or evaluates on, each once: detections and gold mentions.

If a detection and a gold mention have the same span, they share one row. So each window is cut
once, and the same rows serve training, links (of detections) and ranks (of gold mentions).
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import torch
from torch import Tensor

from embedlink.concepts.names import ConceptNames
from embedlink.encoder.windows import WindowCutter, Windows
from embedlink.linking.choice import Candidates
from embedlink.linking.consistency import surfaces_of
from embedlink.linking.decision import NameCounts
from embedlink.progress import watched
from embedlink.ragged import Groups
from embedlink.types import Detection, Document

NOT_GOLD, OUT_OF_TABLE = -1, -2
"""Values of `MentionTable.gold` beside concept rows."""


@dataclass(frozen=True)
class MentionTable:
    """The spans of a split with their windows, candidates and gold concepts.

    Rows are sorted by document, then by characters. `OUT_OF_TABLE` stands for a gold concept that
    the concept database lacks. A table for a baseline has no windows.
    """

    documents: Sequence[Document]
    detections: Sequence[Sequence[Detection]]  # of each document
    windows: Windows  # one a span
    document: Tensor  # (spans,) int64 row in `documents`
    gold: Tensor  # (spans,) int64 concept row, NOT_GOLD or OUT_OF_TABLE
    detected: Tensor  # (spans,) bool
    linked: Tensor  # (spans,) bool, see `is_linked`
    surface: Tensor  # (spans,) int64, equal for one surface in one document
    candidates: Candidates  # one entry a span
    detection_rows: Groups  # for each document, the rows of its detections in their order
    meant: Groups  # for each span, the candidates that a reader of short forms chose, or none

    def __len__(self) -> int:
        """Number of spans."""
        return len(self.document)

    @cached_property
    def trainable(self) -> Tensor:
        """Rows that training uses: known gold mentions, and detections (linked or NIL).

        Returns: (rows,) int64, ascending
        """
        return torch.nonzero((self.gold >= 0) | self.detected).squeeze(1)

    def meaning(
        self, detections: Sequence[Sequence[Detection]], names: ConceptNames
    ) -> "MentionTable":
        """This table with other candidates and values of `outside`. The spans must be the same.

        If the candidates of a span differ, they are what its short form means.
        """
        outside = self.candidates.outside.clone()
        concepts = [self.candidates.concepts[row].tolist() for row in range(len(self))]
        meant: list[list[int]] = [[] for _ in concepts]
        for at, own in enumerate(detections):
            for row, detection in zip(self.detection_rows[at].tolist(), own, strict=True):
                outside[row] = detection.outside
                known = (names.cui_row.get(cui) for cui in detection.candidates)
                chosen = [concept for concept in known if concept is not None]
                if chosen != concepts[row]:
                    concepts[row] = meant[row] = chosen
        candidates = replace(self.candidates, outside=outside, concepts=Groups.of(concepts))
        return replace(self, candidates=candidates, detections=detections, meant=Groups.of(meant))

    def name_counts(self, names: int) -> NameCounts:
        """How often each of the `names` names was detected and linked in these documents."""
        return NameCounts.of(self.candidates.name[self.detected], self.linked[self.detected], names)

    @cached_property
    def own_counts(self) -> tuple[Tensor, Tensor]:
        """Detections of a span's name in its own document, and how many of them were linked.

        `NameCounts.features` subtracts these counts in training. They mean nothing for spans
        without a name.

        Returns: detected (spans,) float32
        Returns: linked (spans,) float32
        """
        name = torch.where(self.detected, self.candidates.name, -1)
        # Each pair of document and name gets one number. No name (-1) becomes 0.
        key = self.document * (int(name.max() if len(name) else 0) + 2) + name + 1
        _, group = torch.unique(key, return_inverse=True)
        groups = int(group.max()) + 1 if len(group) else 0
        detected = torch.bincount(group, weights=self.detected.double(), minlength=groups)
        linked = torch.bincount(group, weights=self.linked.double(), minlength=groups)
        return detected[group].float(), linked[group].float()


def mention_table(
    documents: Sequence[Document],
    detections: Sequence[Sequence[Detection]],
    names: ConceptNames,
    cutter: WindowCutter,
) -> MentionTable:
    """Lay out the spans of the documents and cut their windows.

    `detections` holds the detections of each document. Candidates that `names` does not know are
    left out. If a span is detected twice, the last detection makes the row, and `detection_rows`
    lists this row twice.
    """
    spans: list[list[tuple[int, int]]] = []
    rows: list[tuple[int, int, Detection | None, bool]] = []  # document, gold, detection, linked
    detection_rows: list[list[int]] = []
    for at, (document, found) in enumerate(zip(documents, detections, strict=True)):
        detection_of = {(d.start, d.end): d for d in found}
        gold_of = _gold_rows(document, names)
        # Composites count too: a detection is linked if any of their concepts is a candidate.
        right = {(m.start, cui) for m in document.mentions for cui in m.cuis}
        order = sorted(detection_of.keys() | gold_of.keys())
        spans.append(order)
        row_of = {span: len(rows) + i for i, span in enumerate(order)}
        detection_rows.append([row_of[d.start, d.end] for d in found])
        for span in order:
            detection = detection_of.get(span)
            linked = detection is not None and is_linked(detection, right)
            rows.append((at, gold_of.get(span, NOT_GOLD), detection, linked))
    seen = watched(documents, "Cutting windows", "documents")
    windows = cutter((d.text, s) for d, s in zip(seen, spans, strict=True))
    # Gold mentions that detection missed have no name and no candidates.
    nothing = Detection(0, 0, name="", candidates=())
    candidates = Candidates.of([row[2] or nothing for row in rows], names)
    return MentionTable(
        documents,
        detections,
        windows,
        torch.tensor([row[0] for row in rows], dtype=torch.int64),
        torch.tensor([row[1] for row in rows], dtype=torch.int64),
        torch.tensor([row[2] is not None for row in rows], dtype=torch.bool),
        torch.tensor([row[3] for row in rows], dtype=torch.bool),
        surfaces_of((d.text, s) for d, s in zip(documents, spans, strict=True)),
        candidates,
        Groups.of(detection_rows),
        meant=Groups.of([] for _ in rows),
    )


def is_linked(detection: Detection, gold: Collection[tuple[int, str]]) -> bool:
    """Whether an annotator linked what was detected. `gold` holds pairs of start and CUI.

    A detection is linked if one of its candidates is gold at its start. If it has no candidates,
    any gold concept at its start is enough. The end of the span does not count.
    """
    if detection.candidates:
        return any((detection.start, cui) in gold for cui in detection.candidates)
    return any(start == detection.start for start, _ in gold)


def _gold_rows(document: Document, names: ConceptNames) -> dict[tuple[int, int], int]:
    """The concept row of each gold span, composites left out.

    If two mentions share a span, the first one counts.
    """
    rows: dict[tuple[int, int], int] = {}
    for mention in document.mentions:
        if mention.cui is not None:
            row = names.cui_row.get(mention.cui, OUT_OF_TABLE)
            rows.setdefault((mention.start, mention.end), row)
    return rows


def gold_surfaces(table: MentionTable) -> list[str]:
    """The text of every span with `table.gold != NOT_GOLD`, in the table's order."""
    surfaces = []
    for document in table.documents:
        # A set, since two mentions of the same span are one row of the table.
        spans = {(m.start, m.end) for m in document.mentions if m.cui is not None}
        surfaces += [document.text[start:end] for start, end in sorted(spans)]
    return surfaces
