"""Measure a trained linker or a baseline on a corpus as training does, or compare two runs.

python evaluate.py linker=runs/2026-01-31/12-00-00 data=ncbi data_dir=…
python evaluate.py baseline=tfidf data=ncbi data_dir=…
python evaluate.py compare=[runs/2026-01-31/12-00-00,runs/2026-01-31/13-00-00]
"""

import hydra
from omegaconf import DictConfig

from embedlink.experiment.entry import launch, reported_errors
from embedlink.experiment.resolvers import register_resolvers

register_resolvers()


@hydra.main(version_base="1.3", config_path="conf", config_name="evaluate")
def main(cfg: DictConfig) -> None:
    """The command line."""
    # Imported here, so that --help does not wait for torch, MedCAT and MLflow.
    from embedlink.experiment.train import evaluate

    with reported_errors():
        evaluate(cfg)


if __name__ == "__main__":
    launch(main)
