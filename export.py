"""Put a trained linker into a MedCAT model pack, or into a folder that other tools load.

python export.py linker=runs/<day>/<time> pack=model_pack.zip output=linked_pack
"""

from pathlib import Path

import hydra
from omegaconf import DictConfig

from embedlink.experiment.entry import launch, reported_errors
from embedlink.experiment.resolvers import register_resolvers

register_resolvers()


@hydra.main(version_base="1.3", config_path="conf", config_name="export")
def main(cfg: DictConfig) -> None:
    """The command line."""
    # Imported here, so that --help does not wait for torch and MedCAT.
    from embedlink.experiment.config import check_values
    from embedlink.export.export import export_linker

    with reported_errors():
        check_values(cfg)
        pack, tagger, names = (
            Path(path).expanduser() if path else None for path in (cfg.pack, cfg.tagger, cfg.names)
        )
        linker, output = Path(cfg.linker).expanduser(), Path(cfg.output).expanduser()
        print(
            export_linker(
                linker, cfg.target, output, pack, cfg.encoder, tagger, names, cfg.overwrite
            )
        )


if __name__ == "__main__":
    launch(main)
