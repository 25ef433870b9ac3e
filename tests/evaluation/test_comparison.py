import numpy as np
import pytest

from embedlink.evaluation.comparison import compare_runs, counts_file, format_comparison
from embedlink.evaluation.document_counts import DocumentCounts
from embedlink.problems import EmbedLinkError


def run(folder, documents, counts):
    folder.mkdir()
    corpora = ["c"] * len(documents)
    DocumentCounts(documents, corpora, np.array(counts)).write(folder / counts_file("test"))
    return str(folder)


def test_documents_are_paired_whatever_their_order(tmp_path):
    rows = [[1, 0, 0, 1, 1], [0, 1, 1, 1, 0], [2, 1, 0, 2, 1]]
    first = run(tmp_path / "a", ["x", "y", "z"], rows)
    second = run(tmp_path / "b", ["z", "y", "x"], rows[::-1])
    found = compare_runs([first, second])
    assert [(row.difference, row.p) for row in found] == [(0, 1)] * 4
    shown = format_comparison(found, [first, second])
    assert f"A = {first}" in shown
    assert "accuracy_at_1" in shown
    assert "[+0.0000, +0.0000]" in shown


def test_what_cannot_be_compared_is_said(tmp_path):
    one = run(tmp_path / "a", ["x", "y"], [[1] * 5] * 2)
    other = run(tmp_path / "b", ["x", "z"], [[1] * 5] * 2)
    with pytest.raises(EmbedLinkError, match=r"documents differ: 1 only in .*1 in both"):
        compare_runs([one, other])
    for wrong in ([one], one, 5):
        with pytest.raises(EmbedLinkError, match="two runs"):
            compare_runs(wrong)
    with pytest.raises(EmbedLinkError, match="1: no such folder"):
        compare_runs([1, 2])  # As `compare=[1,2]` on the command line has it.
    with pytest.raises(EmbedLinkError, match="nowhere: no such folder"):
        compare_runs([one, str(tmp_path / "nowhere")])
    with pytest.raises(EmbedLinkError, match=r"validation_documents\.csv: cannot be read"):
        compare_runs([one, other], "validation")
    single = run(tmp_path / "c", ["x"], [[1] * 5])
    with pytest.raises(EmbedLinkError, match="two or more"):
        compare_runs([single, single])
