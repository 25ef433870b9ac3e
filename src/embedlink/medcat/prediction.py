"""Turns a document's detections into predictions, in all the ways that the configuration allows.

`linking.entity_linking` chooses concepts and decides on links, as in the evaluation of a run.
MedCAT's configuration adds three choices here: which candidates a span has, whether its context is
read, and how many of its concepts are returned.

A span is linked in one of three ways. Its only candidate is taken unseen, or it is compared with
its candidates, or it is searched for among all names. In the last two ways its window is encoded,
together with the other windows of all notes at hand. If no window can make the link probable
enough, the span is left alone. Concepts are row numbers until predictions are made.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import islice
from typing import NamedTuple

import torch
from torch import Tensor

from embedlink.concepts.names import ConceptNames
from embedlink.encoder.surfaces import KnownSurfaces
from embedlink.encoder.windows import WindowCutter, Windows
from embedlink.index.concept_index import ConceptIndex, paired_scores
from embedlink.linking.choice import Candidates, Links, Scored
from embedlink.linking.consistency import surfaces_of
from embedlink.linking.entity_linking import (
    EntityLinking,
    Link,
    LinkRules,
    listed,
)
from embedlink.linking.linker import Linker
from embedlink.medcat.config import EmbedLinkLinking
from embedlink.medcat.near_names import NearNames
from embedlink.ragged import Groups
from embedlink.types import Detection, Prediction

Note = tuple[str, Sequence[Detection]]
"""A text and what was detected in it."""
Rows = list[list[int]]
"""The concept rows of each mention's candidates."""


class Ways(NamedTuple):
    """The positions of a document's detections, by the way in which they are linked."""

    unseen: list[int]  # their only candidate is taken
    compared: list[int]  # with their candidates
    searched: list[int]  # among all names

    def only(self, possible: list[bool]) -> "Ways":
        """Without the windows of detections that cannot be linked."""
        return Ways(
            self.unseen,
            [at for at in self.compared if possible[at]],
            [at for at in self.searched if possible[at]],
        )


