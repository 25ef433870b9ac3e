"""Reads the short notes that are written out in full, their mentions marked `{surface|concept}`."""

import re
from pathlib import Path

from notes import Note

MENTION = re.compile(r"\{([^{}|]+)\|([^{}|]+)\}")


def read_short_notes(path: Path) -> dict[str, list[Note]]:
    """The notes of each part, in the order of the file."""
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    text = "".join(line for line in lines if not line.startswith("# "))
    parts: dict[str, list[Note]] = {}
    for block in re.split(r"^### ", text, flags=re.MULTILINE)[1:]:
        head, body = block.split("\n", 1)
        part, name = head.split()
        parts.setdefault(part, []).append(_parsed(name, body.strip()))
    return parts


def _parsed(name: str, marked: str) -> Note:
    """A note with its marks taken out and their places kept."""
    text, at, mentions = "", 0, []
    for mark in MENTION.finditer(marked):
        text += marked[at : mark.start()]
        mentions.append((len(text), len(text) + len(mark[1]), mark[2]))
        text, at = text + mark[1], mark.end()
    return Note(name, text + marked[at:], tuple(mentions))
