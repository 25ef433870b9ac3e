import hashlib
import io
import threading
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from embedlink.files import download
from embedlink.files.download import Source, fetch
from embedlink.problems import EmbedLinkError
from tests.written import broken_deflate


def archive(files: dict[str, str], form: int = zipfile.ZIP_STORED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        for name, text in files.items():
            file.writestr(zipfile.ZipInfo(name), text, form)
    return buffer.getvalue()


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


FILES = {"corpus/a.txt": "text a", "corpus/sub/b.txt": "text b" * 5000}
BODY = archive(FILES)
CONTENTS = {name.removeprefix("corpus/"): sha256(text.encode()) for name, text in FILES.items()}


@dataclass
class Server:
    """A server on the loopback address whose misbehaviour the test chooses."""

    body: bytes = BODY
    break_after: list[int] = field(default_factory=list)  # bytes of each of the first answers
    extra: bytes = b""
    announce: bool = True
    ranges: bool = True
    status: int = 200
    asked: list[str] = field(default_factory=list)  # Range headers
    url: str = ""


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    state = Server()
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked = self.headers.get("Range", "")
            state.asked.append(asked)
            start = int(asked[6:-1]) if asked and state.ranges else 0
            if state.status != 200 or start > len(state.body):
                self.send_error(416 if state.status == 200 else state.status)
                return
            self.send_response(206 if start else 200)
            if start:
                size = len(state.body)
                self.send_header("Content-Range", f"bytes {start}-{size - 1}/{size}")
            rest = state.body[start:]
            if state.announce:
                self.send_header("Content-Length", str(len(rest)))
            self.end_headers()
            rest = rest[: state.break_after.pop(0)] if state.break_after else rest
            self.wfile.write(rest + state.extra)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http:
        thread = threading.Thread(target=http.serve_forever, daemon=True)
        thread.start()
        state.url = f"http://127.0.0.1:{http.server_address[1]}/corpus.zip?download=1"
        yield state
        http.shutdown()
        thread.join()


def source(server: Server, tmp_path: Path, **options: object) -> Source:
    found = {"size": len(BODY), "sha256": sha256(BODY), "contents": CONTENTS, "inside": "corpus"}
    found |= {"folder": str(tmp_path / "corpus")}
    return Source(server.url, **{**found, **options})  # type: ignore[arg-type]


def left(tmp_path: Path) -> list[str]:
    return sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file())


WHOLE = ["corpus/a.txt", "corpus/sub/b.txt"]


def test_downloads_once(server: Server, tmp_path: Path) -> None:
    assert fetch(source(server, tmp_path))
    assert left(tmp_path) == WHOLE
    assert (tmp_path / "corpus/a.txt").read_text() == "text a"
    assert not fetch(source(server, tmp_path))
    assert server.asked == [""]
    (tmp_path / "corpus/a.txt").write_text("damaged")
    assert fetch(source(server, tmp_path))
    assert (tmp_path / "corpus/a.txt").read_text() == "text a"


def test_a_part_of_the_archive_may_be_there_by_itself(server: Server, tmp_path: Path) -> None:
    contents = {"sub/b.txt": CONTENTS["sub/b.txt"]}
    (tmp_path / "corpus").mkdir()
    (tmp_path / "corpus" / "b.txt").write_text(FILES["corpus/sub/b.txt"])
    assert not fetch(source(server, tmp_path, contents=contents, bare="sub"))
    assert fetch(source(server, tmp_path, contents=contents))


