"""Readers of published corpora: one file and one `conf/data/*.yaml` for each format."""

from embedlink.corpora.protocol import Corpus
from embedlink.corpora.reading import read_corpora

__all__ = ["Corpus", "read_corpora"]
