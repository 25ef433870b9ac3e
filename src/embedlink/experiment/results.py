"""What the members of a sweep leave: a file `result.json` in each run's folder."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

RESULT = "result.json"


def add_result(folder: Path, **found: object) -> None:
    """Add values to a run's `result.json`."""
    path = folder / RESULT
    result = read_result(folder) | found
    aside = path.with_suffix(".partial")
    aside.write_text(json.dumps(result, indent=1), "utf-8")
    aside.replace(path)


def read_result(folder: Path) -> dict[str, Any]:
    """The content of a run's `result.json`, or an empty dictionary if there is none."""
    path = folder / RESULT
    result: dict[str, Any] = json.loads(path.read_text("utf-8")) if path.is_file() else {}
    return result


def results(folder: Path, members: Sequence[Sequence[str]]) -> list[dict[str, Any]]:
    """The result of each member of a sweep, by number. Members without a result get an error."""
    found = {
        int(result["number"]): result | {"folder": str(path.parent)}
        for path in folder.glob(f"*/{RESULT}")
        if "number" in (result := read_result(path.parent))
    }
    for number, overrides in enumerate(members):
        lost = {"number": number, "overrides": list(overrides), "error": "killed or never started"}
        found.setdefault(number, lost)
    return [found[number] for number in sorted(found)]
