from pathlib import Path

import pytest

from embedlink.files.lines import (
    read_lines,
    read_rows,
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


def rows(
    path: Path, text: str, quoted: bool = True, delimiter: str = ","
) -> tuple[list[dict[str, str]], Problems]:
    path.write_text(text, encoding="utf-8")
    problems = Problems()
    found = read_rows(path, ["id", "text"], problems, delimiter=delimiter, quoted=quoted)
    return [row.cells for row in found], problems


def test_columns_may_come_in_any_order_and_case(tmp_path: Path) -> None:
    found, problems = rows(tmp_path / "a", 'TEXT,other,Id\n"a,\n""b""",x,1\n')
    assert found == [{"text": 'a,\n"b"', "other": "x", "id": "1"}]
    assert not problems.found


@pytest.mark.parametrize(
    ("text", "reason", "value", "line"),
    [
        ("id;text\n1;a\n", "wrong delimiter", "delimited by semicolon", 1),
        ("id\ttext\n1\ta\n", "wrong delimiter", "delimited by TAB", 1),
        ("id,name\n1,a\n", "wrong header", "missing text", 1),
        ("id,text\n1,a,b\n", "wrong number of cells", "3 cells", 2),
        ('id,text\n1,"a"b\n', "malformed quoting", "quotes", 2),
        ('id,text\n1,"a\n', "malformed quoting", "quotes", 2),
        ("", "empty file", "0 bytes", None),
    ],
)
def test_bad_tables(tmp_path: Path, text: str, reason: str, value: str, line: int | None) -> None:
    found, problems = rows(tmp_path / "a", text)
    assert not found
    assert [(p.reason, p.value, p.line) for p in problems.rejected] == [(reason, value, line)]
    assert problems.found[0].remedy


def test_unquoted_tables_take_quotes_as_they_are(tmp_path: Path) -> None:
    found, problems = rows(tmp_path / "a", 'id\ttext\n1\t"asma\n', quoted=False, delimiter="\t")
    assert found == [{"id": "1", "text": '"asma'}]
    assert not problems.found


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


def test_line_ends_inside_quotes_are_kept(tmp_path: Path) -> None:
    """Offsets count every character of a note, so a cell must come out as it went in."""
    path = tmp_path / "a"
    path.write_bytes(b'id,text\r\n1,"a\r\nb\nc"\r\n')
    problems = Problems()
    found = list(read_rows(path, ["id", "text"], problems, delimiter=",", quoted=True))
    assert [row.cells["text"] for row in found] == ["a\r\nb\nc"]
    assert [problem.reason for problem in problems.found] == ["CRLF"]


def test_row_with_an_undecodable_line_is_left_out_whole(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b'id,text\n1,"a\n\xff\nb"\n2,c\n')
    problems = Problems()
    found = list(read_rows(path, ["id", "text"], problems, delimiter=",", quoted=True))
    assert [(row.line, row.cells["id"]) for row in found] == [(5, "2")]
    assert [(p.line, p.reason) for p in problems.rejected] == [(3, "unknown encoding")]
