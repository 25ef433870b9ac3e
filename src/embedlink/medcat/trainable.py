"""The trainable linker: a MedCAT linking component that also trains inside MedCAT.

MedCAT's trainer hands over annotated entities, one document after the other. `OpenDocument`
collects the entities of a document until the next one begins. Then detection runs over its text,
and `samples_of` makes samples of entities and detections. `Training` trains on every batch that
they fill. MedCAT does not say when training is over. So each use of the linker first calls
`_settle`, which trains on waiting samples. If annotators submit examples one by one, these wait
longer: until a batch is full, or the linker is saved.
"""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from medcat.tokenizing.tokens import MutableDocument, MutableEntity

from embedlink.detection.pipeline import ComponentDetector
from embedlink.medcat.annotations import annotated_span, annotated_strings
from embedlink.medcat.component import LinkingComponent
from embedlink.medcat.rewinding import Rewinding
from embedlink.medcat.samples import CountedNames, OpenDocument, samples_of
from embedlink.medcat.training import Training
from embedlink.plugin import TRAINABLE
from embedlink.types import Detection

if TYPE_CHECKING:  # MedCAT has it from 2.9 on. Before, its trainer calls `train`.
    from medcat.components.types import TrainingExample

log = logging.getLogger(__name__)


class TrainableLinker(LinkingComponent):
    """Links, and trains on what MedCAT's trainer hands over, with the same steps as `train.py`.

    Samples that do not fill a batch are trained on before the next prediction or save. Then the
    index is brought up to date. Single submissions wait for a full batch or the next save, because
    each step makes all names be embedded again. A step raises `EmbedLinkError` if `dtype` is not
    float32. A saved pack holds weights and counts, but no optimizer and no step number.
    """

    name = TRAINABLE

    def _begin(self) -> None:
        """Start without a document, a count or an optimizer."""
        self.training = Training(self.live, self.config)
        self._document: OpenDocument | None = None
        self._counts: CountedNames | None = None
        # These are made with the first document.
        self._detector: ComponentDetector | None = None
        self._rewinding: Rewinding | None = None

    def train_supervised_batch(self, examples: "list[TrainingExample]") -> None:
        """Train on annotated spans, and on rejected ones (`negative`).

        A span is repeated as often as its example's `epochs` say. Examples wait until the next
        document begins, or until the linker is used.
        """
        for example in examples:
            self._note(
                example.cui, example.entity, example.doc, example.negative, repeats=example.epochs
            )

    def train(
        self,
        cui: str,
        entity: MutableEntity,
        doc: MutableDocument,
        negative: bool = False,
        names: Sequence[str] | Mapping[str, object] = (),
        **_: Any,
    ) -> None:
        """Train on one annotated or rejected span (MedCAT's older interface).

        `names` are the prepared names of the annotated string, if the caller has them.
        """
        self._note(cui, entity, doc, negative, names)

    def train_unsupervised(self, doc: MutableDocument) -> None:
        """Do nothing: this linker learns from annotations only."""

    def _note(
        self,
        cui: str,
        entity: MutableEntity,
        doc: MutableDocument,
        negative: bool,
        names: Sequence[str] | Mapping[str, object] = (),
        repeats: int = 1,
    ) -> None:
        """Note one annotation. The first one of another document closes the open document."""
        if self._document is None or self._document.doc is not doc:
            self._follow_back()
            self._close_document()
            if self._rewinding is None:
                self._rewinding = Rewinding(self.live, self.cdb)
            self._rewinding.keep()
            # MedCAT's trainer sets `train` and goes through all annotations of a document. Other
            # callers hand over single annotations.
            whole = self.config.train and self.config.learn_from_unannotated
            # The filters are copied, because MedCAT may change them in place.
            filters = self.config.filters.model_copy(deep=True)
            self._document = OpenDocument(doc, whole, filters, submitted=not self.config.train)
        strings = annotated_strings(self.cdb, cui, names)
        span = annotated_span(doc, entity, strings)
        if span.end > span.start:
            self._document.add(span, cui, negative, repeats)
            if not negative and self._rewinding is not None:
                self._rewinding.count(cui, repeats)

    def _close_document(self) -> None:
        """Turn the open document into samples."""
        document, self._document = self._document, None
        if document is None:
            return
        # Windows need the present settings. Our own `_settle` would call this method again.
        super()._settle()
        # A span that filters hide from annotators was not left alone by them.
        detections = list(filter(document.shows, self._detected(document.text)))
        counts = self._counts
        if counts is None or counts.total is not self.linker.counts:
            # This is the first document, or another linker brought counts of its own.
            counts = self._counts = CountedNames(self.linker.counts)
        samples = samples_of(document, detections, cutter=self.linker.cutter, counted=counts)
        self.live.use(replace(self.linker, counts=counts.total))
        self.training.add(samples, can_wait=document.submitted)

    def _detected(self, text: str) -> list[Detection]:
        if self._detector is None:
            self._detector = ComponentDetector(self.cdb, self.tokenizer, self.vocab, self.pack)
        return self._detector(text)

    def _follow_back(self) -> None:
        """If the concept database was put back, drop what was trained and noted since."""
        if self._rewinding is None or not self._rewinding.follow():
            return
        self.training = Training(self.live, self.config)
        self._document = self._counts = None
        self.live.forget(names=True)

    def _settle(self, to_predict: bool = False) -> None:
        super()._settle()
        self._follow_back()
        self._close_document()
        self.training.finish(to_predict)

    def __getstate__(self) -> dict[str, Any]:
        """The base's state without the parts for training, because other processes only predict."""
        state = super().__getstate__()
        own = {"training", "_counts", "_detector", "_document", "_rewinding"}
        return {key: value for key, value in state.items() if key not in own}