class Predictor:
    """Chooses concepts for detections. It is made anew if names, index or linker change.

    The configuration and the weights of the encoder are read at each call.
    """

    def __init__(
        self, linker: Linker, names: ConceptNames, index: ConceptIndex, config: EmbedLinkLinking
    ) -> None:
        self.linker, self.names, self.index, self.config = linker, names, index, config
        self.linking = EntityLinking.of(linker, names, index)
        self.near = NearNames(names, index)
        self._cutter, self._surfaces = linker.cutter, KnownSurfaces(linker.encoder)
        # Pre-inference reads a mention's own words, without those around it.
        self._bare = WindowCutter(linker.tokenizer, 0, linker.settings.max_tokens)

    def predict(self, notes: Sequence[Note], nested: bool = False) -> list[list[list[Prediction]]]:
        """Predictions for each detection of each note, best first. Unlinked detections have none.

        The result has the order of the notes and of their detections, which are spans of the text
        in characters. Windows of all notes are encoded together. Detections may overlap, but links
        may overlap only if `nested`. A detection has several predictions only if
        `multiple_predictions_per_detected_entity` is set.
        """
        if self.linker.senses is not None and self.config.senses:
            read = self.linker.senses.read(notes, self.config.consistency)
            notes = [(text, own) for (text, _), own in zip(notes, read, strict=True)]
        rules = self._rules(nested)
        options = iter(self._all_options(notes, rules.threshold))
        return [
            rules.predictions(own, list(islice(options, len(own))), self.names) for _, own in notes
        ]

    def _all_options(self, notes: Sequence[Note], threshold: float) -> list[list[Link]]:
        """The links to choose from, of the detections of all notes end to end, best first."""
        detections = [detection for _, own in notes for detection in own]
        candidates = self._candidates(notes, detections)
        possible = self._possible(detections, candidates, threshold)
        ways = self._ways(detections, candidates).only(possible)
        options: list[list[Link]] = [[] for _ in detections]
        for at in ways.unseen:
            options[at] = [Link(candidates[at][0], 1.0, 1.0)]
        # All windows are encoded at once, in the order of the notes.
        read = sorted(ways.compared + ways.searched)
        windows = self._windows(self._cutter, notes, read)
        vectors = self._vectors(windows)  # (read, dim)
        surface = surfaces_of(self._spans(notes, read))
        linking = replace(self.linking, consistency=self.config.consistency)
        choosing = linking.choosing(vectors, surface)
        row_of = {at: row for row, at in enumerate(read)}
        for searching, part in ((False, ways.compared), (True, ways.searched)):
            for chunk in self._chunks(part):
                rows = torch.tensor([row_of[at] for at in chunk])
                if searching:
                    scored = self._searched(choosing[rows], windows, rows)
                    decided = scored.first()  # Only the best concept is decided on.
                else:
                    own = [candidates[at] for at in chunk]
                    scored = decided = self._compared(choosing[rows], own)
                chosen = Candidates.found(
                    decided.concepts, [detections[at] for at in chunk], self.names
                )
                links = self.linking.links(vectors[rows], chosen, decided.scores)
                for at, found in zip(chunk, self._options(links, scored), strict=True):
                    options[at] = found
        return options

    def _ways(self, detections: Sequence[Detection], candidates: Rows) -> Ways:
        """Choose the way of each detection. Detections in no list are left alone."""
        ways = Ways([], [], [])
        for at, rows in enumerate(candidates):
            if not rows:
                # If the table knows none of detection's candidates, the span is left alone.
                if not (self.config.use_pre_inference or self._known(detections[at])):
                    ways.searched.append(at)
                continue
            # If filters leave a span without candidates, it is dropped and not searched for.
            if self.config.filter_before_disamb:
                rows[:] = filter(self._allowed, rows)
            if len(rows) == 1 and self._taken_unseen:
                ways.unseen.append(at)
            elif rows:
                ways.compared.append(at)
        return ways

    def _possible(
        self, detections: Sequence[Detection], candidates: Rows, threshold: float
    ) -> list[bool]:
        """Whether a window may give each detection a probability that reaches the threshold.

        The other windows are not encoded, because they change no link.
        """
        known = Candidates.found(Groups.of(candidates), detections, self.names)
        possible: list[bool] = (self.linking.most_probable(known) >= threshold).tolist()
        return possible

    def _rules(self, nested: bool) -> LinkRules:
        """The rules that a link must pass, from the present configuration."""
        config = self.config
        threshold = config.link_threshold
        if threshold is None:
            threshold = float(self.linker.decision.threshold)
        threshold = max(threshold, config.similarity_threshold)
        limited = config.use_similarity_threshold and bool(config.long_similarity_threshold)
        return LinkRules(
            threshold,
            config.long_similarity_threshold if limited else -torch.inf,
            nested=nested,
            allowed=config.filters.check_filters,
        )

    @property
    def _taken_unseen(self) -> bool:
        return self.config.use_pre_inference and not self.config.always_calculate_similarity

    def _known(self, detection: Detection) -> bool:
        """Whether detection gave candidates and the configuration trusts them."""
        return self.config.use_ner_link_candidates and bool(detection.candidates)

    def _candidates(self, notes: Sequence[Note], detections: Sequence[Detection]) -> Rows:
        """The candidates from detection, from the index, or from both, each concept once.

        Candidates from detection come first. The index finds its own by the mention's own words.
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
        vectors = self._vectors(self._windows(self._bare, notes, wanting))
        for chunk in self._chunks(wanting):
            own, vectors = vectors[: len(chunk)], vectors[len(chunk) :]
            near = self.near.concepts(
                own, config.pre_inference_top_k_sampling, config.short_similarity_threshold
            )
            for at, scores in zip(chunk, near, strict=True):
                rows[at].extend(concept for concept in scores if concept not in rows[at])
        return rows

    def _compared(self, vectors: Tensor, candidates: Rows) -> Scored:
        """Candidates with their cosines. Shape: vectors (mentions, dim) of length 1."""
        groups = Groups.of(candidates)
        if self.config.disambiguate_by == "names":
            return Scored(groups, self.index.candidate_scores(vectors, groups))
        query = torch.repeat_interleave(torch.arange(len(groups)), groups.sizes)  # (members,)
        own = self.index.representative[groups.rows]
        return Scored(groups, paired_scores(vectors, query, vectors=self.index.vectors, rows=own))

    def _searched(self, vectors: Tensor, windows: Windows, rows: Tensor) -> Scored:
        """The concepts whose names are nearest to each mention's context, with their cosines.

        Shape: vectors (mentions, dim) of length 1
        Shape: rows (mentions,) row of each mention's window
        """
        k = self.config.inference_top_k_sampling
        if k == 1:
            linking = self.linking if self.config.rerank else replace(self.linking, reranking=None)
            none = Groups.of([[] for _ in range(len(vectors))])
            return linking.scored(vectors, none, windows=windows, rows=rows)
        # A reranker chooses one concept, so it is not used if several names are asked for.
        near = self.near.concepts(vectors, k, 0.0)
        scores = torch.tensor([score for scores in near for score in scores.values()])
        return Scored(Groups.of([list(scores) for scores in near]), scores)

    def _options(self, links: Links, scored: Scored) -> Iterator[list[Link]]:
        """The links to return for each detection, best first. All share its probability."""
        if not self.config.multiple_predictions_per_detected_entity:
            yield from ([link] for link in listed(links))
            return
        groups, scores, prior = scored.concepts, scored.scores, self.index.prior
        # The order is that of `choose`, so the probability belongs to the first concept.
        ranked = scores if prior is None else scores + prior[groups.rows]
        triples = zip(groups.rows.tolist(), scores.tolist(), ranked.tolist(), strict=True)
        for size, probability in zip(
            groups.sizes.tolist(), links.probability.tolist(), strict=True
        ):
            by_rank = sorted(islice(triples, size), key=lambda triple: -triple[2])
            yield [Link(concept, score, probability) for concept, score, _ in by_rank]

    def _allowed(self, concept: int) -> bool:
        return bool(self.config.filters.check_filters(self.names.cuis[concept]))

    def _windows(self, cutter: WindowCutter, notes: Sequence[Note], chosen: list[int]) -> Windows:
        """The windows of the detections at the positions `chosen`, which are ascending.

        Positions count the detections of all notes end to end.
        """
        return cutter(self._spans(notes, chosen))

    def _spans(
        self, notes: Sequence[Note], chosen: list[int]
    ) -> list[tuple[str, list[tuple[int, int]]]]:
        """The texts with the spans of the detections at the positions `chosen`."""
        wanted, first, spans = set(chosen), 0, []
        for text, own in notes:
            places = (at for at in range(len(own)) if first + at in wanted)
            spans.append((text, [(own[at].start, own[at].end) for at in places]))
            first += len(own)
        return spans

    def _vectors(self, windows: Windows) -> Tensor:
        """Vectors of windows, on the CPU. Returns: (windows, dim) of length 1."""
        if not len(windows):
            return torch.empty(0, self.linker.encoder.dim)
        return self._surfaces.encode(windows)

    def _chunks(self, positions: list[int]) -> list[list[int]]:
        size = self.config.linking_batch_size
        return [positions[at : at + size] for at in range(0, len(positions), size)]
