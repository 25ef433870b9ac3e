"""Train a linker, measure it as MedCAT does, and leave a MedCAT model pack that uses it.

python train.py model=medembed context_window=35 unfreeze=4
"""

import hydra
from omegaconf import DictConfig

from embedlink.experiment.entry import launch, reported_errors
from embedlink.experiment.resolvers import register_resolvers

register_resolvers()


@hydra.main(version_base="1.3", config_path="conf", config_name="train")
def main(cfg: DictConfig) -> float:
    """The command line; returns the F1 on the validation split."""
    # Imported here, so that --help does not wait for torch, Lightning and MLflow.
    from embedlink.experiment.train import train

    with reported_errors():
        return train(cfg)


if __name__ == "__main__":
    launch(main)
