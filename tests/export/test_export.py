"""`export.py` on a small linker: what it writes, loads."""

import dataclasses
import shutil
from pathlib import Path

import pytest
from medcat.cat import CAT
from medcat.components.types import CoreComponentType
from medcat.vocab import Vocab

from embedlink.concepts.enrichment import enrich_cdb
from embedlink.concepts.names import concept_names
from embedlink.detection.settings import TaggerSettings
from embedlink.detection.tagger import MentionTagger
from embedlink.export.export import export_linker
from embedlink.linking.linker import Linker
from embedlink.medcat.pack import linking_cat, save_pack
from embedlink.problems import EmbedLinkError
from tests.conftest import document
from tests.jobs.command import run_entry


@pytest.fixture
def folder(linker, cdb, tmp_path):
    names = concept_names(cdb)
    linker.save(tmp_path / "linker", names, linker.build_index(names, progress=None))
    return tmp_path / "linker"


@pytest.fixture
def pack(cdb, tmp_path):
    """A pack as MedCAT makes it, with its own linker."""
    return Path(CAT(cdb, Vocab()).save_model_pack(str(tmp_path), "plain", make_archive=True))


def test_the_command_line_puts_the_linker_into_a_pack(folder, pack, tmp_path):
    run = run_entry(
        "export.py", f"linker={folder}", f"pack={pack}.zip", f"output={tmp_path / 'out'}",
        folder=tmp_path,
    )  # fmt: skip
    assert run.returncode == 0, run.stderr
    assert run.stdout.startswith(str(tmp_path / "out"))
    cat = CAT.load_model_pack(str(tmp_path / "out"))
    assert cat.config.components.linking.comp_name == "embedlink_trainable_linker"
    assert [e["cui"] for e in cat.get_entities("High fever")["entities"].values()] == ["C3"]


def test_a_pack_detects_as_training_does_with_its_tagger(folder, pack, tiny_encoder, tmp_path):
    tagger = MentionTagger.untrained(TaggerSettings(str(tiny_encoder), max_tokens=64))
    tagger.save(tmp_path / "tagger")
    zipped, output = Path(f"{pack}.zip"), tmp_path / "out"
    export_linker(folder, "embedlink", output, zipped, tagger=tmp_path / "tagger")
    shutil.rmtree(tmp_path / "tagger")  # The pack holds its own.
    ner = CAT.load_model_pack(str(output)).pipe.get_component(CoreComponentType.ner)
    assert ner.get_hash() == tagger.digest()
    with pytest.raises(EmbedLinkError, match="tagger: no tagger can be read"):
        export_linker(folder, "embedlink", tmp_path / "no", zipped, tagger=tmp_path / "tagger")
    assert not (tmp_path / "no").exists()
    with pytest.raises(EmbedLinkError, match="tagger= goes with"):
        export_linker(folder, "upstream", tmp_path / "no", zipped, tagger=tmp_path / "tagger")


def test_a_pack_gets_the_names_that_training_added(folder, pack, linker, cdb, tmp_path):
    text = "The thick valve of her heart, and a common cold."
    shown = [("thick valve", "C2"), ("common cold", "C9")]
    added = enrich_cdb(cdb, [document("1", text, shown)], new_concepts=True)
    assert len(added) == 2
    own = save_pack(linking_cat(folder, cdb), tmp_path / "own")
    zipped = Path(f"{pack}.zip")
    for names, cuis in ((None, {"C5"}), (own, {"C2", "C5", "C9"})):
        export_linker(folder, "embedlink", tmp_path / "out", zipped, names=names, overwrite=True)
        cat = CAT.load_model_pack(str(tmp_path / "out"))
        assert {c for e in cat.pipe.get_doc(text).ner_ents for c in e.link_candidates} == cuis
    assert set(cat.cdb.name2info) == set(cdb.name2info)
    with pytest.raises(EmbedLinkError, match="names= goes with"):
        export_linker(folder, "upstream", tmp_path / "no", zipped, names=own)


def test_the_command_line_reports_errors_in_one_line(folder, tmp_path):
    run = run_entry("export.py", f"linker={folder}", f"output={tmp_path / 'no'}", folder=tmp_path)
    assert run.returncode == 1
    assert (
        run.stderr.strip()
        == "error: target=embedlink: set pack= to the MedCAT pack to link with it"
    )


def test_a_folder_that_others_wrote_is_never_replaced(folder, pack, tmp_path):
    (tmp_path / "work").mkdir()
    (tmp_path / "work" / "letter.txt").write_text("mine")
    for target in ("sentence-transformers", "upstream", "embedlink"):
        zipped = Path(f"{pack}.zip") if target == "embedlink" else None
        for overwrite in (False, True):
            with pytest.raises(EmbedLinkError, match="EmbedLink did not write"):
                export_linker(folder, target, tmp_path / "work", zipped, overwrite=overwrite)
    assert (tmp_path / "work" / "letter.txt").read_text() == "mine"


def test_an_export_is_replaced_when_asked(folder, tmp_path):
    export_linker(folder, "upstream", tmp_path / "out", None)
    with pytest.raises(EmbedLinkError, match=r"is there already.*overwrite=true"):
        export_linker(folder, "upstream", tmp_path / "out", None)
    export_linker(folder, "upstream", tmp_path / "out", None, overwrite=True)


@pytest.mark.parametrize("output", ["linker", "linker/out", ".", "plain", "tagger/.."])
def test_an_output_that_meets_what_is_read(folder, pack, tmp_path, output):
    zipped = pack.rename(tmp_path / "plain").with_suffix(".zip")
    Path(f"{pack}.zip").rename(zipped)
    with pytest.raises(EmbedLinkError, match="is, holds or lies in what is read"):
        export_linker(folder, "embedlink", tmp_path / output, zipped, overwrite=True)
    Linker.load(folder)


@pytest.mark.parametrize(
    ("place", "target", "message"),
    [
        ("linker", "onnx", "target='onnx' is not allowed"),
        ("nowhere", "sentence-transformers", "no linker"),
        ("nowhere", "upstream", "no linker"),
    ],
)
def test_wrong_arguments(folder, place, target, message):
    with pytest.raises(EmbedLinkError, match=message):
        export_linker(folder.parent / place, target, folder.parent / "out", None)
    assert not (folder.parent / "out").exists()


@pytest.mark.parametrize("weight", [0.0, 1.0])
def test_what_upstream_cannot_do_is_said(linker, cdb, tmp_path, caplog, weight):
    linker = linker.adapted(dataclasses.replace(linker.settings, surface_weight=weight))
    names = concept_names(cdb)
    linker.save(tmp_path / "linker", names, linker.build_index(names, progress=None))
    export_linker(tmp_path / "linker", "upstream", tmp_path / "out", None)
    assert ("surface_weight=1" in caplog.text) == bool(weight)


def test_what_does_not_go_together_is_an_error(folder, pack):
    output, zipped = folder.parent / "out", Path(f"{pack}.zip")
    with pytest.raises(EmbedLinkError, match="encoder= goes with"):
        export_linker(folder, "sentence-transformers", output, None, "minilm")
    with pytest.raises(EmbedLinkError, match="pack= goes with"):
        export_linker(folder, "sentence-transformers", output, zipped)
    for target in ("sentence-transformers", "embedlink"):
        with pytest.raises(EmbedLinkError, match="does not link by an encoder"):
            export_linker(zipped, target, output, None)
    assert not output.exists()


def test_a_missing_pack(folder):
    with pytest.raises(EmbedLinkError, match="no such model pack"):
        export_linker(folder, "embedlink", folder.parent / "out", folder.parent / "no.zip")
