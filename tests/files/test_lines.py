from pathlib import Path

import pytest

from embedlink.files.lines import (
    read_lines,
    read_text,
    require_file,
    require_folder,
    shown,
)
from embedlink.problems import EmbedLinkError, Problems


def reasons(problems: Problems) -> list[str]:
    return [problem.reason for problem in problems.found]


def lines(path: Path, raw: bytes) -> tuple[list[str], Problems]:
    path.write_bytes(raw)
    problems = Problems()
    return [line.text for line in read_lines(path, problems)], problems


def test_bom_and_crlf_are_repaired(tmp_path: Path) -> None:
    found, problems = lines(tmp_path / "a", b"\xef\xbb\xbfone\r\ntwo\r\n")
    assert found == ["one", "two"]
    assert reasons(problems) == ["byte order mark", "CRLF"]
    assert not problems.rejected


def test_other_line_separators_stay_in_the_line(tmp_path: Path) -> None:
    text = "a\x0bb\u2028c\x85d\re"
    assert lines(tmp_path / "a", text.encode())[0] == [text]


def test_undecodable_line_names_its_line_and_costs_only_itself(tmp_path: Path) -> None:
    found, problems = lines(tmp_path / "a", b"first\nfiebre alta\n" + b"asma \xf3\nlast\n")
    assert found == ["first", "fiebre alta", "last"]
    assert [(p.line, p.reason, p.value) for p in problems.rejected] == [
        (3, "unknown encoding", "byte 6")
    ]


def test_utf16_and_empty_files_are_rejected(tmp_path: Path) -> None:
    assert reasons(lines(tmp_path / "a", "x".encode("utf-16"))[1]) == ["unknown encoding"]
    assert reasons(lines(tmp_path / "a", b"")[1]) == ["empty file"]


def test_text_keeps_its_line_ends(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"\xef\xbb\xbfa\r\nb")
    problems = Problems()
    assert read_text(tmp_path / "a", problems) == "a\r\nb"
    assert reasons(problems) == ["byte order mark"]
    (tmp_path / "a").write_bytes(b"a\n\xff")
    assert read_text(tmp_path / "a", problems) is None
    assert problems.found[-1].line == 2


def test_note_text_is_never_shown() -> None:
    assert shown("D003110+D001") == "D003110+D001"
    assert shown("NOMAP") == "NOMAP"
    assert shown("John Smith") == "<10 characters>"
    assert shown("Smith") == "<5 characters>"
    assert shown("seen on 3 May") == "<13 characters>"


def test_missing_paths_name_themselves_and_the_remedy(tmp_path: Path) -> None:
    with pytest.raises(EmbedLinkError, match=r"nowhere: no such file; do this"):
        require_file(tmp_path / "nowhere", "do this")
    with pytest.raises(EmbedLinkError, match=r"nowhere: no such folder; do this"):
        require_folder(tmp_path / "nowhere", "do this")
