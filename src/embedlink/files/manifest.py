"""What a folder that EmbedLink wrote consists of.

`manifest.json` lists every file of the folder with its SHA-256. It names the kind of the folder,
the version that wrote it, and what it was made from. By its manifest a folder is recognised as
EmbedLink's. A part that was damaged, lost or exchanged is found before it is used.

If a folder inside has a manifest of its own, only that manifest lists its files: whoever reads the
inner folder verifies it. Hidden files are listed in packs only, because MedCAT reads some of them.
"""

import hashlib
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from embedlink import __version__
from embedlink.problems import EmbedLinkError

MANIFEST = "manifest.json"
FORMAT = 1
"""The number changes if folders that were written before can no longer be read."""
SERIALISED = ".serialised_by"
"""A hidden file that MedCAT leaves in each folder of a pack, and reads first."""
REMEDY = "take the folder anew from where it was made"


@dataclass(frozen=True)
class Manifest:
    """The content of a `manifest.json`. Paths are relative to the folder, with `/` between parts.

    `covered` are the folders that may hold nothing but the listed parts. "" is the folder with all
    its subfolders. "." is the folder without its subfolders.
    """

    kind: str  # linker | tagger | reranker | pack | what an export wrote
    parts: Mapping[str, str]  # SHA-256 of each file by its path
    made_from: Mapping[str, str] = field(default_factory=dict)  # digests of names, weights …
    covered: Sequence[str] = ("",)
    version: str = __version__  # of EmbedLink

    def described(self) -> dict[str, object]:
        """The fields as JSON holds them, with a digest of themselves."""
        fields: dict[str, object] = {
            "format": FORMAT,
            "kind": self.kind,
            "embedlink": self.version,
            "made_from": dict(self.made_from),
            "covered": list(self.covered),
            "parts": dict(self.parts),
        }
        return fields | {"digest": _digest(fields)}


def write_manifest(
    folder: Path,
    kind: str,
    made_from: Mapping[str, str] | None = None,
    covered: Sequence[str] = ("",),
) -> None:
    """List what lies in the covered folders. Call this after everything else is written."""
    parts = {name: file_digest(folder / name) for name in _listed(folder, kind, covered)}
    manifest = Manifest(kind, parts, made_from=made_from or {}, covered=covered)
    text = json.dumps(manifest.described(), indent=1)
    (folder / MANIFEST).write_text(text, encoding="utf-8")


def read_manifest(folder: Path, kind: str | None = None) -> Manifest:
    """Read the manifest of a folder, and nothing else of it.

    An `EmbedLinkError` says that it is missing, damaged, of another format or of another kind.
    """
    path = folder / MANIFEST
    try:
        fields: Any = json.loads(path.read_bytes())
        digest = fields.pop("digest")
        if digest != _digest(fields):
            raise ValueError("its own digest differs")
        if fields["format"] != FORMAT:
            raise EmbedLinkError(
                f"{path}: format {fields['format']} is not {FORMAT}; use the version of EmbedLink "
                f"that wrote it ({fields['embedlink']}), or make the folder anew"
            )
        made = Manifest(
            str(fields["kind"]), dict(fields["parts"]), made_from=dict(fields["made_from"]),
            covered=list(fields["covered"]), version=str(fields["embedlink"]),
        )  # fmt: skip
    except FileNotFoundError as error:
        raise EmbedLinkError(f"{path}: this part is missing; {REMEDY}") from error
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise EmbedLinkError(f"{path}: this part is damaged ({error}); {REMEDY}") from error
    if kind is not None and made.kind != kind:
        raise EmbedLinkError(f"{path}: the folder holds a {made.kind}, not a {kind}")
    return made


def verify(folder: Path, kind: str, later: Sequence[str] = ()) -> Manifest:
    """Read the manifest and compare the folder with it, before any other part is read.

    Parts named in `later` must be there. `verify_part` compares them when they are read. An
    `EmbedLinkError` names the first part that is missing, changed, or not listed.
    """
    manifest = read_manifest(folder, kind)
    for name in manifest.parts:
        if not (folder / name).is_file():
            raise EmbedLinkError(f"{folder / name}: this part of the {kind} is missing; {REMEDY}")
    for name in manifest.parts:
        if name not in later:
            verify_part(folder, manifest, name)
    for name in _listed(folder, kind, manifest.covered):
        if name not in manifest.parts:
            raise EmbedLinkError(
                f"{folder / name}: is no part of the {kind}; remove it, or {REMEDY}"
            )
    return manifest


def verify_part(folder: Path, manifest: Manifest, name: str) -> None:
    """Raise `EmbedLinkError` if one part is not the file that the manifest lists.

    `EMBEDLINK_VERIFY=false` in the environment leaves this out, to load large folders faster.
    """
    if os.environ.get("EMBEDLINK_VERIFY", "").lower() == "false":
        return
    path = folder / name
    try:
        same = file_digest(path) == manifest.parts.get(name)
    except OSError as error:
        raise EmbedLinkError(f"{path}: cannot be read ({error.strerror})") from error
    if not same:
        raise EmbedLinkError(
            f"{path}: this part of the {manifest.kind} was damaged or exchanged since it was "
            f"written; {REMEDY}"
        )


def foreign_files(folder: Path) -> list[str] | None:
    """Files of a folder that its manifests do not list. None if it has no manifest of EmbedLink's.

    Changed files count as listed. Hidden files count as foreign, unless MedCAT leaves them.
    """
    try:
        known = {MANIFEST, *read_manifest(folder).parts, *_inner_parts(folder)}
    except EmbedLinkError:
        return None
    return [name for name in _files(folder) if name not in known and Path(name).name != SERIALISED]


def file_digest(path: Path) -> str:
    """SHA-256 of a file's bytes, hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _listed(folder: Path, kind: str, covered: Sequence[str]) -> list[str]:
    """The files that a manifest of the folder lists, sorted."""
    inner = _inner_parts(folder)
    shown = kind.endswith("pack")  # MedCAT keeps what it needs in hidden files too.
    listed = []
    for name in _files(folder):
        place, _, last = name.rpartition("/")
        inside = any(
            not place if top == "." else not top or f"{place}/".startswith(f"{top}/")
            for top in covered
        )
        hidden = last.startswith(".") and not shown
        if inside and not hidden and name != MANIFEST and name not in inner:
            listed.append(name)
    return listed


def _inner_parts(folder: Path) -> set[str]:
    """What the manifests of folders inside list."""
    parts: set[str] = set()
    for name in _files(folder):
        if name.endswith(f"/{MANIFEST}"):
            inner = name.removesuffix(MANIFEST)
            try:
                parts |= {inner + part for part in read_manifest(folder / inner).parts}
            except EmbedLinkError:
                continue  # The outer manifest does not list its files, so they count as foreign.
    return parts


def _files(folder: Path) -> Iterator[str]:
    """All files below a folder by their relative paths, sorted. Links to folders are files."""
    for place, folders, files in os.walk(folder):
        folders.sort()
        links = [name for name in folders if Path(place, name).is_symlink()]
        for name in sorted([*files, *links]):
            yield Path(place, name).relative_to(folder).as_posix()


def _digest(fields: Mapping[str, object]) -> str:
    return hashlib.sha256(json.dumps(fields, sort_keys=True).encode()).hexdigest()
