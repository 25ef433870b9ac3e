"""What configurations may write beside OmegaConf's and Hydra's own.

It imports nothing heavy: an entry needs it before the command line is read, `--help` included.
"""

from collections.abc import Sequence
from pathlib import Path, PurePath

from omegaconf import OmegaConf

PROJECT_ROOT = Path(__file__).resolve().parents[3]
OF_A_RUN = ("linker", "tagger")


def register_resolvers() -> None:
    """Make the resolvers known.

    `${project_root:}` is the folder of the entry scripts; `${run_name:…}` turns a list of
    overrides into a name for the run, in place of a random one that the seed would repeat.
    """
    OmegaConf.register_new_resolver("project_root", lambda: str(PROJECT_ROOT), replace=True)
    OmegaConf.register_new_resolver("run_name", run_name, replace=True)


def run_name(overrides: Sequence[str]) -> str:
    """The settings given on the command line, of paths the last part; `default` without any.

    What tells runs apart stands in front, for MLflow cuts long names: the experiment, which they
    share, comes last, and where the data lies is left out.
    """
    told = [override for override in overrides if not override.startswith("data_dir=")]
    told.sort(key=lambda override: override.startswith("experiment="))
    return " ".join(map(_short, told)) or "default"


def _short(override: str) -> str:
    key, equals, value = override.partition("=")
    if "/" not in value:
        return override
    path = PurePath(value)
    # In every run's folder these have the same name: the day and the time tell them apart.
    parts = path.parts[-3:] if path.name in OF_A_RUN else path.parts[-1:]
    return f"{key}{equals}{PurePath(*parts)}"
