"""The settings of corpora, of the concept database, and of splits."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from embedlink.settings import Settings, setting
from embedlink.types import CodeRule


@dataclass(frozen=True)
class DataSettings(Settings):
    """The corpora, their downloads and the concept database."""

    concepts: str = setting(
        help="concept database: a model pack, a CDB, a table (csv, tsv) or an RF2 release"
    )
    language: str = setting(
        "en", help='of the names of an RF2 release: en, en-GB, es, or several as "es,en"'
    )
    code_rule: CodeRule = setting(
        "first", help="a composite code counts by its first concept, by any, or not at all"
    )
    enrich: bool = setting(
        True, help="add the training mentions to the concept names, as MedCAT's training does"
    )
    new_concepts: bool = setting(
        True, help="add the concepts of training mentions that the database lacks"
    )
    strict: bool = setting(True, help="stop at bad rows; false skips and counts them")
    senses: str | None = setting(
        "en", help="what short forms mean: the package's table of a language (en, es) or your own "
        "csv; null for none",
    )  # fmt: skip
    unlabelled: str | None = setting(
        None, help="notes without annotations to learn short forms from: a folder of .txt, or a "
        "jsonl, parquet, csv or tsv with a column `text`; the training documents serve as well",
    )  # fmt: skip
    export: str | None = setting(None, help="your MedCATtrainer export (data=medcattrainer)")
    corpora: Mapping[str, Any] = field(default_factory=dict)
    sources: Mapping[str, Any] = field(default_factory=dict)


Split = Literal["random", "official"]


@dataclass(frozen=True)
class SplitSettings(Settings):
    """How documents are divided into training, validation and test documents."""

    by: Split = setting("random", help="draw documents, or use the parts that the corpus publishes")
    seed: int = setting(0, ge=0, help="decides random splits; by default the run's seed")
    test_share: float = setting(
        0.2, gt=0, lt=1, help="share of a corpus' documents to test on, if drawn"
    )
    validation_share: float = setting(
        0.1, gt=0, lt=1, help="share of the training documents to validate on, if drawn"
    )
    document_list: str | None = setting(
        None, help="a file with the ids of the test documents, one a line"
    )
