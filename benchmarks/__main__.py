"""All benchmarks, small: `python -m benchmarks`. As published: `python -m benchmarks --full`.

One at a size: `python -m benchmarks --only linking --sizes 20000`.
"""

import argparse
import dataclasses
import os
from pathlib import Path
from typing import Any

os.environ.setdefault("TQDM_DISABLE", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "true")

from benchmarks import encoding, epoch, growth, linking, refresh, search, startup, stored
from benchmarks.measure import machine
from benchmarks.options import Options
from benchmarks.tables import write_results
from embedlink.files.outputs import free_files

BENCHMARKS = {
    "encoding": encoding.run,
    "refresh": refresh.run,
    "linking": linking.run,
    "search": search.run,
    "epoch": epoch.run,
    "growth": growth.run,
    "stored": stored.run,
    "startup": startup.run,
}
FULL: dict[str, Any] = {
    "names": 20_000,
    "sizes": (20_000, 200_000, 1_000_000),
    "mentions": 10_000,
    "build": 20_000,
    "documents": 0,
}


def parse(arguments: list[str] | None = None) -> Options:
    """Read the command line: every field of `Options`, and `--full` for the published sizes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--full", action="store_true", help="the sizes of the published tables")
    for option in dataclasses.fields(Options):
        many = isinstance(option.default, tuple) or option.name == "only"
        kind = int if option.name in ("sizes", "batches") or option.type == "int" else str
        kind = int if isinstance(option.default, int) else kind
        parser.add_argument(
            f"--{option.name.replace('_', '-')}", type=kind, nargs="*" if many else None
        )
    given = {name: value for name, value in vars(parser.parse_args(arguments)).items() if value}
    base = FULL if given.pop("full", False) else {}
    chosen: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in given.items()}
    return Options(**{**base, **chosen})


def main(arguments: list[str] | None = None) -> None:
    """Run what was chosen, and write and print the results."""
    options = parse(arguments)
    names = ("results.json", "results.md")
    free_files([Path(options.folder) / name for name in names], options.overwrite)
    known = machine(options.clock)
    timings = []
    for name, run in BENCHMARKS.items():
        if not options.only or name in options.only:
            timings += run(options)
    print(write_results(options, known, timings))


if __name__ == "__main__":
    main()
