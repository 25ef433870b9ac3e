from pathlib import Path

import pytest
from medcat.cat import CAT
from medcat.cdb import CDB
from medcat.trainer import Trainer
from medcat.vocab import Vocab

from embedlink.concepts.database import load_cdb
from embedlink.concepts.enrichment import enrich_cdb
from embedlink.problems import Problems
from embedlink.types import Document, Mention
from tests.concepts.conftest import DOCUMENT, TEXT


@pytest.mark.filterwarnings("ignore:Linker implements the legacy:DeprecationWarning")
def test_enriching_is_what_medcats_supervised_training_adds(
    snomed_table: Path, snomed_cdb: CDB
) -> None:
    other = load_cdb(snomed_table, Problems())
    cat = CAT(other, Vocab())
    kept = [mention for mention in DOCUMENT.mentions if mention.cui]
    annotations = [
        {"start": m.start, "end": m.end, "cui": m.code, "value": TEXT[m.start : m.end]}
        for m in kept
    ]
    document = {"id": "1", "name": "n", "text": TEXT, "annotations": annotations}
    project = {"name": "p", "id": "1", "cuis": "", "tuis": "", "documents": [document]}
    trainer: Trainer = cat.trainer
    trainer.train_supervised_raw({"projects": [project]}, disable_progress=True)
    assert len(enrich_cdb(snomed_cdb, [DOCUMENT])) == 2
    assert sorted(snomed_cdb.name2info) == sorted(other.name2info)
    assert [snomed_cdb.cui2info[c]["names"] for c in snomed_cdb.cui2info] == [
        i["names"] for i in other.cui2info.values()
    ]
    assert snomed_cdb.token_counts == other.token_counts
    assert len(enrich_cdb(snomed_cdb, [DOCUMENT])) == 0


def test_unknown_concepts_are_added_only_on_request(snomed_cdb: CDB) -> None:
    document = Document("n", TEXT, (Mention(5, 11, "999"),), "mine")
    assert len(enrich_cdb(snomed_cdb, [document])) == 0
    assert "999" not in snomed_cdb.cui2info
    assert len(enrich_cdb(snomed_cdb, [document], new_concepts=True)) == 1
    assert snomed_cdb.cui2info["999"]["names"] == {"asthma"}
