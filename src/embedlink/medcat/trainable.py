"""The trainable linker: what both components are, and training inside MedCAT.

MedCAT's trainer hands over annotated entities one document after the other. Those of a document are
collected (`OpenDocument`) until the next one begins; then detection runs over its text, both become
samples (`samples_of`), and every batch that they fill is trained on (`Training`). Nobody says that
training is over, so each use of the linker, `_settle`, first trains on what waits. What annotators
submit one by one waits longer: until a batch is full, or the linker is saved.
"""

import logging
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

from medcat.components.types import TrainingExample
from medcat.tokenizing.tokens import MutableDocument, MutableEntity

from embedlink.detection.pipeline import ComponentDetector
from embedlink.medcat.annotations import annotated_span, annotated_strings
from embedlink.medcat.component import LinkingComponent
from embedlink.medcat.samples import CountedNames, OpenDocument, samples_of
from embedlink.medcat.training import Training
from embedlink.plugin import TRAINABLE

log = logging.getLogger(__name__)


class TrainableLinker(LinkingComponent):
    """Links, and learns from MedCAT's trainer by the steps that `train.py` takes.

    What does not fill a batch is trained on before the next prediction or save, and the index is
    then brought up to date. Single submissions that do not fill a batch wait for the next save, so
    that not every one of them has all names embedded again. A step raises `EmbedLinkError` if
    `dtype` is not float32. Weights and counts go into the pack, the optimizer and the step number
    do not.
    """

    name = TRAINABLE
    # On the class: the base settles while it is made, and what is unpickled starts without them.
    _document: OpenDocument | None = None
    _counts: CountedNames | None = None

    def train_supervised_batch(self, examples: list[TrainingExample]) -> None:
        """Train on annotated spans, and on rejected ones (`negative`).

        An example's `epochs` repeat its span. Examples wait until another document's come, or the
        linker is used.
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

        `names` are what the annotated string was made into, where the caller knows.
        """
        self._note(cui, entity, doc, negative, names)

    def train_unsupervised(self, doc: MutableDocument) -> None:
        """Nothing: a linker of this kind learns from annotations alone."""

    @cached_property
    def training(self) -> Training:
        """The optimizer with what waits to be trained on."""
        return Training(self.linker, self.live, self.config)

    @property
    def _counted(self) -> CountedNames:
        """Counts of names, which are the linker's own; another linker brings others."""
        if self._counts is None or self._counts.total is not self.linker.counts:
            # One dictionary for both: what is counted here is saved with the linker.
            self.linker.counts = total = dict(self.linker.counts)
            self._counts = CountedNames(total)
        return self._counts

    @cached_property
    def _detector(self) -> ComponentDetector:
        return ComponentDetector(self.cdb, self.tokenizer, self.vocab)

    def _note(
        self,
        cui: str,
        entity: MutableEntity,
        doc: MutableDocument,
        negative: bool,
        names: Sequence[str] | Mapping[str, object] = (),
        repeats: int = 1,
    ) -> None:
        if self._document is None or self._document.doc is not doc:
            self._close_document()
            # MedCAT's trainer sets `train` and goes through all annotations of a document; other
            # callers show single ones.
            whole = self.config.train and self.config.learn_from_unannotated
            # Copied: MedCAT may change the filters in place.
            filters = self.config.filters.model_copy(deep=True)
            self._document = OpenDocument(doc, whole, filters, submitted=not self.config.train)
        strings = annotated_strings(self.cdb, cui, names)
        span = annotated_span(doc, entity, strings)
        if span.end > span.start:
            self._document.add(span, cui, negative, repeats)
            if not negative and cui in self.cdb.cui2info:
                self.cdb.cui2info[cui]["count_train"] += repeats

    def _close_document(self) -> None:
        """Turn the open document into samples."""
        document, self._document = self._document, None
        if document is None:
            return
        # The base's alone, for windows by the present settings: the own one would come back here.
        super()._settle()
        detections = self._detector(document.text)
        # What filters hide will not be linked, and so is not to be learned as left alone.
        detections = list(filter(document.shows, detections))
        samples = samples_of(document, detections, self.linker.cutter, self._counted)
        self._predictor = None  # Its table of counts is of before.
        self.training.add(samples, can_wait=document.submitted)

    def _settle(self, to_predict: bool = False) -> None:
        super()._settle()
        self._close_document()
        # Asked for by name: the property would make it where nothing ever trained.
        if "training" in self.__dict__:
            self.training.finish(to_predict)

    def __getstate__(self) -> dict[str, Any]:
        """As the base's, without what only training needs: other processes predict."""
        state = super().__getstate__()
        own = {"training", "_counts", "_detector", "_document"}
        return {key: value for key, value in state.items() if key not in own}
