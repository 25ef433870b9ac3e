"""Deliver to MLflow what runs logged while their tracking store was away.

python sync.py run=runs/<day>/<time>
python sync.py
"""

import hydra
from omegaconf import DictConfig

from embedlink.experiment.entry import launch, reported_errors
from embedlink.experiment.resolvers import register_resolvers

register_resolvers()


@hydra.main(version_base="1.3", config_path="conf", config_name="sync")
def main(cfg: DictConfig) -> None:
    """The command line."""
    # Imported here, so that --help does not wait for MLflow.
    from embedlink.experiment.sync import sync

    with reported_errors():
        sync(cfg)


if __name__ == "__main__":
    launch(main)
