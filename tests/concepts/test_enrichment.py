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
from tests.written import write_snomed_table

TEXT = "Mild asthma bronchiale, and DM (type 2)."
DOCUMENT = Document(
    "n",
    TEXT,
    (Mention(5, 22, "195967001"), Mention(28, 30, "73211009"), Mention(0, 4, "A|B")),
    "mine",
)


@pytest.fixture
def table(tmp_path: Path) -> Path:
    return write_snomed_table(tmp_path / "concepts.csv")


@pytest.fixture
def cdb(table: Path) -> CDB:
    return load_cdb(table, Problems())


@pytest.mark.filterwarnings("ignore:Linker implements the legacy:DeprecationWarning")
def test_enriching_is_what_medcats_supervised_training_adds(table: Path, cdb: CDB) -> None:
    other = load_cdb(table, Problems())
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
    assert len(enrich_cdb(cdb, [DOCUMENT])) == 2
    assert sorted(cdb.name2info) == sorted(other.name2info)
    assert [cdb.cui2info[c]["names"] for c in cdb.cui2info] == [
        i["names"] for i in other.cui2info.values()
    ]
    assert cdb.token_counts == other.token_counts
    assert len(enrich_cdb(cdb, [DOCUMENT])) == 0


def test_unknown_concepts_are_added_only_on_request(cdb: CDB) -> None:
    document = Document("n", TEXT, (Mention(5, 11, "999"),), "mine")
    assert len(enrich_cdb(cdb, [document])) == 0
    assert "999" not in cdb.cui2info
    assert len(enrich_cdb(cdb, [document], new_concepts=True)) == 1
    assert cdb.cui2info["999"]["names"] == {"asthma"}
