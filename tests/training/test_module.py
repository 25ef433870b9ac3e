"""Training itself: it learns, repeats itself under a seed, and goes on where it stopped."""

import lightning as L
import pytest
import torch
from hydra.utils import instantiate
from lightning.pytorch.callbacks import ModelCheckpoint
from torch.optim import AdamW

from embedlink.concepts.enrichment import enrich_cdb
from embedlink.concepts.names import concept_names
from embedlink.corpora.splits import Splits
from embedlink.detection.pipeline import VocabularyDetector
from embedlink.linking.linker import Linker
from embedlink.linking.settings import LinkerSettings
from embedlink.objective.losses import MarginalSoftmax
from embedlink.objective.optim import parameter_groups
from embedlink.problems import EmbedLinkError
from embedlink.training.best_epoch import BestEpoch, best_epoch
from embedlink.training.callbacks import IndexRefresh
from embedlink.training.datamodule import LinkingDataModule
from embedlink.training.evaluation import Evaluation, measure_as, metrics_of
from embedlink.training.module import LinkerModule
from tests.conftest import document


@pytest.fixture
def made(cdb, documents, tiny_encoder, tmp_path):
    enrich_cdb(cdb, documents)
    names = concept_names(cdb)

    def make(unfreeze=1, epochs=3, folder="run", nil_weight=1.0, seed=5, drawing_seed=5):
        torch.manual_seed(0)
        settings = LinkerSettings(str(tiny_encoder), context_window=5, max_tokens=32)
        linker = Linker.untrained(settings, unfreeze)
        data = LinkingDataModule(
            Splits(documents[:4], documents[4:5], documents[5:], []),
            VocabularyDetector(cdb, progress=False), names, linker.cutter, batch_size=3, seed=seed,
        )  # fmt: skip
        module = LinkerModule(
            linker, names, MarginalSoftmax(), lambda groups: AdamW(groups, lr=5e-3),
            seed=drawing_seed, nil_weight=nil_weight,
        )  # fmt: skip
        last = ModelCheckpoint(tmp_path / folder, "last", enable_version_counter=False)
        best = BestEpoch(tmp_path / folder, "best", monitor="val/f1", mode="max")
        trainer = L.Trainer(
            accelerator="cpu", max_epochs=epochs, logger=False, num_sanity_val_steps=0,
            enable_progress_bar=False, enable_model_summary=False, deterministic=True,
            callbacks=[IndexRefresh(), Evaluation(), best, last],
        )  # fmt: skip
        return trainer, module, data

    return make


def weights(module):
    return {name: p.detach().clone() for name, p in module.objective.named_parameters()}


def equal(one, other):
    return all(torch.equal(one[name], other[name]) for name in one)


def test_training_lowers_the_loss_and_changes_only_what_may_change(made):
    trainer, module, data = made(unfreeze=1, epochs=1)
    before = weights(module)
    trainer.fit(module, data)
    first = trainer.callback_metrics["train/loss"]
    changed = {name for name, p in weights(module).items() if not torch.equal(p, before[name])}
    assert any("encoder.layer.3" in name for name in changed)
    assert not any("layer.0" in name or "embeddings" in name for name in changed)
    trainer, module, data = made(unfreeze=1, epochs=20)
    trainer.fit(module, data)
    assert trainer.callback_metrics["train/loss"] < 0.7 * first


def test_the_same_seed_gives_the_same_weights_and_another_does_not(made):
    runs = []
    for folder in ("one", "two"):
        trainer, module, data = made(folder=folder)
        trainer.fit(module, data)
        runs.append(weights(module))
    assert equal(*runs)
    for other in ({"seed": 6}, {"drawing_seed": 6}):  # Batches, and what is drawn in a step.
        trainer, module, data = made(folder="three", **other)
        trainer.fit(module, data)
        assert not equal(runs[0], weights(module))


def test_a_resumed_run_ends_as_one_never_interrupted(made, tmp_path):
    trainer, module, data = made(epochs=4, folder="whole")
    trainer.fit(module, data)
    whole, metrics = weights(module), dict(trainer.callback_metrics)

    class Interrupt(L.Callback):
        def on_train_batch_start(self, trainer, module, batch, batch_idx):
            if trainer.current_epoch == 2 and batch_idx == 1:
                raise InterruptedError

    trainer, module, data = made(epochs=4, folder="part")
    trainer.callbacks.append(Interrupt())
    with pytest.raises(InterruptedError):
        trainer.fit(module, data)
    trainer, module, data = made(epochs=4, folder="part")
    trainer.fit(module, data, ckpt_path=tmp_path / "part" / "last.ckpt")
    assert equal(whole, weights(module))
    assert dict(trainer.callback_metrics) == metrics


def test_a_run_resumed_in_another_folder_keeps_the_best_epoch_so_far(made, tmp_path):
    trainer, module, data = made(epochs=2, folder="before")
    trainer.fit(module, data)
    path, f1 = best_epoch(trainer)
    assert 1 >= f1 >= float(trainer.callback_metrics["val/f1"])  # The best, not the last.
    trainer.checkpoint_callback.best_model_score = torch.tensor(2.0)  # No epoch is as good again.
    trainer.checkpoint_callback.best_k_models = {path: torch.tensor(2.0)}
    trainer.checkpoint_callback.kth_value = torch.tensor(2.0)
    trainer.save_checkpoint(tmp_path / "before" / "last.ckpt")
    trainer, module, data = made(epochs=4, folder="after")
    trainer.fit(module, data, ckpt_path=tmp_path / "before" / "last.ckpt")
    assert best_epoch(trainer) == (path, 2.0)
    assert not (tmp_path / "after" / "best.ckpt").exists()


