"""The data of a run: documents in three splits, a concept database, and its names."""

import hashlib
import json
import logging
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from medcat.cdb import CDB

from embedlink.concepts.codes import align_codes, check_overlap
from embedlink.concepts.database import load_cdb
from embedlink.concepts.enrichment import enrich_cdb
from embedlink.concepts.names import ConceptNames, concept_names
from embedlink.corpora.reading import read_corpora
from embedlink.corpora.report import DataReport, build_report
from embedlink.corpora.splits import Splits, split_documents
from embedlink.detection.pipeline import (
    check_tokenizer,
    detect_by,
    detection_config,
    leave_out_extras,
)
from embedlink.experiment.parts import Inputs
from embedlink.problems import Problems
from embedlink.settings import settings_of
from embedlink.types import Document, Representative

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Data:
    """What a run trains and is measured on.

    `enriched` holds the (name, CUI) pairs that were added from training mentions. `report` counts
    what was read before they were added.
    """

    splits: Splits
    cdb: CDB
    names: ConceptNames
    report: DataReport
    enriched: Sequence[tuple[str, str]]

    @property
    def digest(self) -> str:
        """SHA-256 over all documents, their split, and the concept table."""
        sha = hashlib.sha256(self.names.digest.encode())
        for side in ("train", "validation", "test"):
            for document in getattr(self.splits, side):
                sha.update(json.dumps([side, asdict(document)], sort_keys=True).encode())
        return sha.hexdigest()


def load_data(inputs: Inputs, representative: Representative) -> Data:
    """Read the corpora and the concept database, split them, and add the training names."""
    data = inputs.data
    documents, problems = read_corpora(data.corpora, strict=data.strict)
    ner = inputs.detection
    config = detection_config(**{name: getattr(ner, name) for name in settings_of(type(ner))})
    cdb = load_cdb(data.concepts, problems, config=config, language=data.language)
    check_tokenizer(cdb)
    leave_out_extras(cdb)
    detect_by(cdb, config)
    if data.strict:
        problems.raise_if_rejected()
    documents = align_codes(documents, cdb)
    check_overlap(documents, cdb)
    splits = split_documents(documents, inputs.split)
    splits = _limited(splits, inputs.limit_documents)
    report = build_report(documents, problems, cdb)
    new = data.new_concepts
    enriched = enrich_cdb(cdb, splits.train, new_concepts=new) if data.enrich else []
    names = concept_names(cdb, representative)
    _describe(splits, names, problems=problems, enriched=len(enriched))
    return Data(splits, cdb, names=names, report=report, enriched=enriched)


def _limited(splits: Splits, limit: int | None) -> Splits:
    train, validation, test = splits.train, splits.validation, splits.test
    return Splits(train[:limit], validation[:limit], test=test[:limit], dropped=splits.dropped)


def _describe(splits: Splits, names: ConceptNames, problems: Problems, enriched: int) -> None:
    """Log how much was read, and the first problem. No text of a document is logged."""

    def mentions(documents: list[Document]) -> int:
        return sum(len(document.mentions) for document in documents)

    for side in ("train", "validation", "test"):
        documents = getattr(splits, side)
        log.info("%-10s %5d documents %6d mentions", side, len(documents), mentions(documents))
    log.info(
        "concepts   %5d with %d names, %d of them added from training mentions",
        len(names.cuis), len(names.names), enriched,
    )  # fmt: skip
    if problems.found:
        log.warning(
            "%d problems in the input, %d rows left out; the first: %s",
            len(problems.found), len(problems.rejected), problems.found[0],
        )  # fmt: skip
