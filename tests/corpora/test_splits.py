import random
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from embedlink.corpora.distemist import DisTEMIST
from embedlink.corpora.settings import Split, SplitSettings
from embedlink.corpora.splits import Splits, check_sides, group_same, split_documents
from embedlink.problems import BadInputError, EmbedLinkError, Problems
from embedlink.types import Document
from tests.written import LONG, published, write


def documents(count: int, corpus: str = "a", split: str = "") -> list[Document]:
    return [
        Document(f"{corpus}-{n}", f"text {corpus} {n}", (), corpus, split) for n in range(count)
    ]


def ids(found: Sequence[Document]) -> set[str]:
    return {document.id for document in found}


def sizes(splits: Splits) -> tuple[int, int, int, int]:
    return (
        len(splits.train),
        len(splits.validation),
        len(splits.test),
        len(splits.dropped),
    )


def test_shares_are_of_each_corpus() -> None:
    given_ = documents(100) + documents(50, "b")
    splits = split_documents(given_, SplitSettings("random", seed=1))
    assert sizes(splits) == (108, 12, 30, 0)
    assert sum(document.corpus == "b" for document in splits.test) == 10


def test_the_seed_decides_and_not_the_order() -> None:
    given_ = documents(100)
    first = split_documents(given_, SplitSettings("random", seed=1))
    shuffled = given_.copy()
    random.Random(0).shuffle(shuffled)
    again = split_documents(shuffled, SplitSettings("random", seed=1))
    other = split_documents(given_, SplitSettings("random", seed=2))
    assert ids(first.test) == ids(again.test)
    assert ids(first.validation) == ids(again.validation)
    assert ids(first.test) != ids(other.test)


def test_one_corpus_does_not_change_the_draw_of_another() -> None:
    alone = split_documents(documents(100), SplitSettings("random", seed=1))
    beside = split_documents(documents(100) + documents(9, "b"), SplitSettings("random", seed=1))
    assert ids(alone.test) == {id_ for id_ in ids(beside.test) if id_.startswith("a")}


def test_two_documents_are_enough_and_one_trains() -> None:
    assert sizes(split_documents(documents(2), SplitSettings("random", seed=0)))[2] == 1
    assert sizes(split_documents(documents(1), SplitSettings("random", seed=0))) == (1, 0, 0, 0)


def test_same_documents() -> None:
    given_ = [
        Document("1", "one", (), "a"),
        Document("2", "two", (), "a"),
        Document("2", "three", (), "b"),
        Document("4", " three\n", (), "c"),
        Document("1#duplicate2", "five", (), "a"),
    ]
    assert group_same(given_) == [0, 1, 2, 2, 4]


document = st.builds(
    Document,
    st.integers(0, 12).map(str),
    st.integers(0, 12).map(lambda n: f"text {n}"),
    corpus=st.sampled_from(["a", "b", "c"]),
    split=st.sampled_from(["train", "validation", "test"]),
)


@settings(max_examples=2000 if LONG else 100, deadline=None)
@given(st.lists(document, max_size=40), st.integers(0, 5), st.sampled_from(["random", "official"]))
def test_no_document_is_ever_on_two_sides(found: list[Document], seed: int, by: Split) -> None:
    whole = all(
        {"train", "test"} <= {d.split for d in found if d.corpus == corpus}
        for corpus in {d.corpus for d in found}
    )
    if by == "official" and not whole:
        with pytest.raises(EmbedLinkError, match="no official train and test part"):
            split_documents(found, SplitSettings(by, seed=seed))
        return
    splits = split_documents(found, SplitSettings(by, seed=seed))
    sides = (splits.train, splits.validation, splits.test)
    for one in sides:
        for other in sides:
            if one is not other:
                assert {d.text for d in one}.isdisjoint(d.text for d in other)
    assert sum(map(len, sides)) + len(splits.dropped) == len(found)
    if by == "random":
        assert not splits.dropped


def test_official_parts_and_missing_validation() -> None:
    train, test = documents(90, split="train"), documents(110, split="test")[90:]
    splits = split_documents(train + test, SplitSettings("official", seed=0))
    assert sizes(splits) == (81, 9, 20, 0)
    validation = documents(120, split="validation")[110:]
    splits = split_documents(train + test + validation, SplitSettings("official", seed=0))
    assert ids(splits.validation) == ids(validation)


