"""Download, check and report the data of a configuration: `python prepare.py data=distemist`."""

import hydra
from omegaconf import DictConfig

from embedlink.experiment.entry import launch, reported_errors
from embedlink.experiment.resolvers import register_resolvers

register_resolvers()


@hydra.main(config_path="conf", config_name="prepare", version_base="1.3")
def main(cfg: DictConfig) -> None:
    """Report the data, and fail when a strict run would."""
    # Imported here, so that --help does not wait for MedCAT and MLflow.
    from embedlink.experiment.prepare import prepare

    with reported_errors():
        prepare(cfg)


if __name__ == "__main__":
    launch(main)
