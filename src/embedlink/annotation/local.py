"""Runs the parts on this machine, in as many processes as it has cores."""

import multiprocessing
import os
import threading
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from multiprocessing.connection import wait

import torch

from embedlink.annotation.worker import PartReport, PartWorker
from embedlink.problems import EmbedLinkError

_worker: PartWorker | None = None
"""The worker of this process. The executor can hand nothing else over once for all parts."""


@dataclass(frozen=True)
class LocalEngine:
    """`processes` is the number of processes. None takes one for each core, or one with a GPU."""

    processes: int | None = None

    def __call__(self, worker: PartWorker, parts: list[int]) -> Iterator[PartReport]:
        """Yield the report of each part when it is written.

        Each process reads the pack itself. Raises `EmbedLinkError` if a process is killed.
        """
        processes = min(self.processes or _default(), len(parts))
        if processes <= 1:
            yield from map(worker, parts)
            return
        # A forked process would share torch's threads, which do not survive a fork.
        context = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(processes, context, _start, (worker,)) as pool:
            try:
                for done in as_completed([pool.submit(_run, part) for part in parts]):
                    yield done.result()
            except BrokenProcessPool:
                raise EmbedLinkError(
                    "a process was killed, perhaps because memory ran out; start again with fewer "
                    "(processes=) to go on"
                ) from None
            except BaseException:  # Otherwise leaving the block would wait for running parts.
                for process in multiprocessing.active_children():
                    process.terminate()
                raise


def _default() -> int:
    return 1 if torch.cuda.is_available() else len(os.sched_getaffinity(0))


def _start(worker: PartWorker) -> None:
    global _worker
    _worker = worker
    torch.set_num_threads(1)  # The other cores have processes of their own.
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """End this process if its parent is killed. It would wait for parts for ever."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)


def _run(part: int) -> PartReport:
    assert _worker is not None
    return _worker(part)
