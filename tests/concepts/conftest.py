"""A database of five concepts of SNOMED CT, and a document that mentions some."""

from pathlib import Path

import pytest
from medcat.cdb import CDB

from embedlink.concepts.database import load_cdb
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
def snomed_table(tmp_path: Path) -> Path:
    return write_snomed_table(tmp_path / "concepts.csv")


@pytest.fixture
def snomed_cdb(snomed_table: Path) -> CDB:
    return load_cdb(snomed_table, Problems())
