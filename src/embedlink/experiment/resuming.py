"""Finds the run to resume, from `resume=last`, a run's folder, or a checkpoint in it."""

from dataclasses import dataclass
from pathlib import Path

from embedlink.problems import EmbedLinkError

TAKES = "null, last, the folder of a run, or its checkpoints/last.ckpt"


@dataclass(frozen=True)
class Resumed:
    """A run to resume. If it was killed early, its checkpoint or its tagger is None."""

    folder: Path
    checkpoint: Path | None
    tagger: Path | None

    @classmethod
    def of(cls, value: object, own_folder: Path | None = None) -> "Resumed | None":
        """The run that `resume` names, or None if nothing is resumed.

        `own_folder` is the folder of the present run. `last` looks for other runs beside it. Raises
        `EmbedLinkError` if there is no such run.
        """
        if value is None:
            return None
        path = Path(str(value)).expanduser()
        if path.is_file() and path.suffix == ".ckpt":
            folder, checkpoint = path.resolve().parents[1], path
        else:
            folder = _last(own_folder) if str(value) == "last" else path
            checkpoint = folder / "checkpoints" / "last.ckpt"
        if not (folder / ".hydra").is_dir() and not checkpoint.is_file():
            raise EmbedLinkError(f"resume={value!r} is not allowed; it takes {TAKES}")
        tagger = folder / "tagger"
        return cls(
            folder.resolve(),
            checkpoint if checkpoint.is_file() else None,
            tagger if tagger.is_dir() else None,
        )


def _last(own_folder: Path | None) -> Path:
    """The folder of the run that wrote a checkpoint or a tagger last, the present run left out."""
    own = own_folder.resolve() if own_folder else Path.cwd() / "runs" / "day" / "time"
    patterns = ("*/*/{}", "*/*/*/{}")  # Runs, and the members of sweeps.
    left = [
        path
        for pattern in patterns
        for name in ("checkpoints/last.ckpt", "tagger/config.json")
        for path in own.parents[1].glob(pattern.format(name))
        if own not in path.parents
    ]
    if not left:
        raise EmbedLinkError(
            f"resume='last': no run below {own.parents[1]} has left a checkpoint or a tagger"
        )
    return max(left, key=lambda path: path.stat().st_mtime).parents[1]
