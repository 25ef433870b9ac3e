"""Models go to medcat-embedding-linker 0.4.0 and come back, and predict the same there."""

import shutil
import sys

import pytest
import torch
from medcat.cat import CAT
from medcat.vocab import Vocab

from embedlink.detection.config import EmbedLinkNer
from embedlink.export.export import export_linker
from embedlink.export.upstream_pack import load_upstream_pack
from embedlink.medcat.pack import save_pack
from embedlink.plugin import STATIC, TRAINABLE
from embedlink.problems import EmbedLinkError
from tests.conftest import NOTES
from tests.medcat.conftest import TEXT, entities, export, linking_of

upstream_config = pytest.importorskip("medcat_embedding_linker.config")
from medcat_embedding_linker.transformer_context_model import ModelForEmbeddingLinking  # noqa: E402

KNOWN = [note[1:] for note in NOTES]


@pytest.fixture
def trained(trainable, tmp_path):
    """A trained linker's folder and a pack with it, whose settings are those upstream has."""
    linking = trainable.config.components.linking
    linking.representative_name, linking.disambiguate_by = "longest", "concepts"
    linking.context_window_size, linking.link_threshold = 3, 0.0
    trainable.trainer.train_supervised_raw(export(*KNOWN), disable_progress=True, nepochs=2)
    save_pack(trainable, tmp_path / "pack")
    return trainable, tmp_path / "pack" / "saved_components" / "core_linking", tmp_path / "pack"


def upstream_cat(cdb, comp_name, encoder, **fields):
    cdb.config.components.linking = upstream_config.EmbeddingLinking(
        comp_name=comp_name, embedding_model_name=str(encoder), max_token_length=32,
        context_window_size=3, always_calculate_similarity=True, **fields,
    )  # fmt: skip
    return CAT(cdb, Vocab())


def test_the_exported_folder_gives_upstream_our_vectors(trained, tmp_path):
    _, linker, _ = trained
    component = linking_of(trained[0])
    export_linker(linker, "upstream", tmp_path / "model", None)
    config = upstream_config.EmbeddingLinking()
    config.max_token_length = 32
    model = ModelForEmbeddingLinking.from_pretrained(tmp_path / "model", config).eval()
    names = component.current_names()
    batch = component.linker.tokenise(names).batch(torch.arange(len(names.texts)))
    with torch.no_grad():
        vectors = model(
            input_ids=batch.input_ids, attention_mask=batch.attention_mask,
            mention_mask=batch.mention_mask,
        )  # fmt: skip
    cosine = (vectors * component.current_index().vectors).sum(1)
    assert float(cosine.min()) > 1 - 1e-5


def test_the_exported_pack_predicts_in_upstream_as_here(trained, tmp_path):
    cat, linker, pack = trained
    said = export_linker(linker, "upstream", tmp_path / "up", pack)
    assert ".encoder" in said
    theirs = CAT.load_model_pack(str(tmp_path / "up"))
    assert (
        type(linking_of(theirs)).__module__ == "medcat_embedding_linker.trainable_embedding_linker"
    )
    for text, _ in KNOWN:
        ours, found = entities(cat, text), entities(theirs, text)
        assert {e[:3] for e in ours} <= {e[:3] for e in found}  # It always shows nested ones.
        similarity = {e[:3]: e[3] for e in found}
        assert all(abs(e[3] - similarity[e[:3]]) < 2e-3 for e in ours)


def test_the_exported_pack_detects_as_medcat(trained, tmp_path, caplog):
    cat, linker, pack = trained
    cat.config.components.ner = EmbedLinkNer(min_name_len=2)
    cat._recreate_pipe()
    save_pack(cat, pack, overwrite=True)
    export_linker(linker, "upstream", tmp_path / "up", pack)
    assert "MedCAT's own vocabulary-based detection" in caplog.text
    for file in (tmp_path / "up").rglob("*"):
        if file.name == "manifest.json":  # It says who wrote the folder, and MedCAT never reads it.
            continue
        assert not file.is_file() or b"embedlink" not in file.read_bytes().lower(), file
    theirs = CAT.load_model_pack(str(tmp_path / "up"))
    assert theirs.config.components.ner.min_name_len == 2
    assert entities(theirs, TEXT)


