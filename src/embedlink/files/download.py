"""Downloads that resume, are verified, and leave nothing half-written behind.

Data arrives in a `.part` file, which is renamed once it is whole. An archive is unpacked beside its
place. Its files are moved there once every file with a known sum is right. So a reader never meets
a file that is half written, and a command that broke off is simply run again.
"""

import http.client
import tempfile
import urllib.error
import urllib.parse
import urllib.request
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tqdm import tqdm

from embedlink.files.manifest import file_digest
from embedlink.files.paths import resolve
from embedlink.problems import EmbedLinkError

_BLOCK = 1 << 16  # bytes read at a time
_ATTEMPTS = 5
_TIMEOUT = 30.0  # seconds without an answer


@dataclass(frozen=True)
class Source:
    """A zip archive on the network, and the folder that it is unpacked into.

    `size` (bytes) and `sha256` belong to the archive. `contents` are the SHA-256 sums of files in
    it, by their path. A value that is not given is not checked. `inside` is the folder of the
    archive that becomes `folder`. The content of its subfolder `bare` may also lie in `folder`
    directly, as in copies of one part. More than `limit` bytes are never accepted.
    """

    url: str
    folder: str
    size: int | None = None
    sha256: str | None = None
    contents: Mapping[str, str] = field(default_factory=dict)
    inside: str = ""
    bare: str = ""
    limit: int = 1 << 30


def fetch(source: Source) -> bool:
    """Download, verify and unpack. False if everything was there already.

    Only a source with `contents` can be known to be there. Any other is downloaded every time. The
    archive is removed in the end. Raises `EmbedLinkError` if the address cannot be reached, if it
    sends something unexpected, or if the folder cannot be written.
    """
    folder = resolve(source.folder)
    if _is_there(folder, source):
        return False
    archive = folder.parent / _archive_name(source.url)
    try:
        download(source, archive)
        _unpack(archive, folder, source)
        archive.unlink()
    except OSError as error:
        raise EmbedLinkError(
            f"{folder}: cannot be written ({error.strerror}); set data_dir to a folder of yours, "
            "or download=false to check only what is there"
        ) from error
    return True


def _is_there(folder: Path, source: Source) -> bool:
    """Whether every file with a known sum is in its place already, or in that of a bare copy."""
    bare = {
        name.removeprefix(source.bare + "/"): expected for name, expected in source.contents.items()
    }
    return bool(source.contents) and (
        not _wrong_files(folder, source.contents) or not _wrong_files(folder, bare)
    )


def download(source: Source, target: Path) -> None:
    """Download to `target`, continuing a `.part` file of an earlier attempt.

    If an answer breaks off, it is asked for again at once, `_ATTEMPTS` times in all. If the file
    was published anew in between, only the sums of `source` show it. Raises `EmbedLinkError` if the
    address is not http, if the server refuses or keeps breaking off, or if what arrived does not
    verify.
    """
    if urllib.parse.urlsplit(source.url).scheme not in ("http", "https"):
        raise EmbedLinkError(f"{source.url}: not an http address; correct data.sources")
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(target.name + ".part")
    for attempt in range(_ATTEMPTS):
        try:
            if _receive(source, part):
                break
        except (urllib.error.URLError, http.client.HTTPException, OSError) as error:
            if _is_final(error) or attempt == _ATTEMPTS - 1:
                raise EmbedLinkError(
                    f"{source.url}: {error}; what arrived is kept, run the command again to go on, "
                    f"or download it yourself into {target.parent}"
                ) from error
    else:
        raise EmbedLinkError(
            f"{source.url}: broke off {_ATTEMPTS} times after {part.stat().st_size} bytes; "
            "run the command again to go on from there"
        )
    _verify(source, part)
    part.replace(target)


def _is_final(error: Exception) -> bool:
    """Whether trying again is useless, because the server understood and said no."""
    return isinstance(error, urllib.error.HTTPError) and 400 <= error.code < 500


