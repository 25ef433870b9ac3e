"""Runs `train.py`, an experiment from data to pack, and `evaluate.py`, which measures a linker."""

from dataclasses import replace

import lightning as L
from omegaconf import DictConfig

from embedlink.corpora.frequencies import TrainingMentions
from embedlink.corpora.seen import note_seen
from embedlink.corpora.splits import check_sides
from embedlink.evaluation.comparison import compare_runs, format_comparison
from embedlink.evaluation.errors import format_errors
from embedlink.evaluation.report import report_files
from embedlink.evaluation.summary import split_summary
from embedlink.experiment import stages
from embedlink.experiment.config import check_resumed, check_settings
from embedlink.experiment.data import load_data
from embedlink.experiment.evaluate import check_evaluation, measure
from embedlink.experiment.parts import EvaluateRun, TrainRun
from embedlink.experiment.tracking import (
    begin,
    check_tracker,
    comparing,
    describe_run,
    log_baselines,
    log_evaluation,
    note_results,
    run_ends,
    run_logger,
)
from embedlink.files.outputs import free_files
from embedlink.training.better import trained_weights
from embedlink.training.evaluation import measure_as, metrics_of


def train(cfg: DictConfig) -> float:
    """Run one experiment. Returns its F1 on the validation split."""
    check_settings(cfg)
    resumed = begin(cfg)
    check_resumed(cfg)
    L.seed_everything(cfg.seed, verbose=False)
    run = TrainRun.of(cfg)
    stages.check_run_folder(run)
    data = load_data(run, run.model.representative)
    check_sides(data.splits)
    note_seen(run.folder, data.splits.train, stages.reused_runs(run))
    stages.learn_detection(run, data)
    linker = run.linker(frequencies=TrainingMentions.of(data.splits.train).concepts)
    published = trained_weights(linker.encoder)
    datamodule = stages.build_datamodule(run, data, linker)
    reading = stages.prepare_reader(run, data, linker, datamodule)
    if reading is not None:
        linker = replace(linker, senses=reading.reader)
    module = run.module(linker, data.names)
    trainer = stages.build_trainer(run, run_logger(cfg))
    with run_ends(trainer.loggers):
        describe_run(trainer, cfg, data=data, folder=run.folder)

        measure_as(trainer, "baseline")
        trainer.validate(module, datamodule, verbose=False)  # Epoch 0: the untrained linker.
        trainer.test(module, datamodule, verbose=False)
        measure_as(trainer, "test")
        if reading is not None:
            found = stages.learn_short_forms(run, reading, datamodule)
            for logger in trainer.loggers:
                logger.log_metrics(found)
        stages.pretrain(run, data, module)
        log_baselines(trainer, cfg, data=data, datamodule=datamodule)
        trainer.fit(module, datamodule, ckpt_path=resumed.checkpoint if resumed else None)
        f1 = stages.keep_better(trainer, module, datamodule, published)
        if run.reranker is not None:
            stages.learn_reranker(
                run, run.reranker, data=data, module=module, datamodule=datamodule
            )
            trainer.validate(module, datamodule, verbose=False)  # Calibrates the decision anew.
            f1 = float(trainer.callback_metrics["val/f1"])
        trainer.test(module, datamodule, verbose=False)

        trained = module.linker.with_counts(datamodule.counts, data.names)
        shipped = stages.ship(run, trained, module, data)
        note_results(trainer, f1, run.folder / "linker", shipped)
    metrics = metrics_of(trainer)
    print(
        f"F1 {metrics['baseline']['f1']:.3f} untrained, {metrics['test']['f1']:.3f} trained. "
        f"Linker: {shipped}.{comparing(cfg)}"
    )
    return f1


def evaluate(cfg: DictConfig) -> None:
    """Print the metrics of a linker or baseline on one split, or compare those of two runs."""
    check_evaluation(cfg)
    run = EvaluateRun.of(cfg)
    compared, part = run.settings.compare, run.settings.part
    if compared is not None:
        print(format_comparison(compare_runs(compared, part), compared))
        return
    check_tracker(cfg)
    free_files(report_files(run.folder, part), run.settings.overwrite)
    data, measured = measure(run)
    files = measured.write(run.folder, part)
    log_evaluation(cfg, data, measured.metrics, files)
    if run.settings.report == "errors":
        print(format_errors(measured.errors))
    else:
        print(split_summary(run.settings.baseline or "linker", measured.metrics))
