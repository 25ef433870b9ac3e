"""What an encoder has to beat: concepts found by the mention's surface alone.

Surfaces and names are compared by `words.normal_form`. The plain dictionary uses the names of the
database alone. The others also use the names added from training mentions, as the linker does. A
baseline only scores concepts. `baseline_outcome` makes ranks and links of the scores, so a baseline
is measured as a linker is.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import bm25s
import numpy as np
from numpy.typing import NDArray
from sklearn.feature_extraction.text import TfidfVectorizer

from embedlink.concepts.names import ConceptNames
from embedlink.corpora.frequencies import TrainingMentions
from embedlink.problems import EmbedLinkError
from embedlink.text.words import normal_form

Scores = NDArray[np.float64]
"""Larger is better. Only the scores of one surface are compared with each other."""


class Baseline(Protocol):
    """Scores concepts for surfaces."""

    def scores(self, surfaces: Sequence[str]) -> Scores:
        """How well each concept fits, 0 if it does not. Shape: (surfaces, concepts), >= 0."""


@dataclass(frozen=True)
class Dictionary:
    """Concepts by the names and training mentions that equal the surface."""

    weights: Mapping[str, Mapping[int, float]]  # by normal form, then by concept row
    concepts: int  # how many there are

    @classmethod
    def of_names(cls, names: ConceptNames, added: Collection[tuple[str, str]] = ()) -> "Dictionary":
        """The names of the database, without the (name, CUI) pairs of `added`.

        A name weighs 1 for each of its concepts. Names in `added` are written as in the database,
        not as normal forms.
        """
        left_out = set(added)
        weights: dict[str, dict[int, float]] = {}
        for form, rows in names.names_by_form.items():
            for row in rows:
                for concept in names.concepts_of_name[row].tolist():
                    if (names.names[row], names.cuis[concept]) not in left_out:
                        weights.setdefault(form, {})[concept] = 1.0
        return cls(weights, len(names.cuis))

    def with_spans(self, training: TrainingMentions, names: ConceptNames) -> "Dictionary":
        """A new dictionary in which training mentions count more than names.

        Each counts as often as it was annotated. Concepts that the database lacks are left out.
        """
        weights = {form: dict(own) for form, own in self.weights.items()}
        for form, counts in training.surfaces.items():
            for cui, count in counts.items():
                row = names.cui_row.get(cui)
                if row is not None:
                    own = weights.setdefault(form, {})
                    # 2, because a single mention counts more than a name, which has 1.
                    own[row] = own.get(row, 0.0) + 2.0 * count
        return Dictionary(weights, self.concepts)

    def scores(self, surfaces: Sequence[str]) -> Scores:
        """The weights, as `Baseline` says."""
        table = np.zeros((len(surfaces), self.concepts))
        for at, surface in enumerate(surfaces):
            own = self.weights.get(normal_form(surface), {})
            table[at, list(own)] = list(own.values())
        return table


class NameSearch:
    """Concepts by their best name, scored by a search engine over names.

    A concept without names has score 0.
    """

    def __init__(
        self, names: ConceptNames, search: Callable[[Sequence[str]], NDArray[np.float32]]
    ) -> None:
        """`search` takes normal forms and returns scores (surfaces, names), 0 if nothing fits."""
        self.search, self.concepts = search, len(names.cuis)
        # `reduceat` gives an empty segment its neighbour's value: concepts without names stay out.
        self.filled = names.names_of_concept.sizes.numpy() > 0
        self.rows = names.names_of_concept.rows.numpy()
        self.starts = names.names_of_concept.starts[:-1].numpy()[self.filled]

    def scores(self, surfaces: Sequence[str]) -> Scores:
        """The best name's score, as `Baseline` says."""
        found = self.search([normal_form(surface) for surface in surfaces])
        table = np.zeros((len(surfaces), self.concepts))  # (surfaces, concepts)
        if len(self.starts):
            table[:, self.filled] = np.maximum.reduceat(found[:, self.rows], self.starts, axis=1)
        return table


def tfidf(names: ConceptNames) -> NameSearch:
    """Cosine over TF-IDF of three characters within words, as in scispaCy's candidates.

    Scores lie in [0, 1], because no weight is negative and the vectorizer's rows have length 1.
    """
    vectorizer = TfidfVectorizer(analyzer="char_wb", ngram_range=(3, 3), dtype=np.float32)
    matrix = vectorizer.fit_transform(_forms(names)).T.tocsr()  # (n-grams, names)
    return NameSearch(names, lambda forms: (vectorizer.transform(forms) @ matrix).toarray())


def bm25(names: ConceptNames) -> NameSearch:
    """BM25 over words, as in Lucene, with k1 1.5 and b 0.75. Scores have no upper bound."""
    engine = bm25s.BM25(method="lucene", k1=1.5, b=0.75)
    words = [form.split() for form in _forms(names)]
    engine.index(words, show_progress=False)
    known = {word for own in words for word in own}

    def score(form: str) -> NDArray[np.float32]:
        """The engine takes only words that it knows, and no query without a word."""
        query = [word for word in form.split() if word in known]
        found: NDArray[np.float32] = (
            engine.get_scores(query) if query else np.zeros(len(words), dtype=np.float32)
        )
        return found

    return NameSearch(names, lambda forms: np.stack([score(form) for form in forms]))


def _forms(names: ConceptNames) -> list[str]:
    # The texts behind the names are representative names that are no name's string.
    return [normal_form(text) for text in names.texts[: len(names.names)]]


Added = Collection[tuple[str, str]]
BASELINES: Mapping[str, Callable[[ConceptNames, TrainingMentions, Added], Baseline]] = {
    "dictionary": lambda names, _, added: Dictionary.of_names(names, added),
    "dictionary_spans": lambda names, training, added: Dictionary.of_names(names, added).with_spans(
        training, names
    ),
    "tfidf": lambda names, *_: tfidf(names),
    "bm25": lambda names, *_: bm25(names),
}
"""The baselines by their name in configurations and in MLflow. All take the same arguments."""


def check_baseline(key: str, value: object) -> None:
    """Raise `EmbedLinkError` if there is no such baseline. `key` is the setting to name."""
    if value not in BASELINES:
        raise EmbedLinkError(f"{key}={value!r} is not allowed; it takes {', '.join(BASELINES)}")
