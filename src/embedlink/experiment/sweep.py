"""A sweep checks its members before the first one starts and ranks them after the last has ended.

Hydra calls `Sweep` before and after the sweep and every member. A member may run in another
process, so it writes its result to `result.json` in its folder. The module imports nothing heavy,
because entries need it before the command line is read.
"""

import logging
import time
from pathlib import Path
from typing import Any, ClassVar

from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.utils import JobReturn, JobStatus
from hydra.experimental.callback import Callback
from hydra.types import RunMode
from omegaconf import DictConfig

from embedlink.experiment.results import add_result

log = logging.getLogger(__name__)


class Sweep(Callback):
    """Hydra's callback for a sweep. `current` is the sweep that this process leads, or None.

    `members` holds the overrides of each member. It is empty if a sweeper chooses them later.
    """

    current: ClassVar["Sweep | None"] = None

    def __init__(self) -> None:
        self.folder = Path()
        self.members: list[list[str]] = []
        self.logger: Any = None
        self.started = time.time()

    def __getstate__(self) -> dict[str, Any]:
        """Leave the logger out: a launcher pickles callbacks, and a spool has one process only."""
        return self.__dict__ | {"logger": None}

    def on_multirun_start(self, config: DictConfig, **names: Any) -> None:
        """Open the sweep's run in MLflow, and warn of the members that cannot run."""
        Sweep.current = self
        self.folder = Path(config.hydra.sweep.dir).resolve()
        self.folder.mkdir(parents=True, exist_ok=True)
        self.members = member_overrides(config)
        self._check(str(names["config_name"]))
        from embedlink.experiment.ranking import open_sweep

        self.logger = open_sweep(config, self.folder, len(self.members))

    def _check(self, config_name: str) -> None:
        """Check the settings of each member, and warn of those that will fail."""
        from embedlink.experiment.config import check_settings
        from embedlink.problems import EmbedLinkError

        loader = GlobalHydra.instance().config_loader()
        for number, overrides in enumerate(self.members):
            cfg = loader.load_configuration(config_name, overrides, RunMode.RUN)
            try:
                check_settings(cfg)
            except EmbedLinkError as error:
                log.warning("member %d will fail: %s", number, error)

    def on_job_start(self, config: DictConfig, **_: Any) -> None:
        """Note when the member starts."""
        self.started = time.time()

    def on_job_end(self, config: DictConfig, job_return: JobReturn, **_: Any) -> None:
        """Write the result of a member to its folder."""
        if config.hydra.mode != RunMode.MULTIRUN:
            return
        failed = job_return.status != JobStatus.COMPLETED
        add_result(
            Path(config.hydra.runtime.output_dir),
            number=config.hydra.job.num,
            overrides=list(job_return.overrides or []),
            seconds=time.time() - self.started,
            error=_said(job_return) if failed else None,
        )

    def finish(self, status: str) -> None:
        """Rank the members, print the ranking, and log it to MLflow."""
        from embedlink.experiment.ranking import close_sweep

        Sweep.current = None
        close_sweep(self.folder, self.members, logger=self.logger, status=status)


def _said(job_return: JobReturn) -> str:
    return str(job_return._return_value).removeprefix("error: ").splitlines()[0]


def member_overrides(config: DictConfig) -> list[list[str]]:
    """The overrides of each member. The list is empty unless Hydra's basic sweeper chooses them."""
    if not str(config.hydra.sweeper.get("_target_", "")).endswith("BasicSweeper"):
        return []
    params = [f"{key}={value}" for key, value in (config.hydra.sweeper.params or {}).items()]
    parser = OverridesParser.create(config_loader=GlobalHydra.instance().config_loader())
    parsed = parser.parse_overrides([*params, *config.hydra.overrides.task])
    return [
        list(member) for batch in BasicSweeper.split_arguments(parsed, None) for member in batch
    ]
