"""A pack is whole by itself: same predictions wherever it is loaded, and errors that name parts."""

import json
import os
import pickle
import shutil
import subprocess
import sys
from multiprocessing.reduction import ForkingPickler

import pytest
import torch
from medcat.cat import CAT

from embedlink.files.manifest import read_manifest, write_manifest
from embedlink.medcat.sealed import seal
from embedlink.medcat.static import StaticLinker
from embedlink.medcat.trainable import TrainableLinker
from embedlink.plugin import STATIC, TRAINABLE
from embedlink.problems import EmbedLinkError
from tests.conftest import NOTES
from tests.medcat.conftest import TEXT, entities, export, linking_of

KNOWN = [note[1:] for note in NOTES]

READ = """
import json, sys
blocked = set(sys.argv[3].split(","))
class Block:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in blocked:
            raise ImportError(f"{name} is blocked")
sys.meta_path.insert(0, Block())
from medcat.cat import CAT
from embedlink.linking.linker import Linker
def no_index(*_, **__):
    raise AssertionError("the stored index was not used")
Linker.build_index = no_index
cat = CAT.load_model_pack(sys.argv[1])
found = cat.get_entities(sys.argv[2])["entities"].values()
keys = ("start", "end", "cui", "context_similarity")
print("FOUND" + json.dumps([[e[key] for key in keys] for e in found]))
"""


def in_new_process(pack):
    """Entities from a process without Lightning, Hydra and MLflow, that may build no index."""
    blocked = "lightning,hydra,mlflow,omegaconf"
    run = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", READ, str(pack), TEXT, blocked],
        capture_output=True, text=True, env=os.environ | {"HF_HUB_OFFLINE": "1"}, check=False,
    )  # fmt: skip
    assert run.returncode == 0, run.stderr
    line = next(line for line in run.stdout.splitlines() if line.startswith("FOUND"))
    return [tuple(entity) for entity in json.loads(line[5:])]


def exact(cat):
    found = cat.get_entities(TEXT)["entities"].values()
    return [(e["start"], e["end"], e["cui"], e["context_similarity"]) for e in found]


def save(cat, folder, name):
    cat.save_model_pack(str(folder), name, make_archive=False, add_hash_to_pack_name=False)


@pytest.fixture
def trained(trainable, tiny_encoder, tmp_path):
    """Trained from an encoder whose folder is then gone."""
    gone = shutil.copytree(tiny_encoder, tmp_path / "gone")
    linking_of(trainable).load_transformers(str(gone))
    trainable.trainer.train_supervised_raw(export(*KNOWN), disable_progress=True, nepochs=3)
    linking_of(trainable)._settle()
    linking_of(trainable).linker.decision.threshold.fill_(0.05)
    shutil.rmtree(gone)
    return trainable


@pytest.fixture
def saved(trained, tmp_path):
    save(trained, tmp_path, "pack")
    return tmp_path / "pack"


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_same_predictions_from_folder_and_zip_and_in_a_new_process(trained, tmp_path, dtype):
    trained.config.components.linking.dtype = dtype
    before = exact(trained)
    trained.save_model_pack(str(tmp_path), "pack", add_hash_to_pack_name=False)
    assert exact(trained) == before
    loaded = CAT.load_model_pack(str(tmp_path / "pack"))
    assert exact(loaded) == before
    component = linking_of(loaded)
    assert component.current_index().vectors.dtype == getattr(torch, dtype)
    assert component.linker.encoder.language_model.dtype == getattr(torch, dtype)
    if dtype == "bfloat16":
        assert in_new_process(tmp_path / "pack") == before
    shutil.rmtree(tmp_path / "pack")
    assert exact(CAT.load_model_pack(str(tmp_path / "pack.zip"))) == before


def test_bfloat16_halves_the_pack(trained, tmp_path):
    sizes = {}
    for dtype in ("float32", "bfloat16"):
        trained.config.components.linking.dtype = dtype
        trained.save_model_pack(
            str(tmp_path), dtype, make_archive=False, add_hash_to_pack_name=False
        )
        folder = tmp_path / dtype / "saved_components" / "core_linking"
        sizes[dtype] = sum(p.stat().st_size for p in folder.rglob("*.safetensors"))
    assert sizes["bfloat16"] < 0.55 * sizes["float32"]


def test_everything_that_decides_travels(trained, saved):
    config = trained.config.components.linking
    config.context_window_size, config.use_mention_attention = 3, False
    config.long_similarity_threshold, config.link_threshold = 0.1, 0.2
    trained.save_model_pack(
        str(saved.parent), "other", make_archive=False, add_hash_to_pack_name=False
    )
    loaded = CAT.load_model_pack(str(saved.parent / "other"))
    assert loaded.config.components.linking.model_dump() == config.model_dump()
    one, two = linking_of(trained).linker, linking_of(loaded).linker
    assert one.settings == two.settings
    assert one.settings.context_window == 3
    assert one.counts == two.counts != {}
    assert float(two.decision.threshold) == pytest.approx(0.05)
    assert entities(loaded) == entities(trained)


