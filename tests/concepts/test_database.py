import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pandas as pd
import pytest
from medcat.cat import CAT
from medcat.cdb import CDB
from medcat.config import Config
from medcat.model_creation.cdb_maker import CDBMaker

from embedlink.concepts.database import load_cdb, recognise
from embedlink.concepts.enrichment import enrich_cdb
from embedlink.problems import EmbedLinkError, Problems
from tests.concepts.conftest import DOCUMENT
from tests.written import broken_deflate, published, write, write_release

ROOT = Path(__file__).parents[2]


def state(cdb: CDB) -> str:
    """Everything in the database whose order does not depend on the hash seed."""
    concepts = {cui: sorted(info["names"]) for cui, info in cdb.cui2info.items()}
    return json.dumps(
        [list(cdb.name2info.items()), list(concepts.items()), list(cdb.token_counts.items())]
    )


def config() -> Config:
    made = Config()
    made.general.nlp.provider = "regex"
    return made


def test_table_is_what_cdb_maker_makes_of_it(snomed_table: Path) -> None:
    expected = CDBMaker(config()).prepare_csvs([str(snomed_table)])
    assert state(load_cdb(snomed_table, Problems())) == state(expected)


def test_published_table_is_what_cdb_maker_makes_of_it() -> None:
    path = published("concepts") / "mesh_disease.csv"
    made = CDBMaker(config()).prepare_csvs([pd.read_csv(path, dtype=str, nrows=3000)])
    frame = load_cdb(path, Problems())
    assert all(frame.name2info[name] for name in made.name2info)
    assert list(frame.cui2info)[: len(made.cui2info) - 1] == list(made.cui2info)[:-1]


