"""The project's own resolvers for configurations, as `${run_name:…}`.

It imports nothing heavy, because an entry needs it before the command line is read.
"""

import itertools
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path, PurePath

from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import OmegaConf

from embedlink.experiment.registry import register_settings

PROJECT_ROOT = Path(__file__).resolve().parents[3]
OF_A_RUN = ("linker", "tagger")
LONGEST_NAME = 40
"""Most characters of a run's name. MLflow's table cuts longer ones."""

UNTOLD = ("data_dir=", "pack=", "logger.", "hydra.", "resume=", "trainer.enable_progress_bar=")
"""Overrides that begin so say nothing about the experiment, so names leave them out."""


def register_resolvers() -> None:
    """Make the resolvers and the typed settings known to Hydra.

    `${project_root:}` is the folder of the entry scripts. `${run_name:…}` turns a list of overrides
    into the name of the run. MLflow's random names would repeat, because runs set the seed.
    `${run_folder:…}` makes a new folder for a run. `${sweep_folder:}` is the folder of the sweep
    that a run belongs to, or null. `${joined:…}` puts blanks between the items of a list.
    """
    OmegaConf.register_new_resolver("project_root", lambda: str(PROJECT_ROOT), replace=True)
    OmegaConf.register_new_resolver("run_name", run_name, replace=True)
    register_settings()
    OmegaConf.register_new_resolver("sweep_folder", sweep_folder, replace=True)
    OmegaConf.register_new_resolver("joined", " ".join, replace=True)
    # It is cached, so that a configuration gets the same folder each time it asks.
    OmegaConf.register_new_resolver("run_folder", run_folder, replace=True, use_cache=True)


def run_folder(root: str, suffix: str = "") -> str:
    """Make `root/<day>/<time>` and return it. If another run has that name, a number is added.

    Only one process can make a folder, also if several machines share a disk.
    """
    now = datetime.now()
    day = Path(root) / f"{now:%Y-%m-%d}"
    day.mkdir(parents=True, exist_ok=True)
    for number in itertools.count(1):
        folder = day / f"{now:%H-%M-%S}{suffix}{f'-{number}' if number > 1 else ''}"
        try:
            folder.mkdir()
        except FileExistsError:
            continue
        return str(folder)
    raise AssertionError("counting has no end")


def sweep_folder() -> str | None:
    """The absolute folder of the sweep that the present run belongs to, or None outside a sweep."""
    hydra = HydraConfig.get() if HydraConfig.initialized() else None
    if hydra is None or hydra.mode != RunMode.MULTIRUN:
        return None
    return str(Path(hydra.sweep.dir).resolve())


def run_name(overrides: Sequence[str]) -> str:
    """A name made of the settings from the command line, or `default` if there are none.

    Of a path only the last part is shown. The experiment comes last, because runs often share it.
    If the name is too long, keys lose their groups. If it is still too long, its end is cut.
    """
    told = [override for override in overrides if not override.startswith(UNTOLD)]
    told.sort(key=lambda override: override.startswith("experiment="))
    shown = [_short(override) for override in told]
    if len(" ".join(shown)) > LONGEST_NAME:
        shown = [_without_group(override) for override in shown]
    name = " ".join(shown) or "default"
    return name if len(name) <= LONGEST_NAME else f"{name[: LONGEST_NAME - 1]}…"


def _without_group(override: str) -> str:
    key, equals, value = override.partition("=")
    return f"{key.rpartition('.')[2]}{equals}{value}"


def _short(override: str) -> str:
    """An override with the end of its path alone, because run names are short."""
    key, equals, value = override.partition("=")
    if "/" not in value:
        return override
    path = PurePath(value)
    # These have the same name in every run's folder, so the day and the time are shown too.
    parts = path.parts[-3:] if path.name in OF_A_RUN else path.parts[-1:]
    return f"{key}{equals}{PurePath(*parts)}"
