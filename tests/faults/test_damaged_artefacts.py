"""Damaged packs, linkers and taggers: our error, or no change; never another result.

A few random damages run with the other tests. `EMBEDLINK_LONG=1 pytest tests/faults -s` tries each
kind of damage on every file, several times, and prints the table; it takes about ten minutes.
"""

import os
import random
import shutil
from collections import Counter
from pathlib import Path

import pytest
from medcat.cat import CAT

from embedlink.concepts.names import concept_names
from embedlink.detection.config import EmbedLinkNer
from embedlink.detection.tagger import MentionTagger
from embedlink.linking.linker import Linker
from embedlink.medcat.pack import linking_cat, load_pack, save_pack
from tests.faults.damages import KINDS, RAW, SILENT, copied, damage, files_of, outcome, table

LONG = bool(os.environ.get("EMBEDLINK_LONG"))
TEXT = "Known MS with optic neuritis, a common cold and pyrexia."


@pytest.fixture
def packs(linker, cdb, tagger_folder, tmp_path):
    """A pack with a tagger, and that of another run, whose weights and names differ."""
    made = []
    for name in ("one", "other"):
        if name == "other":
            cdb.name2info["influenza"] = cdb.name2info["fever"]
            next(linker.encoder.parameters()).data.mul_(1.01)
        names = concept_names(cdb)
        linker.save(tmp_path / name / "linker", names, linker.build_index(names, progress=None))
        cdb.config.components.ner = EmbedLinkNer(min_name_len=2, tagger=str(tagger_folder))
        cat = linking_cat(tmp_path / name / "linker", cdb)
        made.append(save_pack(cat, tmp_path / name / "pack"))
    return made


def predictions(cat: CAT) -> object:
    entities = cat.get_entities(TEXT)["entities"].values()
    return sorted((e["start"], e["end"], e["cui"], round(e["acc"], 4)) for e in entities)


def through_medcat(folder: Path) -> object:
    return predictions(CAT.load_model_pack(str(folder)))


def through_us(folder: Path) -> object:
    return predictions(load_pack(folder))


def as_linker(folder: Path) -> object:
    linker = Linker.load(folder)
    return linker.digest(), linker.settings, linker.counts, linker.frequencies


def as_tagger(folder: Path) -> object:
    return MentionTagger.load(folder).digest()


def resaved(pack: Path, target: Path) -> Path:
    """The pack as MedCAT saves it, after a name was added through MedCAT."""
    cat = CAT.load_model_pack(str(pack))
    cat.trainer.add_and_train_concept("C3", "hyperthermia")
    target.mkdir()
    saved = cat.save_model_pack(
        str(target), pack_name="pack", make_archive=False, add_hash_to_pack_name=False
    )
    return Path(saved)


BEFORE_US = {"model_card.json", ".serialised_by"}
"""Files that MedCAT reads before it calls anything of ours: their damage shows, in its words."""


@pytest.mark.parametrize("way", ["load_pack", "load_model_pack", "resaved", "linker", "tagger"])
def test_a_damage_never_changes_a_result(packs, tmp_path, way):
    one, other = packs
    use = {"load_pack": through_us, "linker": as_linker, "tagger": as_tagger}.get(
        way, through_medcat
    )
    if way == "resaved":
        one, other = resaved(one, tmp_path / "a"), resaved(other, tmp_path / "b")
    elif way in ("linker", "tagger"):
        inside = "core_linking" if way == "linker" else "core_ner/tagger"
        one, other = (pack / "saved_components" / inside for pack in packs)
    before = use(one)
    rng = random.Random(0)
    tried = [(kind, name) for kind in KINDS for name in files_of(one)]
    if not LONG:
        tried = rng.sample(tried, 6)
    found: Counter[tuple[str, str]] = Counter()
    wrong = []
    for number, (kind, name) in enumerate(tried):
        copy = copied(one, tmp_path / f"copy{number}")
        damage(copy, name, kind, other, rng)
        ended, said = outcome(use, copy, before)
        shutil.rmtree(copy)
        found[kind, ended] += 1
        medcats = use is through_medcat and name.name in BEFORE_US
        if ended == SILENT or (ended == RAW and not medcats):
            wrong.append(f"{kind} {name}: {ended} {said[:200]}")
    print(f"\n{way}: {len(tried)} damages\n{table(found)}")
    assert not wrong, "\n".join(wrong)


def test_a_pack_that_medcat_saved_again_loads(packs, tmp_path):
    """Also after the user has changed the database through MedCAT."""
    again = resaved(packs[0], tmp_path / "again")
    cat = CAT.load_model_pack(str(again))
    assert "hyperthermia" in cat.cdb.name2info
    assert predictions(CAT.load_model_pack(str(resaved(again, tmp_path / "third"))))


def test_a_pack_without_its_tagger_is_refused(packs):
    """Not read from where the training run left its tagger."""
    shutil.rmtree(packs[0] / "saved_components" / "core_ner" / "tagger")
    assert outcome(through_medcat, packs[0], None)[0] == "our error"
