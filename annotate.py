"""Annotate notes with a model pack: a folder of parquet files, one row for each link.

python annotate.py pack=runs/<day>/<time>/pack notes=notes.csv output=links
python annotate.py pack=runs/<day>/<time>/pack notes=notes output=links engine=ray
"""

import hydra
from omegaconf import DictConfig

from embedlink.experiment.entry import launch, reported_errors
from embedlink.experiment.resolvers import register_resolvers

register_resolvers()


@hydra.main(version_base="1.3", config_path="conf", config_name="annotate")
def main(cfg: DictConfig) -> None:
    """The command line."""
    # Imported here, so that --help does not wait for torch and MedCAT.
    from embedlink.experiment.annotate import annotate
    from embedlink.experiment.config import check_values

    with reported_errors():
        check_values(cfg)
        print(annotate(cfg))


if __name__ == "__main__":
    launch(main)
