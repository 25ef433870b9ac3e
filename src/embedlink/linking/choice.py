"""From vectors to links: the one place where a mention's concept is chosen.

`completed` finds a concept for mentions without candidates, `choose` takes the best candidate, and
`link` adds how probable it is that the link is right. Evaluation and MedCAT's component link here,
and the link decision trains on what is chosen here.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from embedlink.concepts.names import ConceptNames
from embedlink.index.concept_index import ConceptIndex, Hits
from embedlink.linking.decision import LinkDecision, NameCounts
from embedlink.ragged import Groups
from embedlink.types import Detection

TAGGED_EPS = 1e-3
"""How near 0 and 1 the tagger's probabilities are believed."""


@dataclass(frozen=True)
class Candidates:
    """What detection proposes, in rows of the concept index, one entry for each mention.

    Shape: concepts one group of concept rows for each mention; name (mentions,) row of the name
    that matched, -1 where none did; tagged (mentions,) log odds that an annotator marks the
    span, as the tagger has it, 0 without one; outside (mentions,) probability that a short form
    means something outside the database.
    """

    concepts: Groups
    name: Tensor
    tagged: Tensor
    outside: Tensor

    @classmethod
    def of(cls, detections: Sequence[Detection], names: ConceptNames) -> "Candidates":
        """Look up the rows; candidates that the table does not know are left out."""
        row = names.cui_row
        return cls.found(
            Groups.of([row[cui] for cui in d.candidates if cui in row] for d in detections),
            detections,
            names,
        )

    @classmethod
    def found(
        cls, concepts: Groups, detections: Sequence[Detection], names: ConceptNames
    ) -> "Candidates":
        """These concepts for the detections, one group of concept rows each, in their order."""
        name = [names.name_row.get(d.name, -1) for d in detections]
        # Log odds of 0.5 are 0, which says nothing.
        tagged = [0.5 if d.tagged is None else d.tagged for d in detections]
        return cls(
            concepts,
            torch.tensor(name, dtype=torch.int64),
            torch.logit(torch.tensor(tagged, dtype=torch.float64), eps=TAGGED_EPS).float(),
            torch.tensor([d.outside for d in detections], dtype=torch.float32),
        )

    def select(self, rows: Tensor) -> "Candidates":
        """Those of some mentions. Shape: rows (n,)."""
        return Candidates(
            self.concepts.select(rows), self.name[rows], self.tagged[rows], self.outside[rows]
        )


class Links(NamedTuple):
    """The choice for each mention; `concept` is -1 where it has no candidate.

    Shape: concept (mentions,) concept rows; similarity (mentions,) cosine in [-1, 1] of the chosen
    concept; probability (mentions,) that the link is right, in [0, 1]; evidence (mentions, 4) that
    it was made from, see `LinkDecision.evidence`.
    """

    concept: Tensor
    similarity: Tensor
    probability: Tensor
    evidence: Tensor


class Choice(NamedTuple):
    """The best candidate of each mention and by how much it leads. Shape: (mentions,) each.

    `margin` is 0 or more, prior included, and 0 where there is no other candidate; without any
    `concept` is -1 and `similarity` 0.
    """

    concept: Tensor
    similarity: Tensor
    margin: Tensor


def choose(
    vectors: Tensor, candidates: Groups, index: ConceptIndex, scores: Tensor | None = None
) -> Choice:
    """Take each mention's best candidate; equal scores go to the first of the candidates.

    `scores` (members,) of the candidates are looked up in the index unless given. The index's
    prior of the concepts counts beside them. Shape: vectors (mentions, dim), candidates concept
    rows by mention.
    """
    if scores is None:
        scores = index.candidate_scores(vectors, candidates)
    count, width = len(candidates), int(candidates.sizes.max()) if len(candidates) else 0
    if not width:
        none = torch.full((count,), -1, dtype=torch.int64)
        return Choice(none, torch.zeros(count), torch.zeros(count))
    column = torch.arange(width)
    filled = column < candidates.sizes[:, None]  # (mentions, width)
    similarity = torch.full((count, width), -torch.inf)
    similarity[filled] = scores
    # The prior counts in the choice alone: similarities stay cosines.
    table = similarity.clone()
    if index.prior is not None:
        table[filled] += index.prior[candidates.rows]
    best, at = table.max(1)
    rest = table.scatter(1, at[:, None], -torch.inf).amax(1)
    cui = torch.full((count, width), -1, dtype=torch.int64)
    cui[filled] = candidates.rows
    some = candidates.sizes > 0
    margin = torch.where(candidates.sizes > 1, best - rest, 0.0)
    own = similarity.gather(1, at[:, None]).squeeze(1)
    return Choice(cui.gather(1, at[:, None]).squeeze(1), torch.where(some, own, 0.0), margin)


def completed(
    vectors: Tensor,
    candidates: Groups,
    index: ConceptIndex,
    nearest: Callable[[Tensor], Hits] | None = None,
) -> tuple[Groups, Tensor]:
    """Give mentions without candidates the concept of the name that is nearest of all.

    `nearest` finds the concepts nearest to the mentions of some rows; without it the index does.
    Shape: vectors (mentions, dim) -> groups of concept rows, and their scores (members,): those
    of `ConceptIndex.candidate_scores`, and of the nearest name.
    """
    scores = index.candidate_scores(vectors, candidates)
    bare = torch.nonzero(candidates.sizes == 0).squeeze(1)
    if not len(bare) or not len(index.name_vectors):
        return candidates, scores
    hits = nearest(bare) if nearest else index.search_concepts(vectors[bare], 1)
    sizes = candidates.sizes.index_fill(0, bare, 1)
    groups = Groups.sized(torch.empty(int(sizes.sum()), dtype=torch.int64), sizes)
    # Members that were not there: the only ones of groups that were empty.
    new = torch.zeros(len(groups.rows), dtype=torch.bool)
    new[groups.starts[:-1][bare]] = True
    groups.rows[new], groups.rows[~new] = hits.rows[:, 0], candidates.rows
    filled = torch.empty(len(new))
    filled[new], filled[~new] = hits.scores[:, 0], scores
    return groups, filled


def decision_features(choice: Choice, sizes: Tensor, counts: Tensor) -> Tensor:
    """Inputs of `LinkDecision` beside the vector; see `decision.FEATURES`.

    Shape: sizes (mentions,) candidates of each, counts (mentions, 2) from `NameCounts.features`
    -> (mentions, features).
    """
    several = (sizes > 1).float()
    return torch.cat([torch.stack([choice.similarity, choice.margin, several], 1), counts], 1)


@torch.no_grad()
def link(
    vectors: Tensor,
    candidates: Candidates,
    index: ConceptIndex,
    decision: LinkDecision,
    counts: NameCounts,
    scores: Tensor | None = None,
) -> Links:
    """Choose a concept for every mention and say how probable a link is.

    What a short form means outside the database takes its share of the probability.

    Shape: vectors (mentions, dim), unit length; scores (members,) as in `choose`.
    """
    choice = choose(vectors, candidates.concepts, index, scores)  # (mentions,) each
    features = decision_features(
        choice, candidates.concepts.sizes, counts.features(candidates.name)
    )
    evidence = decision.evidence(vectors, features, candidates.tagged)
    probability = decision.probability(evidence, candidates.name >= 0) * (1 - candidates.outside)
    return Links(choice.concept, choice.similarity, probability, evidence)
