"""The weights that are kept are the best on validation documents: training may harm."""

import lightning as L
import pytest
import torch
from torch.optim import AdamW

from embedlink.concepts.enrichment import enrich_cdb
from embedlink.concepts.names import concept_names
from embedlink.corpora.splits import Splits
from embedlink.detection.pipeline import VocabularyDetector
from embedlink.linking.linker import Linker
from embedlink.linking.settings import LinkerSettings
from embedlink.objective.losses import MarginalSoftmax
from embedlink.training.best_epoch import BestEpoch
from embedlink.training.better import AMOUNTS, LastEpochs, between, keep_better, trained_weights
from embedlink.training.callbacks import IndexRefresh
from embedlink.training.datamodule import LinkingDataModule
from embedlink.training.evaluation import Evaluation
from embedlink.training.module import LinkerModule


class Wiping(AdamW):
    """Training that harms: all that trains becomes zero, so every mention looks the same."""

    def step(self, closure=None):
        loss = super().step(closure)
        with torch.no_grad():
            for group in self.param_groups:
                for weight in group["params"]:
                    weight.zero_()
        return loss


@pytest.fixture
def fitted(cdb, documents, tiny_encoder, tmp_path):
    enrich_cdb(cdb, documents)
    names = concept_names(cdb)

    def fit(optimizer, monitor="val/accuracy_at_1"):
        torch.manual_seed(0)
        settings = LinkerSettings(str(tiny_encoder), context_window=5, max_tokens=32)
        linker = Linker.untrained(settings, unfreeze=2)
        published = trained_weights(linker.encoder)
        data = LinkingDataModule(
            Splits(documents[:4], documents[:4], documents[5:], []),
            VocabularyDetector(cdb, progress=False), names, linker.cutter, batch_size=3,
        )  # fmt: skip
        module = LinkerModule(
            linker,
            names,
            MarginalSoftmax(),
            lambda groups: optimizer(groups, lr=1e-2),
            hide_own_name=False,
        )
        best = BestEpoch(tmp_path, "best", monitor=monitor, mode="max")
        trainer = L.Trainer(
            accelerator="cpu", max_epochs=2, logger=False, num_sanity_val_steps=0,
            enable_progress_bar=False, enable_model_summary=False,
            callbacks=[IndexRefresh(), Evaluation(), LastEpochs(), best],
        )  # fmt: skip
        trainer.fit(module, data)
        return trainer, module, data, published

    return fit


def test_published_weights_are_kept_if_training_harms(fitted, caplog):
    trainer, module, data, published = fitted(Wiping)
    trained = trained_weights(module.linker.encoder)
    with caplog.at_level("INFO"):
        kept = keep_better(trainer, module, data, published)
    assert kept.scores["0"] > kept.scores["1"]
    assert kept.name == "0"
    assert "the published ones are kept" in caplog.text
    weights = trained_weights(module.linker.encoder)
    assert all(torch.equal(weights[name], published[name]) for name in published)
    assert not all(torch.equal(trained[name], published[name]) for name in published)
    trainer.validate(module, data, verbose=False)
    assert float(trainer.callback_metrics["val/accuracy_at_1"]) == kept.scores["0"]


def test_every_amount_and_the_best_epoch_are_tried(fitted):
    trainer, module, data, published = fitted(AdamW, monitor="val/f1")
    kept = keep_better(trainer, module, data, published)
    assert list(kept.scores) == ["best_epoch", *(f"{amount:g}" for amount in AMOUNTS)]
    assert kept.scores[kept.name] == max(kept.scores.values()) == kept.f1
    # The decision that was calibrated for these weights is kept with them.
    decision = {k: v.clone() for k, v in module.linker.decision.state_dict().items()}
    trainer.validate(module, data, verbose=False)
    again = module.linker.decision.state_dict()
    assert all(torch.equal(decision[key], again[key]) for key in decision)


def test_the_last_epochs_are_averaged_and_survive_a_stop():
    last = LastEpochs()
    last.weights = [{"a": torch.tensor([1.0, 2.0])}, {"a": torch.tensor([3.0, 4.0])}]
    resumed = LastEpochs()
    resumed.load_state_dict(last.state_dict())
    assert resumed.average()["a"].tolist() == [2.0, 3.0]
    quarter = between({"a": torch.tensor([0.0, 4.0])}, resumed.average(), 0.25)
    assert quarter["a"].tolist() == [0.5, 3.75]
