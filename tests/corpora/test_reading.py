from pathlib import Path

import pytest

from embedlink.corpora import read_corpora
from embedlink.corpora.medcattrainer import MedCATtrainer
from embedlink.corpora.pubtator import PubTator
from embedlink.problems import BadInputError, EmbedLinkError
from tests.written import write

GOOD = "1|t|Asthma now\n1|a|x\n1\t0\t6\tAsthma\tDisease\tD1\n"
BAD = "1\t50\t60\tAsthma\tDisease\tD1\n1\t6\t0\tAsthma\tDisease\tD1\n"


def corpus(path: Path, text: str) -> PubTator:
    return PubTator("pub", {"train": str(write(path, text))})


def test_bad_rows_are_reported_together_or_counted(tmp_path: Path) -> None:
    corpora = {"pub": corpus(tmp_path / "a", GOOD + BAD)}
    with pytest.raises(BadInputError, match="2 problems in the input") as caught:
        read_corpora(corpora, strict=True)
    assert "outside the text" in str(caught.value)
    assert "end before start" in str(caught.value)
    documents, problems = read_corpora(corpora, strict=False)
    assert len(documents[0].mentions) == 1
    assert len(problems.rejected) == 2


def test_repairs_do_not_stop_a_strict_run(tmp_path: Path) -> None:
    documents, problems = read_corpora(
        {"pub": corpus(tmp_path / "a", "\ufeff" + GOOD)}, strict=True
    )
    assert len(documents) == 1
    assert len(problems.found) == 1


def test_nothing_to_read(tmp_path: Path) -> None:
    with pytest.raises(EmbedLinkError, match=r"data\.corpora is empty"):
        read_corpora({}, strict=True)
    write(tmp_path / "e.json", '{"projects": [{"documents": []}]}')
    empty = {"mine": MedCATtrainer("mine", str(tmp_path / "e.json"))}
    with pytest.raises(EmbedLinkError, match="corpus mine: no documents were read"):
        read_corpora(empty, strict=True)
    none = {"pub": corpus(tmp_path / "b", "1|t|Asthma\n1|a|x\n")}
    with pytest.raises(EmbedLinkError, match="corpus pub: no mentions were read"):
        read_corpora(none, strict=False)
