"""Makes training samples from the annotations that MedCAT's trainer hands over.

Labels follow `linking.mention_table`. A detection is linked if one of its candidates is gold at its
start. If it has no candidates, any gold concept at its start is enough. Only a complete document
shows which spans were left alone. So the examples of a document wait until the next one begins.
MedCAT hands over annotations, so a document without any annotation never arrives.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import torch
from medcat.config.config import LinkingFilters
from medcat.tokenizing.tokens import MutableDocument
from torch import Tensor

from embedlink.encoder.windows import Cut, WindowCutter
from embedlink.linking.decision import NameCounts
from embedlink.linking.mention_table import is_linked
from embedlink.types import Detection, Span

DocumentCounts = Mapping[str, tuple[int, int]]
"""How often each name was (detected, linked), by name."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One span to train on. Its concept is a CUI, because rows change when names are added."""

    cut: Cut
    gold: str | None  # CUI, None if no concept is annotated
    detection: Detection | None  # None if detection missed the annotation
    linked: bool  # the label of a detection, False without one
    counts: Tensor  # (2,) from `NameCounts.features`, without the span's own document


@dataclass
class OpenDocument:
    """A document whose examples are coming in.

    If it is `whole`, all its annotations will come, so annotators left every other span alone.
    `filters` is a copy of the present filters, because MedCAT's trainer sets others for each
    project.
    """

    doc: MutableDocument
    whole: bool
    filters: LinkingFilters
    submitted: bool = False  # annotators submit examples one by one, not as a whole export
    gold: dict[Span, str] = field(default_factory=dict)  # CUIs
    repeats: dict[Span, int] = field(default_factory=dict)  # how often to train on each gold span
    rejected: set[Span] = field(default_factory=set)  # not mentions of the concept proposed there

    @property
    def text(self) -> str:
        """The document's text."""
        return str(self.doc.base.text)

    def shows(self, detection: Detection) -> bool:
        """Whether filters let annotators see this detection, so that they could leave it alone.

        Nobody knows to which concept a detection without candidates would be linked. So under
        filters it counts as hidden, unless it is gold.
        """
        filters = self.filters
        if not (filters.cuis or filters.cuis_exclude):
            return True
        if Span(detection.start, detection.end) in self.gold:
            return True
        return any(map(filters.check_filters, detection.candidates))

    def add(self, span: Span, cui: str, negative: bool, repeats: int = 1) -> None:
        """Note an example. The first concept of a span counts, and a rejection never undoes it."""
        if negative:
            self.rejected.add(span)
        else:
            self.gold.setdefault(span, cui)
            self.repeats[span] = max(repeats, self.repeats.get(span, 0))


@dataclass
class CountedNames:
    """Counts of names over training documents. A document that is seen again counts once.

    `total` holds how often each name was (detected, linked). Each document that is counted puts
    another table in its place. `by_document` holds the counts of each document by a digest of its
    text. Documents that were counted elsewhere, as in the run that trained the linker, are counted
    again.
    """

    total: DocumentCounts
    by_document: dict[str, DocumentCounts] = field(default_factory=dict)

    def features(self, text: str, detections: Sequence[Detection | None]) -> Tensor:
        """`NameCounts.features` without the document's own counts. They are 0 without a name.

        Returns: (spans, 2)
        """
        own = self.by_document.get(_key(text), {})
        names = [detection.name if detection else "" for detection in detections]
        counts = []
        for name in names:
            detected, linked = self.total.get(name, (0, 0))
            own_detected, own_linked = own.get(name, (0, 0))
            counts.append((detected - own_detected, linked - own_linked))
        # The table holds these spans only. Each span has its own row.
        table = torch.tensor(counts, dtype=torch.float32).reshape(-1, 2)  # (spans, 2)
        rows = torch.tensor([at if name else -1 for at, name in enumerate(names)])
        return NameCounts(table[:, 0], table[:, 1]).features(rows.long())

    def count(self, text: str, labelled: Sequence[tuple[Detection, bool]]) -> None:
        """Count a document's detections. They replace its earlier counts."""
        found: dict[str, tuple[int, int]] = {}
        for detection, linked in labelled:
            if not detection.name:
                continue
            old = found.get(detection.name, (0, 0))
            found[detection.name] = (old[0] + 1, old[1] + linked)
        before = self.by_document.get(_key(text), {})
        total = dict(self.total)
        for name in found.keys() | before.keys():
            new, old, all_ = (each.get(name, (0, 0)) for each in (found, before, total))
            total[name] = (all_[0] + new[0] - old[0], all_[1] + new[1] - old[1])
        self.total = total
        self.by_document[_key(text)] = found


def samples_of(
    document: OpenDocument,
    detections: Sequence[Detection],
    cutter: WindowCutter,
    counted: CountedNames,
) -> list[Sample]:
    """Make samples of a document's gold spans and detections, and count its names.

    If the document is not `whole`, a detection makes a sample only if its span is gold or rejected,
    and names are not counted. Samples are sorted by start and end, and each comes as often as it is
    to be repeated. A rejected span without a detection makes no sample, because there is no link to
    decide on.
    """
    asked = document.gold.keys() | document.rejected
    of_span = {Span(d.start, d.end): d for d in detections}
    if not document.whole:
        of_span = {span: d for span, d in of_span.items() if span in asked}
    spans = sorted(of_span.keys() | document.gold.keys())
    right = {(span.start, cui) for span, cui in document.gold.items()}
    labels = {span: is_linked(detection, right) for span, detection in of_span.items()}
    features = counted.features(document.text, [of_span.get(span) for span in spans])
    # In a partly annotated document nobody knows which detections were left alone.
    if document.whole:
        counted.count(document.text, [(of_span[span], linked) for span, linked in labels.items()])
    cuts = cutter.cut(document.text, spans)
    samples = []
    for row, (span, cut) in enumerate(zip(spans, cuts, strict=True)):
        sample = Sample(
            cut,
            document.gold.get(span),
            detection=of_span.get(span),
            linked=labels.get(span, False),
            counts=features[row],
        )
        samples.extend([sample] * document.repeats.get(span, 1))
    return samples


def _key(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
