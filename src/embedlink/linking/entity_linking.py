"""The one place that links: evaluation and MedCAT's components both call it.

Vectors of mentions come in, with the candidates that detection gives them. `scored` completes and
scores the candidates. `links` chooses one for each mention and says how probable the link is.
`LinkRules` decide which links become predictions. `evaluation` counts them.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from embedlink.concepts.names import ConceptNames
from embedlink.encoder.windows import Windows
from embedlink.index.concept_index import ConceptIndex, Hits
from embedlink.linking.choice import Candidates, Links, Scored, completed, link, most_probable
from embedlink.linking.consistency import drawn_together
from embedlink.linking.decision import LinkDecision, NameCounts
from embedlink.linking.linker import Linker
from embedlink.linking.overlaps import keep_best
from embedlink.linking.reranker import Reranking
from embedlink.ragged import Groups
from embedlink.types import Detection, Prediction


class Link(NamedTuple):
    """One concept for one mention."""

    concept: int  # row, -1 for none
    similarity: float  # cosine in [-1, 1]
    probability: float  # that the link is right, in [0, 1]


def listed(links: Links) -> list[Link]:
    """The links of all mentions as a list, one `Link` for each mention."""
    columns = (links.concept.tolist(), links.similarity.tolist(), links.probability.tolist())
    return [Link(*row) for row in zip(*columns, strict=True)]


def any_concept(cui: str) -> bool:
    """Let every concept be linked."""
    return True


@dataclass(frozen=True)
class LinkRules:
    """What a link must pass. By default everything that has a concept is linked.

    `allowed` is a filter. It only takes links away and never adds or changes another link.
    """

    threshold: float = 0.0  # least probability
    least_similarity: float = -torch.inf  # least cosine
    nested: bool = False  # whether links may overlap
    allowed: Callable[[str], bool] = any_concept  # whether a CUI may be linked

    def predictions(
        self,
        detections: Sequence[Detection],
        options: Sequence[Sequence[Link]],
        names: ConceptNames,
    ) -> list[list[Prediction]]:
        """Predictions for each detection of one document. A detection without a link has none.

        `options` holds the links of each detection, best first. If detections overlap, only the
        most probable one stays, unless the rules allow nested links.
        """
        passing = [list(filter(self._passed_by, own)) for own in options]
        linked = [at for at, own in enumerate(passing) if own]
        if not self.nested:
            probabilities = [passing[at][0].probability for at in linked]
            kept = keep_best([detections[at] for at in linked], probabilities)
            linked = [linked[at] for at in kept]
        found: list[list[Prediction]] = [[] for _ in detections]
        for at in linked:
            start, end = detections[at].start, detections[at].end
            for concept, similarity, probability in passing[at]:
                cui = names.cuis[concept]
                # The filter comes last: a link that it removes still beats those it overlaps.
                if self.allowed(cui):
                    found[at].append(
                        Prediction(
                            start, end, cui=cui, similarity=similarity, probability=probability
                        )
                    )
        return found

    def _passed_by(self, link: Link) -> bool:
        enough = link.probability >= self.threshold and link.similarity >= self.least_similarity
        return link.concept >= 0 and enough


@dataclass(frozen=True)
class EntityLinking:
    """Links mentions to the concepts of one index. `names` and `index` share their rows."""

    names: ConceptNames
    index: ConceptIndex
    decision: LinkDecision
    counts: NameCounts
    reranking: Reranking | None = None
    consistency: float = 0.0  # how far one surface in a note shares its contexts, in [0, 1]

    @classmethod
    def of(cls, linker: Linker, names: ConceptNames, index: ConceptIndex) -> "EntityLinking":
        """Link as this linker does."""
        counts, reranking = linker.name_counts(names), linker.reranking(names, index)
        weight = linker.settings.consistency
        return cls(names, index, linker.decision, counts, reranking, weight)

    def choosing(self, vectors: Tensor, surface: Tensor) -> Tensor:
        """The vectors that choose concepts: one surface in a note shares its contexts.

        Whether to link at all is decided by each mention's own vector.

        Shape: vectors (mentions, dim) of length 1
        Shape: surface (mentions,) from `consistency.surfaces_of`
        Returns: (mentions, dim) of length 1
        """
        return drawn_together(vectors, surface, self.consistency)

    def nearest(
        self,
        vectors: Tensor,
        windows: Windows,
        rows: Tensor,
        k: int = 1,
        progress: str | None = None,
        meant: Groups | None = None,
    ) -> Hits:
        """The k nearest concepts of each mention, or more if the reranker compares more.

        Only the reranker reads `windows`. If some of the concepts are what a mention's short form
        means, they come first. `meant` holds them for each mention. Scores are cosines in [-1, 1],
        whatever decides the order.

        Shape: vectors (mentions, dim) of length 1
        Shape: rows (mentions,) row of each mention's window
        Returns: (mentions, k)
        """
        if self.reranking is None:
            hits = self.index.search_concepts(vectors, k)
        else:
            hits = self.index.search_concepts(vectors, max(k, self.reranking.top_k))
            hits = self.reranking.reordered(vectors, windows, rows, hits, progress)
        return hits if meant is None else hits.reordered(_is_meant(hits, meant).float())

    def scored(
        self,
        vectors: Tensor,
        candidates: Groups,
        windows: Windows,
        rows: Tensor,
        progress: str | None = None,
    ) -> Scored:
        """Candidates with their cosines. A mention without candidates gets its nearest concept.

        `candidates` holds one group of concept rows for each mention.

        Shape: vectors (mentions, dim) of length 1
        Shape: rows (mentions,) row of each mention's window
        """

        def nearest(bare: Tensor) -> Hits:
            return self.nearest(vectors[bare], windows, rows[bare], progress=progress)

        # A search through all names is costly, so only mentions without candidates get one.
        return completed(vectors, candidates, index=self.index, nearest=nearest)

    def most_probable(self, candidates: Candidates) -> Tensor:
        """The greatest probability of each mention's link, known before its window is read.

        Returns: (mentions,) in [0, 1]
        """
        return most_probable(candidates, self.decision, self.counts)

    def links(self, vectors: Tensor, candidates: Candidates, scores: Tensor) -> Links:
        """Choose a candidate for each mention, without any rule.

        Shape: vectors (mentions, dim) of length 1
        Shape: scores (members,) cosines of the candidates
        """
        return link(vectors, candidates, self.index, self.decision, self.counts, scores)


def _is_meant(hits: Hits, meant: Groups) -> Tensor:
    """Which hits of each mention are in its group. Returns: (mentions, k) bool."""
    mention, concept = meant.expand(torch.arange(len(meant)))  # (members,) each
    is_meant = torch.zeros(hits.rows.shape, dtype=torch.bool)
    for row, own in zip(mention.tolist(), concept.tolist(), strict=True):
        is_meant[row] |= hits.rows[row] == own
    return is_meant
