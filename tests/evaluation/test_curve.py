import csv

from embedlink.evaluation.counts import Counts
from embedlink.evaluation.curve import TradeOff, draw, write_table

ROWS = [
    TradeOff("a", 0.0, Counts(4, 4, 0)),
    TradeOff("b", 0.0, Counts(0, 0, 3)),
    TradeOff("a", 0.5, Counts(3, 1, 1)),
]


def test_the_table_has_a_row_for_each_corpus_and_threshold(tmp_path):
    write_table(tmp_path / "curve.csv", ROWS)
    rows = list(csv.DictReader((tmp_path / "curve.csv").open()))
    assert [row["corpus"] for row in rows] == ["a", "b", "a"]
    assert rows[2]["precision"] == rows[2]["recall"] == "0.750000"
    assert (rows[0]["tp"], rows[0]["fp"], rows[0]["fn"]) == ("4", "4", "0")


def test_the_picture_is_a_png_even_of_nothing(tmp_path):
    for name, rows in (("some.png", ROWS), ("none.png", [])):
        draw(tmp_path / name, rows, 0.5)
        assert (tmp_path / name).read_bytes().startswith(b"\x89PNG")