def test_result_does_not_depend_on_the_hash_seed(snomed_table: Path) -> None:
    code = (
        "import sys; from tests.concepts.test_database import *; "
        "from tests.concepts.conftest import DOCUMENT; "
        "cdb = load_cdb(sys.argv[1], Problems()); enrich_cdb(cdb, [DOCUMENT]); print(state(cdb))"
    )
    other = subprocess.run(
        [sys.executable, "-c", code, str(snomed_table)],
        env={**os.environ, "PYTHONHASHSEED": "1", "PYTHONPATH": f"{ROOT}/src:{ROOT}"},
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    cdb = load_cdb(snomed_table, Problems())  # Of the seed of pytest.
    enrich_cdb(cdb, [DOCUMENT])
    assert other.stdout.strip() == str(state(cdb))


def test_every_form_that_medcat_saves(tmp_path: Path, snomed_cdb: CDB) -> None:
    (tmp_path / "cdb").mkdir()
    snomed_cdb.save(str(tmp_path / "cdb"), overwrite=True)
    snomed_cdb.save(str(tmp_path / "zipped.zip"))
    pack = Path(CAT(snomed_cdb).save_model_pack(str(tmp_path), pack_name="pack"))
    with zipfile.ZipFile(tmp_path / "nested.zip", "w") as archive:
        for path in sorted(pack.rglob("*")):
            archive.write(path, Path("pack") / path.relative_to(pack))
    kinds = {
        tmp_path / "cdb": "cdb",
        pack: "model pack",
        tmp_path / "zipped.zip": None,
        pack.with_name(pack.name + ".zip"): None,
        tmp_path / "nested.zip": None,
    }
    before = sorted(tmp_path.iterdir())
    for path, kind in kinds.items():
        if kind:
            assert recognise(path) == kind
        assert list(load_cdb(path, Problems()).cui2info) == list(snomed_cdb.cui2info)
    assert sorted(tmp_path.iterdir()) == before  # nothing was unpacked beside the user's files


def test_release(tmp_path: Path) -> None:
    root = write_release(tmp_path)
    zipped = Path(shutil.make_archive(str(tmp_path / "release"), "zip", tmp_path, root.name))
    assert list(load_cdb(zipped, Problems()).cui2info) == ["195967001", "73211009"]
    zipped.unlink()
    for path in (root, tmp_path):
        assert recognise(path) == "release"
        cdb = load_cdb(path, Problems())
        assert {cui: sorted(info["names"]) for cui, info in cdb.cui2info.items()} == {
            "195967001": ["asthma", "asthma~disorder", "bronchial~asthma"],
            "73211009": ["diabetes~mellitus", "diabetes~mellitus~disorder"],
        }
    assert cdb.cui2info["195967001"]["preferred_name"] == "Asthma"
    assert len(cdb.cui2info["195967001"]["type_ids"]) == 1


def test_broken_release(tmp_path: Path) -> None:
    root = write_release(tmp_path)
    next((root / "Snapshot" / "Terminology").glob("*Description*")).unlink()
    with pytest.raises(EmbedLinkError, match=r"no file sct2_Description_.*unpack the release"):
        load_cdb(root, Problems())


def test_names_and_kinds_of_files_have_no_case(tmp_path: Path) -> None:
    table = write(tmp_path / "CONCEPTS.CSV", "cui,name\nC1,asthma\n")
    assert list(load_cdb(table, Problems()).cui2info) == ["C1"]
    table = write(tmp_path / "Concepts.TSV", "cui\tname\nC1\tasthma\n")
    assert list(load_cdb(table, Problems()).cui2info) == ["C1"]
    root = write_release(tmp_path / "in")
    zipped = Path(shutil.make_archive(str(tmp_path / "r"), "zip", tmp_path / "in", root.name))
    loud = zipped.rename(tmp_path / "SNOMED.ZIP")
    assert list(load_cdb(loud, Problems()).cui2info) == ["195967001", "73211009"]


def test_truncated_zip(tmp_path: Path, snomed_cdb: CDB) -> None:
    snomed_cdb.save(str(tmp_path / "whole.zip"))
    whole = (tmp_path / "whole.zip").read_bytes()
    for length in (0, 10, len(whole) // 2, len(whole) - 3):
        (tmp_path / "cut.zip").write_bytes(whole[:length])
        with pytest.raises(EmbedLinkError, match=r"cut\.zip: truncated or damaged zip"):
            load_cdb(tmp_path / "cut.zip", Problems())
    with zipfile.ZipFile(tmp_path / "deflated.zip", "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("cdb/cdb.dat", b"content " * 1000)
    broken = broken_deflate((tmp_path / "deflated.zip").read_bytes())
    (tmp_path / "cut.zip").write_bytes(broken)
    with pytest.raises(EmbedLinkError, match=r"cut\.zip: truncated or damaged zip \(error\)"):
        load_cdb(tmp_path / "cut.zip", Problems())


def test_damaged_and_unknown_databases(tmp_path: Path) -> None:
    write(tmp_path / "cdb" / "raw_dict.dat", "not a pickle")
    (tmp_path / "cdb" / "config").mkdir()
    with pytest.raises(EmbedLinkError, match="its concept database does not load"):
        load_cdb(tmp_path / "cdb", Problems())
    (tmp_path / "empty").mkdir()
    with pytest.raises(EmbedLinkError, match="not recognised as a concept database"):
        load_cdb(tmp_path / "empty", Problems())
    with pytest.raises(EmbedLinkError, match="not recognised"):
        load_cdb(write(tmp_path / "x.json", "{}"), Problems())
    with pytest.raises(EmbedLinkError, match=r"no such file or folder; set data\.concepts"):
        load_cdb(tmp_path / "nowhere", Problems())


@pytest.mark.parametrize(
    ("text", "line", "reason", "repaired"),
    [
        ("cui,name,name_status\nC1,asthma,Z\n", 2, "unknown name_status", True),
        ("cui,name\n,asthma\nC2,copd\n", 2, "empty cui", False),
        ("cui,name\nC1,\nC2,copd\n", 2, "empty name", False),
        ("cui,name\nC1,asthma,P\nC2,copd\n", 2, "wrong number of cells", False),
        ("\ufeffcui,name\nC1,asthma\n", 1, "byte order mark", True),
    ],
)
def test_bad_rows_of_tables(
    tmp_path: Path, text: str, line: int, reason: str, repaired: bool
) -> None:
    problems = Problems()
    load_cdb(write(tmp_path / "c.csv", text), problems)
    assert [(p.line, p.reason, p.repaired) for p in problems.found] == [(line, reason, repaired)]


@pytest.mark.parametrize(
    "text", ["", "code,label\nC1,asthma\n", "cui;name\nC1;asthma\n", "cui,name\n"]
)
def test_tables_without_concepts(tmp_path: Path, text: str) -> None:
    with pytest.raises(EmbedLinkError, match=r"c\.csv: no concepts were read"):
        load_cdb(write(tmp_path / "c.csv", text), Problems())


def test_names_that_medcat_leaves_out_are_counted(tmp_path: Path) -> None:
    problems = Problems()
    cdb = load_cdb(write(tmp_path / "c.csv", "cui,name\nC1,12\nc2,copd\nC3,5 %\n"), problems)
    assert list(cdb.cui2info) == ["C2"]
    assert [(p.value, p.line, p.counted) for p in problems.found] == [("2 names", 2, True)]


def test_the_users_configuration_is_kept(snomed_table: Path) -> None:
    made = config()
    made.general.separator = "_"
    cdb = load_cdb(snomed_table, Problems(), made)
    assert cdb.config is made
    assert "bronchial_asthma" in cdb.name2info


def test_parts_of_a_release_say_what_is_missing(tmp_path: Path) -> None:
    (tmp_path / "Full").mkdir()
    (tmp_path / "Full" / "sct2_Concept_Full_INT_20240101.txt").write_text("id\n")
    with pytest.raises(EmbedLinkError, match="with its Snapshot folder"):
        load_cdb(tmp_path, Problems())
    file = tmp_path / "sct2_Concept_Snapshot_INT_20240101.txt"
    file.write_text("id\n")
    with pytest.raises(EmbedLinkError, match="give the release's folder"):
        load_cdb(file, Problems())
