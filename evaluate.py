"""Measure a trained linker or a baseline on a corpus as training does, or compare two runs.

python evaluate.py checkpoint=runs/2026-01-31/12-00-00/linker data=ncbi data_dir=…
python evaluate.py baseline=tfidf data=ncbi data_dir=…
python evaluate.py compare=[runs/2026-01-31/12-00-00,runs/2026-01-31/13-00-00]
"""

from pathlib import Path

import hydra
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig

from embedlink.comparison import compare_runs, format_comparison
from embedlink.evaluating import check_evaluation, measure
from embedlink.experiment import reported_errors
from embedlink.resolvers import register_resolvers
from embedlink.tracking import log_evaluation

register_resolvers()


def evaluate(cfg: DictConfig) -> None:
    """Print the figures of a linker or baseline on one split, or of two runs beside each other."""
    check_evaluation(cfg)
    if cfg.compare is not None:
        print(format_comparison(compare_runs(cfg.compare, cfg.split), cfg.compare))
        return
    data, measured = measure(cfg)
    files = measured.write(Path(HydraConfig.get().runtime.output_dir), cfg.split)
    log_evaluation(cfg, data, measured.figures, files)
    for name, value in measured.figures.items():
        print(f"{name:32} {value:.4f}")


@hydra.main(version_base="1.3", config_path="conf", config_name="evaluate")
def main(cfg: DictConfig) -> None:
    """The command line."""
    with reported_errors():
        evaluate(cfg)


if __name__ == "__main__":
    main()
