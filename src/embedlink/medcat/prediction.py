"""From a document's detections to predictions, in all the ways the configuration allows.

With the default configuration this is `linking.link` on detection's candidates: what the
evaluation of a training run does. Spans without candidates are linked as there where
`use_pre_inference` is off, as it is in the packs that runs leave.

A span takes one of three ways: its only candidate is taken unseen; it is compared with its
candidates; or it is searched for among all names. For the last two its window is encoded, all of
a document's together. Concepts are rows of the table of names until predictions are made.
"""

from collections.abc import Sequence
from functools import partial
from itertools import islice

import torch
from torch import Tensor

from embedlink.concepts.names import ConceptNames
from embedlink.encoder.tokens import MentionSequences, TokenSequences
from embedlink.encoder.windows import WindowCutter
from embedlink.index.concept_index import ConceptIndex, paired_scores
from embedlink.linking.choice import Candidates, Links, link
from embedlink.linking.linker import Linker
from embedlink.medcat.config import EmbedLinkLinking
from embedlink.medcat.near_names import NearNames
from embedlink.ragged import Groups
from embedlink.types import Detection, Prediction

Windows = TokenSequences | MentionSequences
Rows = list[list[int]]
"""Concept rows of the candidates of each mention."""


class Predictor:
    """Chooses concepts for detections; made anew when names, index or counts change.

    The configuration is read at each call. The encoder is the linker's, whichever it is by then.
    """

    def __init__(
        self, linker: Linker, names: ConceptNames, index: ConceptIndex, config: EmbedLinkLinking
    ) -> None:
        self.linker, self.names, self.index, self.config = linker, names, index, config
        self.settings = linker.settings
        self.counts = linker.name_counts(names)
        self.near = NearNames(names, index, config)
        self.reranking = linker.reranking(names, index)
        self._cutter = linker.cutter
        # For pre-inference: a mention's own words, without those around it.
        self._bare = WindowCutter(linker.tokenizer, 0, linker.settings.max_tokens)

    def predict(self, text: str, detections: Sequence[Detection]) -> list[list[Prediction]]:
        """Predictions of each detection, best first; empty where it is not to be linked.

        In the order of `detections`, which are spans of `text` in characters and may overlap. More
        than one for a detection only with `multiple_predictions_per_detected_entity`.
        """
        found: list[list[Prediction]] = [[] for _ in detections]
        candidates = self._candidates(text, detections)
        compared: list[int] = []  # Detections to compare with their candidates,
        searched: list[int] = []  # and with every name.
        for at, rows in enumerate(candidates):
            if not rows:
                # Where the table knows none of detection's candidates, the span is left alone.
                if not (self.config.use_pre_inference or self._known(detections[at])):
                    searched.append(at)
                continue
            # A span that filters leave without candidates is dropped, and not searched for.
            if self.config.filter_before_disamb:
                rows[:] = filter(self._allowed, rows)
            if len(rows) == 1 and self._taken_unseen:
                found[at] = self._passing(detections[at], [(rows[0], 1.0)], 1.0)
            elif rows:
                compared.append(at)
        # Encoded at once; `first` walks through the rows of the vectors in the same order.
        windows = self._windows(self._cutter, text, detections, compared + searched)
        vectors, first = self._vectors(windows), 0
        for searching, part in ((False, compared), (True, searched)):
            for chunk in self._chunks(part):
                place = torch.arange(first, first + len(chunk))
                own, first = vectors[place], first + len(chunk)  # (chunk, dim)
                if searching:  # Only the best concept is decided on.
                    groups, scores = self._searched(own, windows, place)
                    best = _first(groups, scores)
                else:
                    best = groups, scores = self._compared(own, [candidates[at] for at in chunk])
                chosen = [detections[at] for at in chunk]
                links = self._links(chosen, own, *best)
                decided = self._decide(chosen, links, groups, scores)
                for at, predictions in zip(chunk, decided, strict=True):
                    found[at] = predictions
        return found

    @property
    def _taken_unseen(self) -> bool:
        return self.config.use_pre_inference and not self.config.always_calculate_similarity

    def _known(self, detection: Detection) -> bool:
        """Whether detection gave candidates that are to be used."""
        return self.config.use_ner_link_candidates and bool(detection.candidates)

    def _candidates(self, text: str, detections: Sequence[Detection]) -> Rows:
        """Detection's candidates, the index's, or both; each concept once, detection's first.

        Those of the index come by the mention's own words.
        """
        row, config = self.names.cui_row, self.config
        rows: Rows = [
            [row[cui] for cui in d.candidates if cui in row] if self._known(d) else []
            for d in detections
        ]
        if not config.use_pre_inference:
            return rows
        append = config.append_to_ner_link_candidates
        wanting = [at for at, d in enumerate(detections) if append or not self._known(d)]
        vectors = self._vectors(self._windows(self._bare, text, detections, wanting))
        for chunk in self._chunks(wanting):
            own, vectors = vectors[: len(chunk)], vectors[len(chunk) :]
            near = self.near.concepts(
                own, config.pre_inference_top_k_sampling, config.short_similarity_threshold
            )
            for at, scores in zip(chunk, near, strict=True):
                rows[at].extend(cui for cui in scores if cui not in rows[at])
        return rows

    def _compared(self, vectors: Tensor, candidates: Rows) -> tuple[Groups, Tensor]:
        """Candidates with their scores. Shape: vectors (mentions, dim) -> scores (members,)."""
        groups = Groups.of(candidates)
        if self.config.disambiguate_by == "names":
            return groups, self.index.candidate_scores(vectors, groups)
        query = torch.repeat_interleave(torch.arange(len(groups)), groups.sizes)  # (members,)
        own = self.index.representative[groups.rows]
        return groups, paired_scores(vectors, query, self.index.vectors, own)

    def _searched(self, vectors: Tensor, windows: Windows, rows: Tensor) -> tuple[Groups, Tensor]:
        """Concepts of the names nearest in context, with the names' scores; as `_compared`.

        Shape: rows (mentions,) of their windows.
        """
        k = self.config.inference_top_k_sampling
        # A reranker chooses one concept; it has no say where several are asked for.
        if k > 1:
            near = self.near.concepts(vectors, k, 0.0)
        elif self.reranking is not None and self.config.rerank:
            reordered = partial(self.reranking.reordered, vectors, windows, rows)
            near = self.near.best(vectors, self.reranking.top_k, reordered)
        else:
            near = self.near.best(vectors)
        scores = torch.tensor([score for scores in near for score in scores.values()])
        return Groups.of([list(scores) for scores in near]), scores

    def _links(
        self, detections: Sequence[Detection], vectors: Tensor, groups: Groups, scores: Tensor
    ) -> Links:
        """The choice for each. Shape: vectors (detections, dim), scores (members,)."""
        candidates = Candidates.found(groups, detections, self.names)
        return link(vectors, candidates, self.index, self.linker.decision, self.counts, scores)

    def _decide(
        self, detections: Sequence[Detection], links: Links, groups: Groups, scores: Tensor
    ) -> list[list[Prediction]]:
        """Predictions of each detection, none where the link is less probable than the threshold.

        Shape: scores (members,).
        """
        least = self.config.link_threshold
        if least is None:
            least = float(self.linker.decision.threshold)
        linked = ((links.concept >= 0) & (links.probability >= least)).tolist()
        options = self._options(links, groups, scores)
        return [
            self._passing(detection, ranked, probability) if is_linked else []
            for detection, ranked, probability, is_linked in zip(
                detections, options, links.probability.tolist(), linked, strict=True
            )
        ]

    def _options(
        self, links: Links, groups: Groups, scores: Tensor
    ) -> list[list[tuple[int, float]]]:
        """The concepts to predict for each mention with their similarity, best first."""
        if not self.config.multiple_predictions_per_detected_entity:
            best = zip(links.concept.tolist(), links.similarity.tolist(), strict=True)
            return [[pair] for pair in best]
        prior = self.index.prior
        # As `choose` ranks them: the first is the concept that the probability is of.
        ranked = scores if prior is None else scores + prior[groups.rows]
        triples = zip(groups.rows.tolist(), scores.tolist(), ranked.tolist(), strict=True)
        own = [sorted(islice(triples, size), key=lambda t: -t[2]) for size in groups.sizes.tolist()]
        return [[(cui, score) for cui, score, _ in best] for best in own]

    def _passing(
        self, detection: Detection, ranked: list[tuple[int, float]], probability: float
    ) -> list[Prediction]:
        """What passes the similarity threshold and the filters, in the same order.

        `ranked` holds concept rows with their similarity, `probability` is the span's.
        """
        least = self.config.long_similarity_threshold
        limited = self.config.use_similarity_threshold and bool(least)
        return [
            Prediction(detection.start, detection.end, self.names.cuis[cui], score, probability)
            for cui, score in ranked
            if not (limited and score < least) and self._allowed(cui)
        ]

    def _allowed(self, cui: int) -> bool:
        return bool(self.config.filters.check_filters(self.names.cuis[cui]))

    def _windows(
        self, cutter: WindowCutter, text: str, detections: Sequence[Detection], chosen: list[int]
    ) -> Windows:
        """The windows of the detections at the positions `chosen`, in that order."""
        return cutter([(text, [(detections[at].start, detections[at].end) for at in chosen])])

    def _vectors(self, windows: Windows) -> Tensor:
        """Vectors of windows, on the CPU. Shape: (windows, dim)."""
        if not len(windows):
            return torch.empty(0, self.linker.encoder.dim)
        return self.linker.encoder.encode(windows)

    def _chunks(self, positions: list[int]) -> list[list[int]]:
        size = self.config.linking_batch_size
        return [positions[at : at + size] for at in range(0, len(positions), size)]


def _first(groups: Groups, scores: Tensor) -> tuple[Groups, Tensor]:
    """The first member of each group that has one. Shape: scores (members,)."""
    some = groups.sizes > 0
    at = groups.starts[:-1][some]
    return Groups.sized(groups.rows[at], some.long()), scores[at]
