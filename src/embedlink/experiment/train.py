"""What `train.py` and `evaluate.py` run: an experiment from data to pack, and its measure anew."""

from pathlib import Path

import lightning as L
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig

from embedlink.corpora.frequencies import TrainingMentions
from embedlink.corpora.seen import note_seen
from embedlink.corpora.splits import check_sides
from embedlink.evaluation.comparison import compare_runs, format_comparison
from embedlink.evaluation.report import report_files
from embedlink.experiment import stages
from embedlink.experiment.config import check_resumed, check_settings
from embedlink.experiment.evaluate import check_evaluation, measure
from embedlink.experiment.tracking import (
    begin,
    check_tracker,
    comparing,
    describe_run,
    log_baselines,
    log_evaluation,
    note_results,
    run_ends,
)
from embedlink.files.outputs import free_files
from embedlink.linking.linker import Linker
from embedlink.training.best_epoch import best_epoch
from embedlink.training.evaluation import measure_as, metrics_of


def train(cfg: DictConfig) -> float:
    """Run one experiment; returns its F1 on the validation split."""
    check_settings(cfg)
    resumed = begin(cfg)
    check_resumed(cfg)
    L.seed_everything(cfg.seed, verbose=False)
    folder = Path(HydraConfig.get().runtime.output_dir)
    stages.check_run_folder(cfg, folder)
    data = stages.load_data(cfg, cfg.model.representative)
    check_sides(data.splits)
    note_seen(folder, data.splits.train, stages.reused_runs(cfg))
    stages.learn_detection(cfg, data, folder / "tagger")
    linker = Linker.untrained(stages.linker_settings(cfg), cfg.unfreeze)
    linker.frequencies = TrainingMentions.of(data.splits.train).concepts
    datamodule = stages.build_datamodule(cfg, data, linker)
    module = stages.build_module(cfg, data, linker)
    trainer = stages.build_trainer(cfg)
    with run_ends(trainer.loggers):
        describe_run(trainer, cfg, data, folder)

        measure_as(trainer, "baseline")
        trainer.validate(module, datamodule, verbose=False)  # Epoch 0: the untrained linker.
        trainer.test(module, datamodule, verbose=False)
        measure_as(trainer, "test")
        stages.first_stage(cfg, data, module)
        log_baselines(trainer, cfg, data, datamodule)
        trainer.fit(module, datamodule, ckpt_path=resumed.checkpoint if resumed else None)
        best, f1 = best_epoch(trainer)
        if cfg.model.rerank is not None:
            trainer.validate(module, datamodule, ckpt_path=best, verbose=False)
            stages.learn_reranker(cfg, data, module, datamodule)
            trainer.validate(module, datamodule, verbose=False)  # Calibrates the decision anew.
            best, f1 = None, float(trainer.callback_metrics["val/f1"])
        trainer.test(module, datamodule, ckpt_path=best, verbose=False)

        linker.set_counts(datamodule.counts, data.names)
        shipped = stages.ship(cfg, folder, module, data)
        note_results(trainer, f1, folder / "linker", shipped)
    metrics = metrics_of(trainer)
    print(
        f"F1 {metrics['baseline']['f1']:.3f} untrained, {metrics['test']['f1']:.3f} trained. "
        f"Linker: {shipped}.{comparing(cfg)}"
    )
    return f1


def evaluate(cfg: DictConfig) -> None:
    """Print the metrics of a linker or baseline on one split, or of two runs beside each other."""
    check_evaluation(cfg)
    if cfg.compare is not None:
        print(format_comparison(compare_runs(cfg.compare, cfg.split), cfg.compare))
        return
    check_tracker(cfg)
    folder = Path(HydraConfig.get().runtime.output_dir)
    free_files(report_files(folder, cfg.split), cfg.overwrite)
    data, measured = measure(cfg)
    files = measured.write(folder, cfg.split)
    log_evaluation(cfg, data, measured.metrics, files)
    for name, value in measured.metrics.items():
        print(f"{name:32} {value:.4f}")
