"""The first stage: names of one concept come close, and nothing else is trained on."""

import lightning as L
import pytest
from torch.optim import AdamW

from embedlink.concepts.database import load_cdb
from embedlink.concepts.names import concept_names
from embedlink.objective.losses import MarginalSoftmax
from embedlink.problems import EmbedLinkError, Problems
from embedlink.training.callbacks import IndexRefresh
from embedlink.training.module import LinkerModule
from embedlink.training.synonyms import SynonymDataModule


@pytest.fixture
def names(cdb):
    return concept_names(cdb)


def test_every_name_with_a_synonym_is_an_example_of_its_concept(names, linker):
    data = SynonymDataModule(names, linker.tokenise(names), batch_size=3)
    seen = {}
    for batch in data.train_dataloader():
        assert not batch.detected.any()
        for row, concept in zip(batch.candidates.name.tolist(), batch.gold.tolist(), strict=True):
            seen[names.names[row]] = names.cuis[concept]
    assert seen == {
        "multiple~sclerosis": "C1", "disseminated~sclerosis": "C1", "fever": "C3",
        "pyrexia": "C3", "heart~failure": "C4", "failure~of~the~heart": "C4", "cold": "C5",
        "common~cold": "C5",
    }  # fmt: skip


def test_synonyms_come_close(names, linker):
    module = LinkerModule(
        linker, names, MarginalSoftmax(), lambda groups: AdamW(groups, lr=5e-3),
        encoded_negatives=2,
    )  # fmt: skip
    linker.encoder.unfreeze(2)

    def closeness():
        vectors = linker.build_index(names, progress=None).vectors
        pair = [names.name_row[name] for name in ("fever", "pyrexia")]
        other = names.name_row["cold"]
        return float(vectors[pair[0]] @ vectors[pair[1]] - vectors[pair[0]] @ vectors[other])

    before = closeness()
    trainer = L.Trainer(
        accelerator="cpu", max_epochs=6, logger=False, enable_progress_bar=False,
        enable_model_summary=False, enable_checkpointing=False, callbacks=[IndexRefresh()],
    )  # fmt: skip
    trainer.fit(module, SynonymDataModule(names, module.name_sequences, batch_size=4))
    assert closeness() > before + 0.05


def test_without_synonyms_it_says_so(linker, cdb):
    for name in ("pyrexia", "disseminated~sclerosis", "failure~of~the~heart", "common~cold"):
        for cui in list(cdb.name2info[name]["per_cui_status"]):
            cdb.cui2info[cui]["names"].discard(name)
        del cdb.name2info[name]
    names = concept_names(cdb)
    with pytest.raises(EmbedLinkError, match="pretraining=synonyms"):
        SynonymDataModule(names, linker.tokenise(names))


def test_a_name_of_several_concepts_is_an_example_of_the_first(linker, tmp_path):
    path = tmp_path / "concepts.csv"
    path.write_text("cui,name\nA1,cold\nA1,common cold\nB1,cold\nB1,common cold\n")
    names = concept_names(load_cdb(path, Problems()))
    data = SynonymDataModule(names, linker.tokenise(names), batch_size=3)
    assert [names.cuis[concept] for concept in data.concepts.tolist()] == ["A1", "A1"]
