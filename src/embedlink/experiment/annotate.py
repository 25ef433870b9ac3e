"""`annotate.py`: from its configuration to the job of `annotation`."""

from pathlib import Path

from hydra.utils import instantiate
from omegaconf import DictConfig

from embedlink.annotation.job import annotate_notes
from embedlink.annotation.local import LocalEngine
from embedlink.corpora.unlabelled import NoteFiles


def annotate(cfg: DictConfig) -> str:
    """Annotate as the configuration says. Returns a sentence for the user."""
    engine = instantiate(cfg.ray) if cfg.engine == "ray" else LocalEngine(cfg.processes)
    return annotate_notes(
        Path(cfg.pack).expanduser(),
        NoteFiles(cfg.notes, cfg.text_column, cfg.id_column),
        Path(cfg.output).expanduser(),
        engine,
        include_text=cfg.include_text,
        notes_per_part=cfg.notes_per_part,
        overwrite=cfg.overwrite,
    )