def test_a_moved_pack_loads_with_the_encoder_it_carries(trained, tmp_path):
    _, linker, pack = trained
    export_linker(linker, "upstream", tmp_path / "up", pack)
    before = entities(CAT.load_model_pack(str(tmp_path / "up")))
    moved = shutil.move(tmp_path / "up", tmp_path / "moved")
    config = {"components": {"linking": {"embedding_model_name": str(moved / ".encoder")}}}
    assert entities(CAT.load_model_pack(str(moved), config_dict=config)) == before


@pytest.mark.parametrize("installed", [True, False])
@pytest.mark.parametrize("comp_name", ["trainable_embedding_linker", "embedding_linker"])
def test_upstreams_pack_predicts_here_as_there(
    cdb, tiny_encoder, tmp_path, monkeypatch, comp_name, installed
):
    # Upstream draws the projection of a static linker anew each time and never saves it.
    trained = comp_name != "embedding_linker"
    cat = upstream_cat(cdb, comp_name, tiny_encoder, use_projection_layer=trained)
    linking_of(cat).create_embeddings()
    expected = [entities(cat, text) for text, _ in KNOWN]
    save_pack(cat, tmp_path / "theirs")
    if not installed:
        for name in list(sys.modules):
            if name.startswith("medcat_embedding_linker"):
                monkeypatch.delitem(sys.modules, name)
        monkeypatch.setitem(sys.modules, "medcat_embedding_linker", None)
    ours = load_upstream_pack(tmp_path / "theirs")
    ours.config.general.show_nested_entities = True
    component = linking_of(ours)
    assert component.name == (STATIC if comp_name == "embedding_linker" else TRAINABLE)
    for (text, _), theirs in zip(KNOWN, expected, strict=True):
        found = entities(ours, text)
        assert [e[:3] for e in found] == [e[:3] for e in theirs]
        assert all(abs(a[3] - b[3]) < 2e-3 for a, b in zip(found, theirs, strict=True))
    assert "name_embeddings" not in ours.cdb.addl_info
    save_pack(ours, tmp_path / "converted")
    again = CAT.load_model_pack(str(tmp_path / "converted"))
    assert entities(again) == entities(ours)


def test_upstreams_folder_is_an_encoder_here(cdb, make_cat, tiny_encoder, tmp_path):
    theirs = upstream_cat(cdb, "trainable_embedding_linker", tiny_encoder)
    model = linking_of(theirs).context_model
    model.model.save_pretrained(tmp_path / "model")
    model.tokenizer.save_pretrained(tmp_path / "model")
    ours = make_cat(embedding_model_name=str(tmp_path / "model"))
    component = linking_of(ours)
    assert ours.config.components.linking.use_projection_layer
    names = component.current_names()
    with torch.no_grad():
        vectors = model.embed(list(names.texts), [(0, len(text)) for text in names.texts]).float()
    assert float((vectors * component.current_index().vectors).sum(1).min()) > 1 - 1e-3


def test_a_corrupt_model_of_upstream_is_named(make_cat, tiny_encoder, tmp_path):
    (tmp_path / "pytorch_model.bin").write_bytes(b"nothing")
    (tmp_path / "config.json").write_text(f'{{"embedding_model_name": "{tiny_encoder}"}}')
    with pytest.raises(EmbedLinkError, match=r"pytorch_model\.bin: this part .* corrupt"):
        make_cat(embedding_model_name=str(tmp_path))


def test_nothing_is_unpickled_but_weights(make_cat, tiny_encoder, tmp_path):
    torch.save({"x": print}, tmp_path / "pytorch_model.bin")
    (tmp_path / "config.json").write_text(f'{{"embedding_model_name": "{tiny_encoder}"}}')
    with pytest.raises(EmbedLinkError, match="corrupt"):
        make_cat(embedding_model_name=str(tmp_path))


def test_exported_and_read_back_predicts_the_same(trained, tmp_path):
    cat, linker, pack = trained
    export_linker(linker, "upstream", tmp_path / "up", pack)
    back = load_upstream_pack(tmp_path / "up")
    config = back.config.components.linking
    config.always_calculate_similarity = True
    ours, found = entities(cat, TEXT), entities(back, TEXT)
    assert [e[:3] for e in found] == [e[:3] for e in ours]
    assert all(abs(a[3] - b[3]) < 1e-4 for a, b in zip(ours, found, strict=True))
