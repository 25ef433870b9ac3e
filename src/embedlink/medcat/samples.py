"""Training examples as MedCAT's trainer brings them, made into what the objective reads.

Labels follow `mentions.mention_table`: a detection is linked where one of its candidates is
gold at its start or, where it has none, any concept is. Whether a span was left alone is only known
of documents as a whole, so a document's examples wait until the next document begins. MedCAT hands
over annotations and not documents: one in which nothing is annotated never comes.
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
"""How often each name was (detected, linked)."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One span to train on. Concepts are CUIs: rows of the index change as names are added.

    `gold` is None where no concept is annotated, `detection` where detection missed what is;
    `linked` is the label of a detection, and False without one. Shape: counts (2,) from
    `NameCounts.features`, without the span's own document.
    """

    cut: Cut
    gold: str | None
    detection: Detection | None
    linked: bool
    counts: Tensor


@dataclass
class OpenDocument:
    """A document whose examples are coming in.

    `whole` says that everything annotated in it will come, so that the rest was left alone. `gold`
    holds CUIs; `repeats` how often each gold span is to be trained on; `rejected` the spans that
    are no mention of the concept they came with. `filters` are those that hold while they come:
    MedCAT's trainer sets others for each project. `submitted` says that examples come one by one,
    as annotators submit them, and not from a whole export.
    """

    doc: MutableDocument
    whole: bool
    filters: LinkingFilters
    submitted: bool = False
    gold: dict[Span, str] = field(default_factory=dict)
    repeats: dict[Span, int] = field(default_factory=dict)
    rejected: set[Span] = field(default_factory=set)

    @property
    def text(self) -> str:
        """The document's text."""
        return str(self.doc.base.text)

    def shows(self, detection: Detection) -> bool:
        """Whether filters let annotators see this detection, so that they may leave it alone.

        What a detection without candidates would be linked to is not known: under filters it may
        be hidden.
        """
        filters = self.filters
        if not (filters.cuis or filters.cuis_exclude):
            return True
        if Span(detection.start, detection.end) in self.gold:
            return True
        return any(map(filters.check_filters, detection.candidates))

    def add(self, span: Span, cui: str, negative: bool, repeats: int = 1) -> None:
        """Note an example; a span's first concept counts, and a rejection never undoes it."""
        if negative:
            self.rejected.add(span)
        else:
            self.gold.setdefault(span, cui)
            self.repeats[span] = max(repeats, self.repeats.get(span, 0))


@dataclass
class CountedNames:
    """Counts of names over training documents; a document seen again counts once.

    `total` holds how often each name was (detected, linked), and is changed in place. `by_document`
    has the part of each document that was counted here, by a digest of its text. Documents that
    were counted before, as in the run that trained the linker, are not told from new ones.
    """

    total: dict[str, tuple[int, int]]
    by_document: dict[str, DocumentCounts] = field(default_factory=dict)

    def features(self, text: str, detections: Sequence[Detection | None]) -> Tensor:
        """Features without the document's own counts; 0 for a span without a name.

        Shape: (spans, 2), see `NameCounts.features`.
        """
        own = self.by_document.get(_key(text), {})
        names = [detection.name if detection else "" for detection in detections]
        counts = []
        for name in names:
            detected, linked = self.total.get(name, (0, 0))
            own_detected, own_linked = own.get(name, (0, 0))
            counts.append((detected - own_detected, linked - own_linked))
        # A table of these spans alone: each is its own row, whatever names there are.
        table = torch.tensor(counts, dtype=torch.float32).reshape(-1, 2)  # (spans, 2)
        rows = torch.tensor([at if name else -1 for at, name in enumerate(names)])
        return NameCounts(table[:, 0], table[:, 1]).features(rows.long())

    def count(self, text: str, labelled: Sequence[tuple[Detection, bool]]) -> None:
        """Count a document's detections, in place of what was counted of it before."""
        found: dict[str, tuple[int, int]] = {}
        for detection, linked in labelled:
            if not detection.name:
                continue
            old = found.get(detection.name, (0, 0))
            found[detection.name] = (old[0] + 1, old[1] + linked)
        before = self.by_document.get(_key(text), {})
        for name in found.keys() | before.keys():
            new, old, all_ = (each.get(name, (0, 0)) for each in (found, before, self.total))
            self.total[name] = (all_[0] + new[0] - old[0], all_[1] + new[1] - old[1])
        self.by_document[_key(text)] = found


def samples_of(
    document: OpenDocument,
    detections: Sequence[Detection],
    cutter: WindowCutter,
    counted: CountedNames,
) -> list[Sample]:
    """The document's gold spans and detections, ready to train on, and its names counted.

    Of a document that is not `whole`, detections count where an example says something. Samples
    come by start and end, each as often as it is to be repeated. A rejected span that detection
    does not propose gives none, for there is nothing to decide on.
    """
    asked = document.gold.keys() | document.rejected
    of_span = {Span(d.start, d.end): d for d in detections}
    if not document.whole:
        of_span = {span: d for span, d in of_span.items() if span in asked}
    spans = sorted(of_span.keys() | document.gold.keys())
    right = {(span.start, cui) for span, cui in document.gold.items()}
    labels = {span: is_linked(detection, right) for span, detection in of_span.items()}
    features = counted.features(document.text, [of_span.get(span) for span in spans])
    # Of a document annotated in part nobody knows which detections are left alone.
    if document.whole:
        counted.count(document.text, [(of_span[span], linked) for span, linked in labels.items()])
    cuts = cutter.cut(document.text, spans)
    samples = []
    for row, (span, cut) in enumerate(zip(spans, cuts, strict=True)):
        sample = Sample(
            cut,
            document.gold.get(span),
            of_span.get(span),
            labels.get(span, False),
            features[row],
        )
        samples.extend([sample] * document.repeats.get(span, 1))
    return samples


def _key(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
