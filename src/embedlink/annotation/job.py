"""Annotates all notes of a folder or file, and goes on where it was stopped."""

import logging
import time
from pathlib import Path

from embedlink.annotation.annotator import Annotator
from embedlink.annotation.parts import PartsFolder, Plan
from embedlink.annotation.worker import Engine, PartWorker, counted
from embedlink.corpora.unlabelled import FORMS, NoteFiles
from embedlink.files.digests import digest_of_folder
from embedlink.files.paths import resolve
from embedlink.medcat.pack import pack_folder
from embedlink.problems import EmbedLinkError
from embedlink.progress import progress_bar

log = logging.getLogger(__name__)


def annotate_notes(
    pack: Path,
    notes: NoteFiles,
    output: Path,
    engine: Engine,
    *,
    include_text: bool = False,
    notes_per_part: int = 200,
    overwrite: bool = False,
) -> str:
    """Write the links of all notes to a folder of parquet parts. Returns a sentence for the user.

    Parts that are there already are kept. Raises `EmbedLinkError` if pack or notes cannot be read,
    if there are no notes, or if the folder holds other annotations or other files.
    """
    folder = pack_folder(pack)
    count, digest = counted(notes)
    if not count:
        raise EmbedLinkError(f"{notes.path}: holds no notes; give {FORMS}")
    plan = Plan(digest_of_folder(folder), digest, count, notes_per_part, include_text)
    annotator = Annotator(str(folder.resolve()), id_column="id", include_text=include_text)
    worker = PartWorker(notes, annotator, output.resolve(), notes_per_part)
    inputs = {"pack": folder, "notes": resolve(notes.path)}
    with PartsFolder(output).prepared(plan, overwrite, inputs) as missing:
        kept = len(plan.parts) - len(missing)
        if kept:
            log.info("%d of %d parts are there already", kept, len(plan.parts))
        done, links, errors, start = 0, 0, 0, time.monotonic()
        with progress_bar(count, "Annotating", "notes") as bar:
            bar.update(min(kept * notes_per_part, count))
            for report in engine(worker, missing) if missing else ():
                bar.update(report.notes)
                done, links, errors = (
                    done + report.notes,
                    links + report.links,
                    errors + report.errors,
                )
        seconds = time.monotonic() - start
    return (
        f"{output}: {done} notes with {links} links, {errors} notes with an error, in "
        f"{seconds:.0f} s ({done / max(seconds, 1e-9):.2f} notes a second); "
        f"{count - done} notes were there already"
    )
