"""What an encoder has to beat: concepts found by the mention's surface alone.

Surfaces and names are compared by `words.normal_form`. All but the plain dictionary use the
concept database as the linker does, with the names added from training mentions. A baseline only
scores concepts; `baseline_outcome` makes ranks and links of the scores, so that it is measured as a
linker is.
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
"""Larger is better; only the scores of one surface are compared with each other."""


class Baseline(Protocol):
    """Scores concepts for surfaces."""

    def scores(self, surfaces: Sequence[str]) -> Scores:
        """How well each concept fits, 0 where not at all. Shape: (surfaces, concepts), >= 0."""


@dataclass(frozen=True)
class Dictionary:
    """Concepts by what is equal to the surface.

    `weights` holds the weight of each concept's row by the `normal_form` of its names; `concepts`
    is how many rows there are.
    """

    weights: Mapping[str, Mapping[int, float]]
    concepts: int

    @classmethod
    def of_names(cls, names: ConceptNames, added: Collection[tuple[str, str]] = ()) -> "Dictionary":
        """The names of the database, less the (name, CUI) pairs of `added`.

        A name weighs 1 for each of its concepts. Names in `added` are as the database has them
        (`enrich_cdb`), not normal forms.
        """
        left_out = set(added)
        weights: dict[str, dict[int, float]] = {}
        for form, rows in names.names_by_form.items():
            for row in rows:
                for cui in names.concepts_of_name[row].tolist():
                    if (names.names[row], names.cuis[cui]) not in left_out:
                        weights.setdefault(form, {})[cui] = 1.0
        return cls(weights, len(names.cuis))

    def with_spans(self, training: TrainingMentions, names: ConceptNames) -> "Dictionary":
        """Training mentions count before names, each as often as it was annotated.

        A new dictionary; this one stays. Concepts that the database lacks are left out.
        """
        weights = {form: dict(own) for form, own in self.weights.items()}
        for form, counts in training.surfaces.items():
            for cui, count in counts.items():
                row = names.cui_row.get(cui)
                if row is not None:
                    own = weights.setdefault(form, {})
                    # 2, since a single mention is to count more than the name's 1.
                    own[row] = own.get(row, 0.0) + 2.0 * count
        return Dictionary(weights, self.concepts)

    def scores(self, surfaces: Sequence[str]) -> Scores:
        """The weights; see `Baseline`."""
        table = np.zeros((len(surfaces), self.concepts))
        for at, surface in enumerate(surfaces):
            own = self.weights.get(normal_form(surface), {})
            table[at, list(own)] = list(own.values())
        return table


class NameSearch:
    """Concepts by their best name, as a search engine over names scores it.

    A concept without names has score 0.
    """

    def __init__(
        self, names: ConceptNames, search: Callable[[Sequence[str]], NDArray[np.float32]]
    ) -> None:
        """`search` gives (surfaces, names) scores for normal forms, 0 where nothing fits."""
        self.search, self.concepts = search, len(names.cuis)
        # reduceat gives an empty segment its neighbour's value: concepts without names stay out.
        self.filled = names.names_of_concept.sizes.numpy() > 0
        self.rows = names.names_of_concept.rows.numpy()
        self.starts = names.names_of_concept.starts[:-1].numpy()[self.filled]

    def scores(self, surfaces: Sequence[str]) -> Scores:
        """The best name's score; see `Baseline`."""
        found = self.search([normal_form(surface) for surface in surfaces])
        table = np.zeros((len(surfaces), self.concepts))  # (surfaces, concepts)
        if len(self.starts):
            table[:, self.filled] = np.maximum.reduceat(found[:, self.rows], self.starts, axis=1)
        return table


def tfidf(names: ConceptNames) -> NameSearch:
    """Cosine over TF-IDF of three characters within words (as scispaCy's candidates).

    In [0, 1]: no weight is negative, and the vectorizer's rows have length 1 (or no n-gram).
    """
    vectorizer = TfidfVectorizer(analyzer="char_wb", ngram_range=(3, 3), dtype=np.float32)
    matrix = vectorizer.fit_transform(_forms(names)).T.tocsr()  # (n-grams, names)
    return NameSearch(names, lambda forms: (vectorizer.transform(forms) @ matrix).toarray())


def bm25(names: ConceptNames) -> NameSearch:
    """BM25 over words, as Lucene has it (k1 1.5, b 0.75). Scores have no upper bound."""
    engine = bm25s.BM25(method="lucene", k1=1.5, b=0.75)
    words = [form.split() for form in _forms(names)]
    engine.index(words, show_progress=False)
    known = {word for own in words for word in own}

    def score(form: str) -> NDArray[np.float32]:
        """The engine takes no word that it does not know, and no query without any."""
        query = [word for word in form.split() if word in known]
        found: NDArray[np.float32] = (
            engine.get_scores(query) if query else np.zeros(len(words), dtype=np.float32)
        )
        return found

    return NameSearch(names, lambda forms: np.stack([score(form) for form in forms]))


def _forms(names: ConceptNames) -> list[str]:
    # The texts behind those of the names are representatives that are no name's string.
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
"""The baselines by the name that configurations and MLflow give them; all take the same."""


def check_baseline(key: str, value: object) -> None:
    """Raise `EmbedLinkError` for a baseline that does not exist; `key` is the setting to name."""
    if value not in BASELINES:
        raise EmbedLinkError(f"{key}={value!r} is not allowed; it takes {', '.join(BASELINES)}")
