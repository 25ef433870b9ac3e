"""The steps of linking: which candidate fits best, and how probable the link is.

`completed` finds a concept for mentions without candidates. `choose` takes the best candidate.
`link` adds the probability that the link is right. `entity_linking` takes these steps for
evaluation and for MedCAT's components. The link decision trains on the choices made here.
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
    """What detection proposes, in rows of the concept index, one entry for each mention."""

    concepts: Groups  # one group of concept rows for each mention
    name: Tensor  # (mentions,) row of the name that matched, -1 if none did
    tagged: Tensor  # (mentions,) the tagger's log odds of a mention here, 0 without a tagger
    outside: Tensor  # (mentions,) probability of a meaning outside the database, in [0, 1]

    @classmethod
    def of(cls, detections: Sequence[Detection], names: ConceptNames) -> "Candidates":
        """Look up the rows of the detections' candidates. Unknown candidates are left out."""
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
        """Candidates from concept rows that are already known, one group for each detection."""
        name = [names.name_row.get(d.name, -1) for d in detections]
        # The log odds of 0.5 are 0, so a missing tagger counts neither for nor against a link.
        tagged = [0.5 if d.tagged is None else d.tagged for d in detections]
        return cls(
            concepts,
            torch.tensor(name, dtype=torch.int64),
            tagged=torch.logit(torch.tensor(tagged, dtype=torch.float64), eps=TAGGED_EPS).float(),
            outside=torch.tensor([d.outside for d in detections], dtype=torch.float32),
        )

    def select(self, rows: Tensor) -> "Candidates":
        """The candidates of some mentions. Shape: rows (n,)."""
        return Candidates(
            self.concepts.select(rows),
            self.name[rows],
            tagged=self.tagged[rows],
            outside=self.outside[rows],
        )


class Links(NamedTuple):
    """The chosen concept of each mention, and how probable it is that the link is right."""

    concept: Tensor  # (mentions,) concept row, -1 without a candidate
    similarity: Tensor  # (mentions,) cosine of the chosen concept, in [-1, 1]
    probability: Tensor  # (mentions,) that the link is right, in [0, 1]
    evidence: Tensor  # (mentions, 4) what the probability is made from: `LinkDecision.evidence`


class Scored(NamedTuple):
    """The candidates of each mention with their cosines."""

    concepts: Groups  # concept rows by mention
    scores: Tensor  # (members,) cosine in [-1, 1]

    def first(self) -> "Scored":
        """The first candidate of each mention that has one."""
        some = self.concepts.sizes > 0
        at = self.concepts.starts[:-1][some]
        return Scored(Groups.sized(self.concepts.rows[at], some.long()), self.scores[at])


class Choice(NamedTuple):
    """The best candidate of each mention, and by how much it leads."""

    concept: Tensor  # (mentions,) concept row, -1 without a candidate
    similarity: Tensor  # (mentions,) cosine in [-1, 1], 0 without a candidate
    margin: Tensor  # (mentions,) lead over the next candidate, prior included, 0 if it is alone


def choose(
    vectors: Tensor, candidates: Groups, index: ConceptIndex, scores: Tensor | None = None
) -> Choice:
    """Take the best candidate of each mention. If scores are equal, the first one wins.

    The index gives the scores if `scores` is None. The prior of the index is added to the scores.
    `candidates` holds one group of concept rows for each mention.

    Shape: vectors (mentions, dim) of length 1
    Shape: scores (members,) cosines of the candidates
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
    # The prior only affects the choice: similarities stay cosines.
    table = similarity.clone()
    if index.prior is not None:
        table[filled] += index.prior[candidates.rows]
    best, at = table.max(1)
    rest = table.scatter(1, at[:, None], -torch.inf).amax(1)
    concept = torch.full((count, width), -1, dtype=torch.int64)
    concept[filled] = candidates.rows
    some = candidates.sizes > 0
    margin = torch.where(candidates.sizes > 1, best - rest, 0.0)
    own = similarity.gather(1, at[:, None]).squeeze(1)
    chosen = concept.gather(1, at[:, None]).squeeze(1)
    return Choice(chosen, torch.where(some, own, 0.0), margin)


def completed(
    vectors: Tensor,
    candidates: Groups,
    index: ConceptIndex,
    nearest: Callable[[Tensor], Hits] | None = None,
) -> Scored:
    """Give each mention without candidates the concept of its nearest name.

    `nearest` takes rows of mentions and finds their nearest concepts. The index searches if
    `nearest` is None. A score comes from `ConceptIndex.candidate_scores`, or from the search if the
    concept was searched for.

    Shape: vectors (mentions, dim)
    """
    scores = index.candidate_scores(vectors, candidates)
    bare = torch.nonzero(candidates.sizes == 0).squeeze(1)
    if not len(bare) or not len(index.name_vectors):
        return Scored(candidates, scores)
    hits = nearest(bare) if nearest else index.search_concepts(vectors[bare], 1)
    sizes = candidates.sizes.index_fill(0, bare, 1)
    groups = Groups.sized(torch.empty(int(sizes.sum()), dtype=torch.int64), sizes)
    # A group that was empty now has one member, which is new.
    new = torch.zeros(len(groups.rows), dtype=torch.bool)
    new[groups.starts[:-1][bare]] = True
    groups.rows[new], groups.rows[~new] = hits.rows[:, 0], candidates.rows
    filled = torch.empty(len(new))
    filled[new], filled[~new] = hits.scores[:, 0], scores
    return Scored(groups, filled)


def decision_features(choice: Choice, sizes: Tensor, counts: Tensor) -> Tensor:
    """The inputs of `LinkDecision` beside the vector, in the order of `decision.FEATURES`.

    Shape: sizes (mentions,) number of candidates
    Shape: counts (mentions, 2) from `NameCounts.features`
    Returns: (mentions, features)
    """
    several = (sizes > 1).float()
    return torch.cat([torch.stack([choice.similarity, choice.margin, several], 1), counts], 1)


@torch.no_grad()
def most_probable(candidates: Candidates, decision: LinkDecision, counts: NameCounts) -> Tensor:
    """The greatest probability that each mention can be linked with, whatever its window says.

    Returns: (mentions,) in [0, 1]
    """
    named = candidates.name >= 0
    known = decision.without_context(
        candidates.concepts.sizes > 1, counts.features(candidates.name), candidates.tagged
    )
    return decision.most(known, named) * (1 - candidates.outside)


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

    If a short form may mean something outside the database, its link becomes less probable.

    Shape: vectors (mentions, dim) of length 1
    Shape: scores (members,) cosines of the candidates, looked up in the index if None
    """
    choice = choose(vectors, candidates.concepts, index=index, scores=scores)  # (mentions,) each
    features = decision_features(
        choice, candidates.concepts.sizes, counts.features(candidates.name)
    )
    evidence = decision.evidence(vectors, features, candidates.tagged)
    probability = decision.probability(evidence, candidates.name >= 0) * (1 - candidates.outside)
    probability = torch.minimum(probability, most_probable(candidates, decision, counts))
    return Links(choice.concept, choice.similarity, probability=probability, evidence=evidence)
