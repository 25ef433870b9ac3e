"""The settings of what is measured."""

from typing import Literal

BaselineName = Literal["dictionary", "dictionary_spans", "tfidf", "bm25"]
"""The baselines without an encoder."""