def _receive(source: Source, part: Path) -> bool:
    """Append what the server sends. True if the file is whole, False if it broke off.

    Raises `EmbedLinkError` if the server sends too much, or another range than asked for. Raises
    the errors of `urllib` if the server refuses or cannot be reached.
    """
    have = part.stat().st_size if part.exists() else 0
    # The file is whole already. A server would refuse a range that begins at its end.
    if source.size is not None and have == source.size:
        return True
    request = urllib.request.Request(source.url)
    if have:
        request.add_header("Range", f"bytes={have}-")
    try:
        response = urllib.request.urlopen(request, timeout=_TIMEOUT)
    except urllib.error.HTTPError as error:
        if error.code != 416 or not have:
            raise
        part.unlink()  # the server has less than we do: start anew
        return False
    with response:
        resumed = response.status == 206 and _range_start(response) == have
        if response.status == 206 and not resumed:
            raise EmbedLinkError(f"{source.url}: sent another range than asked for; try again")
        have = have if resumed else 0  # A server without ranges answers with the whole file.
        length = response.headers.get("Content-Length")
        announced = have + int(length) if length and length.isdecimal() else None
        expected = source.size if source.size is not None else announced
        got = _copy(response, part, have=have, expected=expected, source=source)
    # If nobody says how long the file is, the end of the answer counts as its end.
    return expected is None or got == expected


def _range_start(response: http.client.HTTPResponse) -> int | None:
    """The first byte of a partial answer: `Content-Range: bytes 100-199/200`."""
    start = response.headers.get("Content-Range", "").removeprefix("bytes ").partition("-")[0]
    return int(start) if start.isdecimal() else None


def _copy(
    response: http.client.HTTPResponse, part: Path, have: int, expected: int | None, source: Source
) -> int:
    """Write the answer behind the first `have` bytes, and return the file's new size in bytes.

    As soon as more comes than was expected, the file is removed and `EmbedLinkError` is raised.
    """
    most = min(expected, source.limit) if expected is not None else source.limit
    name = _archive_name(source.url)
    with (
        part.open("ab" if have else "wb") as file,
        tqdm(
            total=expected, initial=have, desc=name, unit="B", unit_scale=True, disable=None
        ) as bar,
    ):
        while block := response.read(_BLOCK):
            have += len(block)
            # Checked before writing, so that no server can fill the disk.
            if have > most:
                file.close()
                part.unlink()
                raise EmbedLinkError(
                    f"{source.url}: sends more than the {most} bytes expected; nothing was kept, "
                    "check the address and the size in data.sources"
                )
            file.write(block)
            bar.update(len(block))
    return have


def _verify(source: Source, part: Path) -> None:
    """Check size and sum of what arrived. Remove a wrong file and raise `EmbedLinkError`."""
    size, found = part.stat().st_size, file_digest(part)
    wrong = ""
    if source.size is not None and size != source.size:
        wrong = f"has {size} bytes instead of {source.size}"
    elif source.sha256 is not None and found != source.sha256:
        wrong = f"has SHA-256 {found} instead of {source.sha256}"
    if wrong:
        part.unlink()  # A download that went on from wrong bytes would stay wrong.
        raise EmbedLinkError(
            f"{source.url}: what arrived {wrong}; nothing was kept, try again, or correct "
            "data.sources if the published file has changed"
        )


def _unpack(archive: Path, folder: Path, source: Source) -> None:
    """Unpack beside the folder, verify, then move every file to its place.

    A damaged or unexpected archive is removed, so that the next attempt starts anew. Files of the
    archive replace those in the folder that have the same path. Other files stay.
    """
    # On the same disk a move is a rename, so a file is there whole or not at all.
    with tempfile.TemporaryDirectory(dir=archive.parent, prefix=".unpacking-") as name:
        try:
            with zipfile.ZipFile(archive) as file:
                file.extractall(name)
        except (
            zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError
        ) as error:  # fmt: skip
            archive.unlink()
            raise EmbedLinkError(
                f"{source.url}: not a whole zip archive; nothing was kept, try again"
            ) from error
        root = Path(name) / source.inside
        wrong = _wrong_files(root, source.contents)
        if not root.is_dir() or wrong:
            archive.unlink()
            raise EmbedLinkError(
                f"{source.url}: the archive does not hold what it should "
                f"({', '.join(wrong) or source.inside}); nothing was kept, "
                "correct data.sources if the published file has changed"
            )
        for path in sorted(path for path in root.rglob("*") if path.is_file()):
            place = folder / path.relative_to(root)
            place.parent.mkdir(parents=True, exist_ok=True)
            path.replace(place)


def _wrong_files(folder: Path, contents: Mapping[str, str]) -> list[str]:
    """The files that are missing or have another sum. `contents` are SHA-256 sums by path."""
    return [
        name
        for name, expected in contents.items()
        if not (folder / name).is_file() or file_digest(folder / name) != expected
    ]


def _archive_name(url: str) -> str:
    """The file name of an address."""
    return Path(urllib.parse.unquote(urllib.parse.urlsplit(url).path)).name or "download"
