"""Handles signals, errors that a user can mend, and exit codes around the work of an entry script.

It imports nothing heavy, because an entry needs it before the command line is read.
"""

import shlex
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from hydra.core.hydra_config import HydraConfig
from hydra.errors import CompactHydraException
from hydra.types import RunMode

from embedlink.experiment.near_misses import near_misses
from embedlink.experiment.signals import Stopped, stoppable
from embedlink.experiment.sweep import Sweep
from embedlink.problems import EmbedLinkError


class MemberFailed(CompactHydraException):
    """A member of a sweep met an error that a user can mend. Hydra goes on with the others."""


def launch(main: Callable[[], object]) -> None:
    """Run an entry's `main`. A signal ends it with the exit code that a shell expects.

    A sweep is summed up at its end, even if members failed.
    """
    try:
        with stoppable():
            _summed_up(main)
    except Stopped as stop:
        print(f"stopped by {stop.name}", file=sys.stderr)
        raise SystemExit(stop.exit_code) from None


def _summed_up(main: Callable[[], object]) -> None:
    """Run an entry's `main`, say what wrong keys may mean, and close a sweep with its status."""
    status = "KILLED"
    try:
        main()
        status = "FINISHED"
    except SystemExit as end:
        if end.code == 1:
            # Hydra has already printed which key it does not know.
            for line in near_misses(sys.argv[1:], Path(sys.argv[0]).stem):
                print(line, file=sys.stderr)
        # Hydra exits with 1 if a member failed. A signal's code is above 128.
        status = "FAILED" if end.code == 1 else "KILLED"
        raise
    finally:
        if Sweep.current is not None:
            Sweep.current.finish(status)


@contextmanager
def reported_errors() -> Iterator[None]:
    """Turn an error that a user can mend into its message and exit code 1.

    In a sweep it stays an exception, which Hydra keeps until the other members have run. If a
    signal ends the run, the command that resumes it is printed.
    """
    try:
        with stoppable():
            yield
    except EmbedLinkError as error:
        if HydraConfig.initialized() and HydraConfig.get().mode == RunMode.MULTIRUN:
            raise MemberFailed(f"error: {error}") from None
        raise SystemExit(f"error: {error}") from error
    except Stopped as stop:
        raise SystemExit(_stopped(stop)) from None


def _stopped(stop: Stopped) -> int:
    """Print how to resume the run. Returns the exit code."""
    said = f"stopped by {stop.name}."
    if HydraConfig.initialized() and HydraConfig.get().job.name == "train":
        said += f" Go on with: {resuming_command()}"
    print(said, file=sys.stderr, flush=True)
    return stop.exit_code


def resuming_command() -> str:
    """The command that resumes the present run, quoted for a shell."""
    hydra = HydraConfig.get()
    own = [each for each in hydra.overrides.task if not each.startswith("resume=")]
    folder = Path(hydra.runtime.output_dir)
    return shlex.join(["python", f"{hydra.job.name}.py", *own, f"resume={folder}"])
