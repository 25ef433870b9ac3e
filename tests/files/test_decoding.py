from pathlib import Path

import pytest

from embedlink.files.decoding import opened, step_over_mark, suffix_of
from embedlink.problems import EmbedLinkError, Problems

TEXT = "cui,name\nC1,Ménière\n"


@pytest.mark.parametrize(
    ("raw", "reason", "value"),
    [
        (TEXT.encode("utf-16"), "unknown encoding", "UTF-16"),
        (TEXT.encode("utf-16-le"), "unknown encoding", "UTF-16"),
        (TEXT.encode("utf-16-be"), "unknown encoding", "UTF-16"),
        (TEXT.encode("utf-32"), "unknown encoding", "UTF-32"),
        (TEXT.encode("utf-32-le"), "unknown encoding", "UTF-32"),
        (b"PK\x03\x04workbook", "not a text file", "a zip archive or an .xlsx workbook"),
        (b"\x1f\x8b...", "not a text file", "gzip"),
        (b"", "empty file", "0 bytes"),
        (
            b"version https://git-lfs.github.com/spec/v1\n",
            "not a text file",
            "a pointer of Git LFS",
        ),
        (b"<!DOCTYPE html><html>sign in", "not a text file", "a web page"),
        (b"PAR1\x15", "not a text file", "a Parquet table"),
    ],
)
def test_what_is_no_text_is_named(tmp_path: Path, raw: bytes, reason: str, value: str) -> None:
    path, problems = tmp_path / "a.csv", Problems()
    path.write_bytes(raw)
    with opened(path) as file:
        assert not step_over_mark(file, path, problems)
    assert [(p.reason, p.value) for p in problems.rejected] == [(reason, value)]


def test_a_file_that_cannot_be_opened_is_our_error(tmp_path: Path) -> None:
    with (
        pytest.raises(EmbedLinkError, match=r"cannot be read \(Is a directory\)"),
        opened(tmp_path),
    ):
        pass


def test_suffixes_have_no_case() -> None:
    assert suffix_of(Path("A/CONCEPTS.CSV")) == ".csv"