def test_folder_that_cannot_be_written(server: Server, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(EmbedLinkError, match=r"cannot be written .*set data_dir"):
        fetch(source(server, tmp_path, folder=str(tmp_path / "file" / "corpus")))


def test_resumes_where_the_server_broke_off(server: Server, tmp_path: Path) -> None:
    server.break_after = [100, 50]
    fetch(source(server, tmp_path))
    assert server.asked == ["", "bytes=100-", "bytes=150-"]
    assert left(tmp_path) == WHOLE


@pytest.mark.parametrize("options", [{}, {"size": None, "sha256": None}])
def test_goes_on_in_a_later_run(server: Server, tmp_path: Path, options: dict[str, object]) -> None:
    server.break_after = [10] * 5
    with pytest.raises(
        EmbedLinkError, match="broke off 5 times after 50 bytes; run the command again"
    ):
        fetch(source(server, tmp_path, **options))
    assert left(tmp_path) == ["corpus.zip.part"]
    fetch(source(server, tmp_path, **options))
    assert server.asked[-1] == "bytes=50-"
    assert left(tmp_path) == WHOLE


def test_server_without_ranges_starts_anew(server: Server, tmp_path: Path) -> None:
    server.break_after, server.ranges = [100], False
    fetch(source(server, tmp_path))
    assert left(tmp_path) == WHOLE


def test_part_longer_than_the_file_starts_anew(server: Server, tmp_path: Path) -> None:
    (tmp_path / "corpus.zip.part").write_bytes(b"x" * (len(BODY) + 9))
    fetch(source(server, tmp_path))
    assert left(tmp_path) == WHOLE


def test_wrong_bytes(server: Server, tmp_path: Path) -> None:
    server.body = BODY[:-1] + b"?"
    with pytest.raises(EmbedLinkError, match=r"has SHA-256 \w+ instead of"):
        fetch(source(server, tmp_path))
    assert left(tmp_path) == []


def test_wrong_contents(server: Server, tmp_path: Path) -> None:
    server.body = archive({**FILES, "corpus/a.txt": "other"})
    with pytest.raises(EmbedLinkError, match=r"does not hold what it should \(a\.txt\)"):
        fetch(source(server, tmp_path, size=None, sha256=None))
    for body in (b"<html>not a zip</html>", broken_deflate(archive(FILES, zipfile.ZIP_DEFLATED))):
        server.body = body
        with pytest.raises(EmbedLinkError, match="not a whole zip archive"):
            fetch(source(server, tmp_path, size=None, sha256=None))
    assert left(tmp_path) == []


@pytest.mark.parametrize("announce", [True, False])
def test_too_much(server: Server, tmp_path: Path, announce: bool) -> None:
    server.extra, server.announce = b"x" * 100_000, announce
    if announce:  # what is beyond the announced length is never read
        fetch(source(server, tmp_path))
        assert left(tmp_path) == WHOLE
    else:
        with pytest.raises(EmbedLinkError, match=f"sends more than the {len(BODY)} bytes expected"):
            fetch(source(server, tmp_path))
        assert left(tmp_path) == []


def test_more_than_the_limit(server: Server, tmp_path: Path) -> None:
    with pytest.raises(EmbedLinkError, match="sends more than the 99 bytes"):
        fetch(source(server, tmp_path, size=None, limit=99))
    server.body += b"x"
    with pytest.raises(EmbedLinkError, match="sends more than"):
        fetch(source(server, tmp_path))
    assert left(tmp_path) == []


def test_too_little(server: Server, tmp_path: Path) -> None:
    server.body = BODY[:-5]
    with pytest.raises(EmbedLinkError, match="broke off 5 times"):
        fetch(source(server, tmp_path))


@pytest.mark.parametrize("status", [403, 404, 500])
def test_refusals(server: Server, tmp_path: Path, status: int) -> None:
    server.status = status
    with pytest.raises(EmbedLinkError, match=f"{status}.*download it yourself"):
        fetch(source(server, tmp_path))
    assert len(server.asked) == (1 if status < 500 else 5)
    assert left(tmp_path) == []


def test_nobody_there_and_other_schemes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(download, "_ATTEMPTS", 1)
    with pytest.raises(EmbedLinkError, match="run the command again to go on"):
        fetch(Source("http://127.0.0.1:9/corpus.zip", str(tmp_path / "corpus")))
    with pytest.raises(EmbedLinkError, match="not an http address"):
        fetch(Source("file:///etc/hosts", str(tmp_path / "corpus")))


def test_archive_cannot_write_elsewhere(server: Server, tmp_path: Path) -> None:
    server.body = archive({"corpus/../../evil.txt": "x", **FILES})
    fetch(source(server, tmp_path / "inner", size=None, sha256=None))
    assert all(name.startswith("inner/") for name in left(tmp_path))
