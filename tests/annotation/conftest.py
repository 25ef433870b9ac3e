"""A pack over the tiny encoder, and notes of which some are malformed."""

import json
from pathlib import Path

import pytest
from medcat.cat import CAT
from medcat.vocab import Vocab

from embedlink.concepts.database import load_cdb
from embedlink.detection.pipeline import detection_config
from embedlink.medcat.config import EmbedLinkLinking
from embedlink.medcat.pack import save_pack
from embedlink.problems import Problems

TEXTS = [
    "Known MS with fever.",
    "Heart failure and a cold; pyrexia.",
    "Nothing to see here.",
    "MS \ud83d of the \udce9 valve, in heart failure.",
    "",
    "Fever.\r\nCommon cold.",
]


@pytest.fixture(scope="session")
def pack(concept_table: Path, tiny_encoder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    cdb = load_cdb(concept_table, Problems(), detection_config(min_name_len=2))
    cdb.config.components.linking = EmbedLinkLinking(
        embedding_model_name=str(tiny_encoder), max_token_length=32
    )
    folder: Path = tmp_path_factory.mktemp("packs") / "pack"
    return save_pack(CAT(cdb, Vocab()), folder)


@pytest.fixture(scope="session")
def notes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six notes that can be read, one of them without text, and four lines that are none."""
    file: Path = tmp_path_factory.mktemp("notes") / "notes.jsonl"
    lines = [json.dumps({"id": f"n{at}", "text": text}) for at, text in enumerate(TEXTS)]
    lines[2:2] = ['{"id": "cut off', '{"id": "none"}', '{"id": "number", "text": 7}', '["secret"]']
    file.write_text("\n".join(lines), encoding="utf-8")
    return file
