"""Runs the parts on a Ray cluster, by Ray Data. Notes, pack and output lie on a shared disk."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from embedlink.annotation.worker import PartReport, PartWorker
from embedlink.problems import EmbedLinkError

os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")


@dataclass(frozen=True)
class RayEngine:
    """`address` is Ray's: `auto` for the cluster of this machine, `local` for a new one.

    `workers` is the greatest number of workers, each on one core. None takes all cores.
    """

    address: str = "auto"
    workers: int | None = None

    def __call__(self, worker: PartWorker, parts: list[int]) -> Iterator[PartReport]:
        """Yield the report of each part when it is written.

        Raises `EmbedLinkError` if Ray is not installed or the cluster cannot be reached.
        """
        try:
            import ray  # An extra, and slow to import.
            import ray.data
        except ImportError as error:
            raise EmbedLinkError("engine=ray needs Ray: pip install embedlink[ray]") from error
        try:
            ray.init(address=self.address, ignore_reinit_error=True, log_to_driver=False)
        except (ConnectionError, ValueError) as error:
            raise EmbedLinkError(f"ray.address={self.address}: {error}") from error
        workers = self.workers or int(ray.cluster_resources().get("CPU", 1))
        # One block for each part, so that a part is handed out when a worker is free.
        waiting = ray.data.from_items(
            [{"part": part} for part in parts], override_num_blocks=len(parts)
        )
        reports = waiting.map_batches(
            RayWorker, fn_constructor_args=(worker,), batch_size=1, num_cpus=1,
            concurrency=(1, min(workers, len(parts))),
        )  # fmt: skip
        for row in reports.iter_rows():
            yield PartReport(**row)


class RayWorker:
    """A worker in a process of Ray's, which keeps its pack between parts."""

    def __init__(self, worker: PartWorker) -> None:
        self.worker = worker

    def __call__(self, batch: dict[str, Any]) -> dict[str, list[int]]:
        """The reports of the parts in a batch, by field."""
        reports = [self.worker(int(part)) for part in batch["part"]]
        return {name: [getattr(report, name) for report in reports] for name in PartReport._fields}
