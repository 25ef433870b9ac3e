import re
from pathlib import Path

import pytest

from embedlink.corpora.pubtator import PubTator
from embedlink.problems import EmbedLinkError, Problems
from embedlink.types import Document, Mention
from tests.written import published, write

TWO = """
10|t|Asthma in children.
10|a|A study of asthma.
10\t0\t6\tAsthma\tDisease\tD001249
10\t31\t37\tasthma\tDisease\tMESH:D001249
10\t2\t5\tthm\tChemical\tD9

11|t|Only a title
11|a|
11\tCID\tD003000\tD009203
11\t5\t12\ta title\tDisease\tD1|D2\tone|two
"""


def read(tmp_path: Path, text: str, **options: object) -> tuple[list[Document], Problems]:
    path = write(tmp_path / "corpus.txt", text)
    problems = Problems()
    corpus = PubTator("pub", {"train": str(path)}, **options)  # type: ignore[arg-type]
    return list(corpus.read(problems)), problems


def test_documents_and_mentions(tmp_path: Path) -> None:
    (first, second), problems = read(tmp_path, TWO, types=["Disease"])
    assert first.text == "Asthma in children. A study of asthma."
    assert first.mentions == (Mention(0, 6, "D001249"), Mention(31, 37, "D001249"))
    assert (first.id, first.corpus, first.split) == ("10", "pub", "train")
    assert second.text == "Only a title "
    assert second.mentions[0].cuis == ("D1", "D2")
    assert [(p.line, p.reason, p.counted) for p in problems.found] == [
        (5, "code form", False),
        (6, "mentions of other types", True),
        (10, "relations", True),
    ]


def test_all_types_by_default(tmp_path: Path) -> None:
    assert len(read(tmp_path, TWO)[0][0].mentions) == 3


@pytest.mark.parametrize(
    ("cell", "kept"),
    [("Disease", 1), ("disease", 1), ("T047,Disease", 1), ("T047;T191", 0), ("Diseases", 0)],
)
def test_one_of_several_types_is_enough(tmp_path: Path, cell: str, kept: int) -> None:
    text = f"10|t|Gout now\n10|a|x\n10\t0\t4\tGout\t{cell}\tD1\n"
    documents, problems = read(tmp_path, text, types=["Disease"])
    assert len(documents[0].mentions) == kept
    assert [problem.counted for problem in problems.found] == [True] * (1 - kept)


@pytest.mark.parametrize(
    "line",
    [
        "CID\tD003000\tD009203",
        "Association\tD003000\t2395\tNovel",
        "Positive_Correlation\t2395\t675\tNo",
        "Bind\tMESH:D003000\trs113488022\tNovel\tsentence",
        "Comparison\t-\tD009203\tNo",
    ],
)
def test_relations_are_counted(tmp_path: Path, line: str) -> None:
    documents, problems = read(tmp_path, f"10|t|Gout now\n10|a|x\n10\t{line}\n")
    assert not documents[0].mentions
    assert [(p.reason, p.counted) for p in problems.found] == [("relations", True)]


@pytest.mark.parametrize(
    ("code", "cuis"),
    [
        ("-", ()),
        ("MESH:-1", ()),
        ("None", ()),
        ("D1,D2", ("D1", "D2")),
        ("MESH:D1;mesh:D2", ("D1", "D2")),
        ("D1|-", ("D1",)),
        ("OMIM:1+OMIM:2", ("OMIM:1", "OMIM:2")),
    ],
)
def test_codes_in_other_spellings(tmp_path: Path, code: str, cuis: tuple[str, ...]) -> None:
    documents, _ = read(tmp_path, f"10|t|Gout now\n10|a|x\n10\t0\t4\tGout\tD\t{code}\n")
    assert documents[0].mentions[0].cuis == cuis


def test_damaged_codes_are_rejected_by_line(tmp_path: Path) -> None:
    rows = "".join(f"10\t0\t4\tGout\tD\t{code}\n" for code in ("0012", "7.3E+17", "12", "1234"))
    documents, problems = read(tmp_path, "10|t|Gout now\n10|a|x\n" + rows)
    assert [mention.code for mention in documents[0].mentions] == ["0012", "1234"]
    assert [problem.line for problem in problems.rejected] == [4, 5]


