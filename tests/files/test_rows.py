from pathlib import Path

import pytest

from embedlink.files.rows import MOST_CELL, read_rows
from embedlink.problems import Problems


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


def reasons(problems: Problems) -> list[tuple[str, int | None]]:
    return [(problem.reason, problem.line) for problem in problems.rejected]


@pytest.mark.parametrize("end", ["", '2000,"asma\n', 'x"\n'])
def test_a_stray_quote_costs_its_row_alone(tmp_path: Path, end: str) -> None:
    text = 'id,text\n1,"asthma\n' + "".join(f"{n},gout\n" for n in range(2, 2000)) + end
    found, problems = rows(tmp_path / "a", text)
    assert [row["id"] for row in found[:1998]] == [str(n) for n in range(2, 2000)]
    assert reasons(problems)[0] == ("malformed quoting", 2)


def test_a_stray_quote_that_another_closes_costs_its_row_alone(tmp_path: Path) -> None:
    found, problems = rows(tmp_path / "a", 'id,text\n1,"asthma\n2,gout\n3,"copd"\n4,"flu\n5,a"\n')
    assert [row["id"] for row in found] == ["2", "3", "5"]
    assert reasons(problems) == [
        ("malformed quoting", 2),
        ("malformed quoting", 5),
    ]


def test_notes_may_hold_lines_that_look_like_rows(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_text('id,text\n1,"Hx: gout,\n2,asthma"\n')
    found = list(
        read_rows(path, ["id", "text"], Problems(), delimiter=",", quoted=True, notes=True)
    )
    assert [row.cells["text"] for row in found] == ["Hx: gout,\n2,asthma"]


@pytest.mark.parametrize(
    ("header", "reason"),
    [
        ("id,text,TEXT", "two columns of one name"),
        ("id,text,text.1", "two columns of one name"),
        ("id,text,other,Other", "two columns of one name"),
    ],
)
def test_headers_that_mislead(tmp_path: Path, header: str, reason: str) -> None:
    found, problems = rows(tmp_path / "a", header + "\n1,a,b,c\n")
    assert not found
    assert [problem.reason for problem in problems.rejected] == [reason]


def test_old_macs_line_ends_are_named(tmp_path: Path) -> None:
    for quoted in (True, False):
        found, problems = rows(tmp_path / "a", "id,text\r1,a\r", quoted=quoted)
        assert not found
        assert [problem.reason for problem in problems.rejected] == ["lines end in CR alone"]


def test_excels_line_about_the_delimiter_is_passed_over(tmp_path: Path) -> None:
    assert rows(tmp_path / "a", "sep=,\nid,text\n1,a\n")[0] == [{"id": "1", "text": "a"}]


def test_a_huge_cell_is_rejected(tmp_path: Path) -> None:
    found, problems = rows(tmp_path / "a", f"id,text\n1,{'a' * (MOST_CELL + 1)}\n2,b\n")
    assert [row["id"] for row in found] == ["2"]
    assert "a cell of more than" in problems.rejected[0].reason


def test_blank_lines_before_the_header_and_the_header_once_more(tmp_path: Path) -> None:
    found, problems = rows(tmp_path / "a", "\n , \nid,text\n1,a\nid,text\n2,b\n")
    assert [row["id"] for row in found] == ["1", "2"]
    assert [(p.reason, p.line, p.repaired) for p in problems.found] == [
        ("the header once more", 5, True)
    ]