def test_saving_twice_and_loading_twice(trained, saved):
    again = CAT.load_model_pack(str(saved))
    again.save_model_pack(
        str(saved.parent), "again", make_archive=False, add_hash_to_pack_name=False
    )
    assert exact(CAT.load_model_pack(str(saved.parent / "again"))) == exact(trained)


def test_the_hash_follows_the_weights(trained):
    component = linking_of(trained)
    first = component.get_hash()
    assert component.get_hash() == first
    trained.trainer.train_supervised_raw(export(*KNOWN), disable_progress=True)
    assert component.get_hash() != first


def test_the_index_is_rebuilt_when_the_database_changed(trained, saved):
    cat = CAT.load_model_pack(str(saved))
    cat.trainer.add_and_train_concept("C3", "hyperthermia")
    assert "hyperthermia" in linking_of(cat).current_names().name_row
    assert [e[2] for e in entities(cat, "Hyperthermia.")] == ["C3"]


def test_a_database_changed_behind_the_pack_gets_a_new_index(trained, saved, caplog):
    linker = saved / "saved_components" / "core_linking"
    made_from = dict(read_manifest(linker).made_from)
    write_manifest(linker, "linker", made_from | {"names": "those of another database"})
    seal(saved)
    with caplog.at_level("INFO", "embedlink"):
        cat = CAT.load_model_pack(str(saved))
    assert "will be rebuilt" in caplog.text
    assert [e[:3] for e in entities(cat)] == [e[:3] for e in entities(trained)]


PARTS = [
    "linker.json", "linker.safetensors", "index.safetensors", "manifest.json",
    "encoder/config.json", "encoder/model.safetensors", "encoder/tokenizer.json",
    "encoder/tokenizer_config.json",
]  # fmt: skip


@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize("how", ["missing", "empty", "cut", "garbage"])
def test_a_broken_part_is_named(saved, part, how):
    file = saved / "saved_components" / "core_linking" / part
    content = file.read_bytes()
    file.unlink()
    if how != "missing":
        broken = {"empty": b"", "cut": content[: len(content) // 2], "garbage": b"\xff{]" * 50}
        file.write_bytes(broken[how])
    with pytest.raises(EmbedLinkError) as error:
        CAT.load_model_pack(str(saved))
    assert part in str(error.value)
    assert ("missing" if how == "missing" else "damaged") in str(error.value)


def test_a_missing_component_is_named(saved):
    shutil.rmtree(saved / "saved_components" / "core_linking")
    with pytest.raises(EmbedLinkError, match=r"core_linking: this part .* is missing"):
        CAT.load_model_pack(str(saved))


def test_a_pack_can_be_loaded_as_the_other_component(saved):
    as_static = {"components": {"linking": {"comp_name": STATIC}}}
    static = CAT.load_model_pack(str(saved), config_dict=as_static)
    assert type(linking_of(static)) is StaticLinker
    trainable = CAT.load_model_pack(str(saved))
    assert type(linking_of(trainable)) is TrainableLinker
    assert exact(static) == exact(trainable)
    assert trainable.config.components.linking.comp_name == TRAINABLE


def test_fields_given_at_loading_hold(saved):
    given = {"components": {"linking": {"context_window_size": 2, "link_threshold": 1.0}}}
    cat = CAT.load_model_pack(str(saved), config_dict=given)
    assert entities(cat) == []
    assert linking_of(cat).linker.settings.context_window == 2


@pytest.mark.parametrize("comp_name", [STATIC, TRAINABLE])
def test_several_processes(make_cat, comp_name, monkeypatch):
    monkeypatch.setenv("PYTHONWARNINGS", "ignore")
    cat = make_cat(comp_name)
    texts = [(str(number), text) for number, (text, _) in enumerate(KNOWN * 2)]
    alone = dict(cat.get_entities_multi_texts(texts, n_process=1))
    many = dict(cat.get_entities_multi_texts(texts, n_process=2, batch_size=2, batch_size_chars=-1))
    assert many.keys() == alone.keys()

    def found(result):
        return [(e["start"], e["cui"]) for e in result["entities"].values()]

    assert {key: found(r) for key, r in many.items()} == {key: found(r) for key, r in alone.items()}


def test_pickling_leaves_tensors_where_they_are(make_cat):
    component = linking_of(make_cat(STATIC))
    index, names = component.current_index(), component.current_names()
    sent = pickle.loads(ForkingPickler.dumps(component))
    weights = list(component.linker.encoder.parameters())
    tensors = [*weights, index.vectors, index.representative, names.concepts_of_name.rows]
    assert not any(tensor.is_shared() for tensor in tensors)  # As predicting threads need it.
    assert sent.current_index().vectors.equal(index.vectors)
    assert sent.live.linker is sent.linker
    assert sent.live.cdb is sent.cdb


def test_a_linkers_folder_serves_as_an_encoder(trained, make_cat, tmp_path):
    component = linking_of(trained)
    component.linker.save(tmp_path / "linker", component.current_names(), component.current_index())
    cat = make_cat(STATIC, trained.cdb, embedding_model_name=str(tmp_path / "linker"))
    assert exact(cat) == exact(trained)
    assert cat.config.components.linking.use_projection_layer