def test_official_duplicate_leaves_training(caplog: pytest.LogCaptureFixture) -> None:
    train, test = documents(5, split="train"), documents(3, "b", "test")
    twin = Document("twin", test[0].text, (), "b", "train")
    found = [*train, *documents(3, split="test"), *test, twin]
    found = [
        Document(d.id, d.text, (), "a", d.split) for d in found if d.id not in ("a-0", "a-1", "a-2")
    ]
    splits = split_documents(found, SplitSettings("official", seed=0))
    assert ids(splits.dropped) == {"twin"}
    assert "a/twin" in caplog.text
    assert "text b" not in caplog.text


def test_equal_names_of_different_texts_are_different_documents() -> None:
    train = [Document(str(n), f"text {n}", (), "mine", "train") for n in range(10)]
    test = [Document(f"{n}#duplicate2", f"other {n}", (), "mine", "test") for n in range(10)]
    assert sizes(split_documents(train + test, SplitSettings("official", seed=0))) == (9, 1, 10, 0)
    same = [Document("note", f"text {n}", (), "mine") for n in range(10)]
    assert sizes(split_documents(same, SplitSettings("random", seed=0))) == (7, 1, 2, 0)


def test_equal_texts_are_one_document_whatever_their_accents() -> None:
    texts = ["cafe\u0301  au lait", "café au\nlait", "cafe au lait"]
    assert group_same([Document(str(n), text) for n, text in enumerate(texts)]) == [0, 0, 2]


def test_official_without_test_part_says_what_to_do() -> None:
    with pytest.raises(EmbedLinkError, match=r"corpus a .*its splits: train.*split=random"):
        split_documents(documents(5, split="train"), SplitSettings("official", seed=0))
    with pytest.raises(EmbedLinkError, match=r"\(none\)"):
        split_documents(documents(5), SplitSettings("official", seed=0))


def test_listed_documents_are_the_test_part(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = write(tmp_path / "list.txt", "a-3\r\na-4.txt\n\nnobody\n")
    given_ = documents(20) + documents(20, "b")
    splits = split_documents(given_, SplitSettings("random", seed=0, document_list=str(path)))
    assert {id_ for id_ in ids(splits.test) if id_.startswith("a")} == {"a-3", "a-4"}
    assert sum(document.corpus == "b" for document in splits.test) == 4
    assert "1 ids are in no corpus" in caplog.text


def test_bad_lists(tmp_path: Path) -> None:
    path = str(write(tmp_path / "list.txt", "nobody\n"))
    with pytest.raises(EmbedLinkError, match="none of its 1 document ids"):
        split_documents(documents(5), SplitSettings("random", seed=0, document_list=path))
    with pytest.raises(EmbedLinkError, match=r"no such file; correct split\.document_list"):
        split_documents(
            documents(5), SplitSettings("random", seed=0, document_list=str(tmp_path / "x"))
        )
    path = str(write(tmp_path / "list.txt", ""))
    with pytest.raises(BadInputError, match="empty file"):
        split_documents(documents(5), SplitSettings("random", seed=0, document_list=path))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"by": "rand"}, r"by='rand' is not allowed; it takes random or official"),
        ({"by": "random", "test_share": 1.0}, r"test_share=1\.0 is not allowed"),
        ({"by": "random", "validation_share": -0.1}, r"validation_share=-0\.1 is not allowed"),
    ],
)
def test_bad_settings(options: dict[str, object], message: str) -> None:
    with pytest.raises(EmbedLinkError, match=message):
        SplitSettings(**options)  # type: ignore[arg-type]


def test_published_validation_list() -> None:
    folder = published("distemist")
    given_ = list(DisTEMIST("dis", str(folder)).read(Problems()))
    path = str(folder / "xmen_validation_docs.txt")
    splits = split_documents(given_, SplitSettings("random", seed=0, document_list=path))
    assert sizes(splits) == (570, 63, 117, 0)


def test_an_empty_side_is_an_error() -> None:
    same = [Document(f"note {n}", "one text", (), "mine") for n in range(5)]
    splits = split_documents(same, SplitSettings("random", seed=0))
    with pytest.raises(EmbedLinkError, match=r"no \w+ documents: documents of one text"):
        check_sides(splits)


@pytest.mark.parametrize(
    "other",
    ["\ufeffAsma “leve”", 'ASMA\r\n"leve"', 'As\u00adma "leve"', 'asma\u00a0"leve"\n'],
)
def test_tools_change_a_text_in_ways_that_nobody_sees(other: str) -> None:
    assert group_same([Document("a", 'Asma "leve"'), Document("b", other)]) == [0, 0]
    assert group_same([Document("a", 'Asma "leve" 2'), Document("b", other)]) == [0, 1]
