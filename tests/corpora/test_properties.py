"""Whatever bytes a file holds, a reader gives right documents or says what is wrong.

`EMBEDLINK_LONG=1` tries 5,000 cases a format, beside as many of `test_kinds`; by default 40.
"""

import random
import re
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from embedlink.concepts.database import load_cdb
from embedlink.concepts.release import read_release
from embedlink.concepts.rows import table_rows
from embedlink.corpora import Corpus, read_corpora
from embedlink.corpora.cometa import Cometa
from embedlink.corpora.distemist import DisTEMIST
from embedlink.corpora.medcattrainer import MedCATtrainer, write_export
from embedlink.corpora.pubtator import PubTator
from embedlink.corpora.snomed_benchmark import SnomedBenchmark
from embedlink.problems import EmbedLinkError, Problems
from embedlink.types import Document, Mention
from tests.written import (
    LONG,
    write,
    write_cometa,
    write_distemist,
    write_release,
    write_snomed,
    write_snomed_table,
)

CASES = 5000 if LONG else 40
SLOW_CASES = 100 if LONG else 10  # those that build a concept database
many = settings(
    max_examples=CASES, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
few = settings(many, max_examples=SLOW_CASES)
CODES = ["", "C1", "OMIM:1", "C1|C2", "C1+C2", "NOMAP", "-1", "195967001", "é"]
PUBTATOR = "".join(
    f"{n}|t|Asthma in children {n}.\n{n}|a|Diabetes mellitus, too.\n"
    f"{n}\t0\t6\tAsthma\tDisease\tD001249\n{n}\t23\t31\tDiabetes\tDisease\tD003920|D1\n\n"
    for n in range(10, 14)
)
SECRETS = re.compile(
    r"Paciente|Mujer|torácico|Admitted|Asthma in|my asthma|mellitus", re.IGNORECASE
)


@st.composite
def documents(draw: st.DrawFn) -> list[Document]:
    """Any corpus that the interchange format can hold."""
    ids = draw(st.lists(st.text(), max_size=5, unique=True))
    return [draw(document(id_)) for id_ in ids]


@st.composite
def document(draw: st.DrawFn, id_: str) -> Document:
    text = draw(st.text(max_size=60))
    split = draw(st.sampled_from(["", "train", "validation", "test"]))
    gold, rejected = draw(mentions(text)), draw(mentions(text))
    return Document(id_, text, gold, "mine", split, rejected)


@st.composite
def mentions(draw: st.DrawFn, text: str) -> tuple[Mention, ...]:
    found = []
    for _ in range(draw(st.integers(0, 4)) if text else 0):
        start = draw(st.integers(0, len(text) - 1))
        end = draw(st.integers(start + 1, len(text)))
        found.append(Mention(start, end, draw(st.sampled_from(CODES))))
    return tuple(found)


@many
@given(written=documents())
def test_interchange_keeps_every_corpus(tmp_path: Path, written: list[Document]) -> None:
    write_export(written, tmp_path / "e.json")
    problems = Problems()
    assert list(MedCATtrainer("mine", str(tmp_path / "e.json")).read(problems)) == written
    assert not problems.found


def damaged(raw: bytes, seed: int) -> bytes:
    """The file with up to three things wrong with it."""
    generator = random.Random(seed)
    for _ in range(generator.randint(1, 3)):
        raw = generator.choice(DAMAGES)(raw, generator)
    return raw


def cut(raw: bytes, generator: random.Random) -> bytes:
    return raw[: generator.randint(0, len(raw))]


def scatter(raw: bytes, generator: random.Random) -> bytes:
    made = bytearray(raw)
    for _ in range(generator.randint(1, 8)):
        if made:
            made[generator.randrange(len(made))] = generator.randrange(256)
    return bytes(made)


def insert(raw: bytes, generator: random.Random) -> bytes:
    at = generator.randint(0, len(raw))
    return raw[:at] + generator.randbytes(generator.randint(1, 20)) + raw[at:]


def noise(_: bytes, generator: random.Random) -> bytes:
    return generator.randbytes(generator.randint(0, 200))


def shuffle_columns(raw: bytes, generator: random.Random) -> bytes:
    sign = generator.choice([b"\t", b",", b"|"])
    lines = [line.split(sign) for line in raw.split(b"\n")]
    order = list(range(max(map(len, lines))))
    generator.shuffle(order)
    whole = generator.random() < 0.5  # the header as well, or the rows only
    for number, cells in enumerate(lines):
        if whole or number:
            cells[:] = [cells[at] for at in order if at < len(cells)]
    return b"\n".join(sign.join(cells) for cells in lines)


def move_lines(raw: bytes, generator: random.Random) -> bytes:
    lines = raw.split(b"\n")
    return b"\n".join(generator.choices(lines, k=generator.randint(0, len(lines) + 3)))


def swap_signs(raw: bytes, generator: random.Random) -> bytes:
    signs = [b"\t", b",", b";", b"|", b'"', b"\n", b"\r\n", b"0", b"1", b":", b"{", b"]"]
    return raw.replace(generator.choice(signs), generator.choice(signs))


def recode(raw: bytes, generator: random.Random) -> bytes:
    text = raw.decode("utf-8", "replace")
    coding = generator.choice(["utf-16", "utf-8-sig", "latin-1", "utf-32"])
    return text.encode(coding, "replace")


DAMAGES: list[Callable[[bytes, random.Random], bytes]] = [
    cut,
    scatter,
    insert,
    noise,
    shuffle_columns,
    move_lines,
    swap_signs,
    recode,
]


def pubtator(folder: Path) -> Corpus:
    return PubTator("c", {"train": str(write(folder / "corpus.txt", PUBTATOR))})


def distemist(folder: Path) -> Corpus:
    return DisTEMIST("c", str(write_distemist(folder)))


def snomed(folder: Path) -> Corpus:
    return SnomedBenchmark("c", str(write_snomed(folder, 2)))


def cometa(folder: Path) -> Corpus:
    return Cometa("c", str(write_cometa(folder)), "chv")


def medcattrainer(folder: Path) -> Corpus:
    write_export(list(distemist(folder / "source").read(Problems())), folder / "export.json")
    return MedCATtrainer("c", str(folder / "export.json"))


FORMATS = {
    "pubtator": (pubtator, ["corpus.txt"]),
    "distemist": (
        distemist,
        [
            "training/subtrack2_linking/distemist_subtrack2_training1_linking.tsv",
            "training/subtrack1_entities/distemist_subtrack1_training_mentions.tsv",
            "training/text_files/caso-1.txt",
        ],
    ),
    "snomed": (snomed, ["mimic-iv_notes_training_set.csv", "train_annotations.csv"]),
    "cometa": (cometa, ["chv.csv"]),
    "medcattrainer": (medcattrainer, ["export.json"]),
}


@pytest.mark.parametrize("name", FORMATS)
@many
@given(seed=st.integers(0, 2**63))
def test_damaged_corpora(tmp_path_factory: pytest.TempPathFactory, name: str, seed: int) -> None:
    corpus, files = prepared(tmp_path_factory, name)
    file, raw = files[seed % len(files)]
    file.write_bytes(damaged(raw, seed))
    said = check_reading(corpus)
    file.write_bytes(raw)
    assert not SECRETS.search(said)


def check_reading(corpus: Corpus) -> str:
    """Read; any other exception than the documented one fails. All that was said about it."""
    try:
        found, problems = read_corpora({"c": corpus}, strict=False)
    except EmbedLinkError as error:
        return str(error)
    check_documents(found)
    return "\n".join(map(str, problems.found))


def check_documents(found: list[Document]) -> None:
    assert len({document.id for document in found}) == len(found)
    for document in found:
        for mention in (*document.mentions, *document.rejected):
            assert 0 <= mention.start < mention.end <= len(document.text)


PREPARED: dict[str, tuple[Corpus, list[tuple[Path, bytes]]]] = {}


def prepared(factory: pytest.TempPathFactory, name: str) -> tuple[Corpus, list[tuple[Path, bytes]]]:
    """The undamaged corpus, written once."""
    if name not in PREPARED:
        write_it, files = FORMATS[name]
        folder = factory.mktemp(name)
        corpus = write_it(folder)
        check_documents(read_corpora({"c": corpus}, strict=True)[0])
        PREPARED[name] = corpus, [(folder / file, (folder / file).read_bytes()) for file in files]
    return PREPARED[name]


TABLES = [
    ("distemist", "training/subtrack2_linking/distemist_subtrack2_training1_linking.tsv", b"\t"),
    ("snomed", "train_annotations.csv", b","),
    ("cometa", "chv.csv", b"\t"),
]


@pytest.mark.parametrize(("name", "file", "sign"), TABLES)
def test_columns_in_another_order_are_the_same_corpus(
    tmp_path: Path, name: str, file: str, sign: bytes
) -> None:
    corpus = FORMATS[name][0](tmp_path)
    expected = list(corpus.read(Problems()))
    path = tmp_path / file
    rows = [line.split(sign)[::-1] for line in path.read_bytes().splitlines()]
    path.write_bytes(b"\n".join(sign.join(row) for row in rows))
    problems = Problems()
    assert list(corpus.read(problems)) == expected
    assert not problems.rejected


@many
@given(seed=st.integers(0, 2**63))
def test_rows_of_damaged_concept_tables(tmp_path: Path, seed: int) -> None:
    path = write_snomed_table(tmp_path / "c.csv")
    path.write_bytes(damaged(path.read_bytes(), seed))
    for row in table_rows(path, 2, Problems()):
        assert row.cui
        assert row.name


@many
@given(seed=st.integers(0, 2**63))
def test_rows_of_damaged_releases(tmp_path: Path, seed: int) -> None:
    root = write_release(tmp_path)
    files = sorted((root / "Snapshot" / "Terminology").iterdir())
    path = files[seed % len(files)]
    path.write_bytes(damaged(path.read_bytes(), seed))
    with suppress(EmbedLinkError):
        assert all(row.cui for row in read_release(root, "en", Problems()))


@few
@given(seed=st.integers(0, 2**63))
def test_damaged_concept_tables(tmp_path: Path, seed: int) -> None:
    path = write_snomed_table(tmp_path / "c.csv")
    path.write_bytes(damaged(path.read_bytes(), seed))
    try:
        cdb = load_cdb(path, Problems())
    except EmbedLinkError:
        return
    assert all(
        info["per_cui_status"].keys() <= cdb.cui2info.keys() for info in cdb.name2info.values()
    )


@few
@given(seed=st.integers(0, 2**63))
def test_damaged_releases(tmp_path: Path, seed: int) -> None:
    root = write_release(tmp_path)
    files = sorted((root / "Snapshot" / "Terminology").iterdir())
    path = files[seed % len(files)]
    path.write_bytes(damaged(path.read_bytes(), seed))
    try:
        cdb = load_cdb(root, Problems())
    except EmbedLinkError:
        return
    assert cdb.cui2info