def test_a_better_epoch_takes_its_place_and_leaves_the_other_folder_alone(made, tmp_path):
    trainer, module, data = made(epochs=1, folder="before")
    trainer.fit(module, data)
    path, _ = best_epoch(trainer)
    trainer.checkpoint_callback.best_k_models = {path: torch.tensor(-1.0)}
    trainer.checkpoint_callback.kth_value = torch.tensor(-1.0)
    trainer.save_checkpoint(tmp_path / "before" / "last.ckpt")
    trainer, module, data = made(epochs=2, folder="after")
    trainer.fit(module, data, ckpt_path=tmp_path / "before" / "last.ckpt")
    assert best_epoch(trainer)[0] == str(tmp_path / "after" / "best.ckpt")
    assert (tmp_path / "before" / "best.ckpt").is_file()


def test_baseline_then_test_are_told_apart_and_the_best_epoch_is_tested(made):
    trainer, module, data = made(epochs=2)
    measure_as(trainer, "baseline")
    trainer.test(module, data, verbose=False)
    measure_as(trainer, "test")
    trainer.fit(module, data)
    trainer.test(module, data, ckpt_path=best_epoch(trainer)[0], verbose=False)
    metrics = metrics_of(trainer)
    assert set(metrics) == {"baseline", "test"}
    assert metrics["baseline"]["tp"] == 2


def test_the_index_is_rebuilt_when_weights_change_and_only_then(made, monkeypatch):
    trainer, module, data = made(epochs=2)
    built = []
    build = type(module.linker).build_index

    def counted(*arguments, **keywords):
        built.append(trainer.global_step)
        return build(*arguments, **keywords)

    monkeypatch.setattr(type(module.linker), "build_index", counted)
    trainer.validate(module, data, verbose=False)
    trainer.test(module, data, verbose=False)
    trainer.fit(module, data)
    steps = len(data.train_dataloader())
    assert built == [0, steps, 2 * steps]


def test_frozen_layers_do_not_drop_out(made):
    _, module, data = made(unfreeze=0)
    data.setup()
    module.train()
    windows = data.tables["train"].windows.batch(torch.arange(3))
    encode = module.linker.encoder
    assert torch.equal(encode(windows), encode(windows))
    encode.unfreeze(1)
    assert not torch.equal(encode(windows), encode(windows))


def test_no_weight_decay_on_biases_norms_and_the_scale(made):
    _, module, _ = made(unfreeze=2)
    decayed, plain, decision = parameter_groups(module, 0.01)
    assert {p.ndim for p in decayed["params"]} == {2}
    assert {p.ndim for p in plain["params"]} == {0, 1}
    count = sum(p.requires_grad for p in module.parameters())
    assert sum(len(group["params"]) for group in (decayed, plain, decision)) == count
    assert decision["weight_decay"] == 0.0
    assert (decayed["weight_decay"], plain["weight_decay"]) == (0.01, 0.0)


def test_nothing_to_train_on_is_an_error(cdb, linker):
    nothing = document("x", "Nothing here.", [])
    data = LinkingDataModule(
        Splits([nothing], [], [], []), VocabularyDetector(cdb, progress=False),
        concept_names(cdb), linker.cutter,
    )  # fmt: skip
    with pytest.raises(EmbedLinkError, match="no training mention"):
        data.setup()


def test_nothing_to_measure_is_an_error(cdb, documents, linker):
    nothing = document("x", "Nothing here.", [])
    data = LinkingDataModule(
        Splits(documents, [nothing], documents, []), VocabularyDetector(cdb, progress=False),
        concept_names(cdb), linker.cutter,
    )  # fmt: skip
    with pytest.raises(EmbedLinkError, match="no validation mention: the 1 validation documents"):
        data.setup()


def test_every_loss_of_the_configuration_can_be_made():
    from hydra import compose, initialize

    from embedlink.experiment.resolvers import register_resolvers

    register_resolvers()
    with initialize(version_base="1.3", config_path="../../conf"):
        for name in ("marginal", "sampled", "multi_similarity"):
            cfg = compose("train", [f"objective={name}"])
            assert callable(instantiate(cfg.objective.loss))


def test_measured_vectors_are_float32_whatever_trains(made):
    _, module, data = made()
    data.setup()
    batch = next(iter(data.val_dataloader()))
    with torch.no_grad():
        exact = module.eval().validation_step(batch, 0)
        with torch.autocast("cpu", torch.bfloat16):
            assert torch.equal(module.validation_step(batch, 0), exact)


def test_a_split_is_measured_whole(made):
    trainer, module, data = made()
    trainer.limit_test_batches = 1
    data.token_budget = 1
    with pytest.raises(EmbedLinkError, match="limit_test_batches"):
        trainer.test(module, data, verbose=False)
