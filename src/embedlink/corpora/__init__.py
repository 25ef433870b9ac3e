"""Readers of published corpora: one file and one `conf/data/*.yaml` for each format.

A reader is a dataclass that the configuration makes and that offers `protocol.Corpus`. It takes
rows from `files` (or documents from `json_stream`), lets `spans` check each mention against its
text, and yields documents. `reading` runs all readers of a run and reports what was wrong. Concept
databases and detection do not belong here.
"""

from embedlink.corpora.protocol import Corpus
from embedlink.corpora.reading import read_corpora

__all__ = ["Corpus", "read_corpora"]