def test_an_abstract_that_stands_elsewhere_is_moved_whole(tmp_path: Path) -> None:
    title, abstract = "Gout.", "Gout, gout and gout."
    annotated = f"{title}  {abstract}"
    rows = "".join(
        f"10\t{m.start()}\t{m.end()}\t{m[0]}\tD\tD{m.start()}\n"
        for m in re.finditer("(?i)gout", annotated)
    )
    (document,), problems = read(tmp_path, f"10|t|{title}\n10|a|{abstract}\n{rows}")
    assert [mention.start for mention in document.mentions] == [0, 6, 12, 21]
    assert [problem.repaired for problem in problems.found] == [True]


@pytest.mark.parametrize(
    ("text", "line", "reason"),
    [
        ("10|a|No title.\n10\t0\t2\tNo\tDisease\tD1\n", 1, "block without a title"),
        ("10|t|A title\n10|a|x\n10\t0\t99\tA\tDisease\tD1\n", 3, "offsets outside the text"),
        ("10|t|A title\n10|a|x\n10\t3\t1\tA\tDisease\tD1\n", 3, "end before start"),
        (
            "10|t|A title\n10|a|x\n10\t0\t1\tZZ\tDisease\tD1\n",
            3,
            "span text differs from the text at its offsets",
        ),
        ("10|t|A title\n10|a|x\n12\t0\t1\tA\tDisease\tD1\n", 3, "mention of another document"),
        ("10|t|A title\n10|a|x\nJohn Smith\n", 3, "wrong number of cells"),
        ("10|t|A title\n10|a|x\n10,0,1,A,Disease,D1\n", 3, "wrong number of cells"),
        ("", None, "empty file"),
    ],
)
def test_bad_input(tmp_path: Path, text: str, line: int | None, reason: str) -> None:
    documents, problems = read(tmp_path, text)
    assert [(p.line, p.reason) for p in problems.rejected] == [(line, reason)]
    assert all(not document.mentions for document in documents)
    assert "Smith" not in str(problems.rejected[0])


def test_blocks_without_blank_lines_and_with_a_duplicate(tmp_path: Path) -> None:
    block = "10|t|A title\n10|a|x\n10\t0\t1\tA\tDisease\tD1\n"
    documents, problems = read(tmp_path, block + block)
    assert [document.id for document in documents] == ["10", "10#duplicate2"]
    assert [p.reason for p in problems.found] == ["duplicate id"]


def test_missing_file() -> None:
    with pytest.raises(
        EmbedLinkError, match=r"nowhere\.txt: no such file; run `python prepare\.py`"
    ):
        list(PubTator("pub", {"train": "nowhere.txt"}).read(Problems()))


def test_ncbi_as_published() -> None:
    folder = published("ncbi_disease")
    files = {
        "train": str(folder / "NCBItrainset_corpus.txt"),
        "validation": str(folder / "NCBIdevelopset_corpus.txt"),
        "test": str(folder / "NCBItestset_corpus.txt"),
    }
    problems = Problems()
    documents = list(PubTator("ncbi", files).read(problems))
    assert len(documents) == 793
    assert sum(len(document.mentions) for document in documents) == 6892
    assert [sum(d.split == split for d in documents) for split in files] == [593, 100, 100]
    assert not problems.rejected
    by_reason = {p.reason: p for p in problems.found}
    assert [p.reason for p in problems.found].count("duplicate id") == 1
    assert by_reason["duplicate id"].value == "8528200"
    mismatch = "span text differs from the text at its offsets"
    assert [p.line for p in problems.found if p.reason == mismatch] == [3249]


def test_types_may_be_one_string(tmp_path: Path) -> None:
    for types in ("Disease", "Disease,Gene", ["Gene;Disease"]):
        documents, _ = read(tmp_path, TWO, types=types)
        assert [len(document.mentions) for document in documents] == [2, 1]
    of_umls = TWO.replace("\tDisease\t", "\tDisease or Syndrome\t")
    assert read(tmp_path, of_umls, types=["Disease or Syndrome"])[0][0].mentions
    assert not read(tmp_path, of_umls, types=["Syndrome"])[0][0].mentions
