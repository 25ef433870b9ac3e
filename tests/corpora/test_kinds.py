"""The faults that real files have, at random: what is read is right, or the fault is told.

`EMBEDLINK_LONG=1` tries 5,000 cases a format, beside as many of `test_properties`.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from embedlink.concepts.rows import table_rows
from embedlink.corpora import Corpus
from embedlink.corpora.cometa import Cometa
from embedlink.corpora.distemist import DisTEMIST
from embedlink.corpora.medcattrainer import MedCATtrainer
from embedlink.corpora.pubtator import PubTator
from embedlink.corpora.snomed_benchmark import SnomedBenchmark
from embedlink.problems import Problems
from embedlink.types import Document
from tests.written import (
    COMETA_HEADER,
    LINKING_HEADER,
    LONG,
    cometa_row,
    tsv,
    write,
    write_csv,
    write_json,
)

many = settings(
    max_examples=5000 if LONG else 40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
WORDS = ["asma", "gota", "tos", "úlcera", "fiebre", "café", "MS", "ms", "dolor", "β-talasemia"]
FILLERS = ["con", "sin", "😀", "paciente", "síntomas", "año", "&", "y"]
CODES: dict[str, tuple[str, ...] | None] = {
    "D001249": ("D001249",),
    "OMIM:114500": ("OMIM:114500",),
    "-": (),
    "NaN": (),
    "CUI-less": (),
    "no_code": (),
    "D1|D2": ("D1", "D2"),
    "D1 + D2": ("D1", "D2"),
    "MESH:D001249;MESH:D003920": ("D001249", "D003920"),
    "SNOMEDCT:195967001,SNOMEDCT:73211009": ("195967001", "73211009"),
    "7.32E+17": None,
    "1.959e+08": None,
    "195967001.0": None,
    "1,959,670": None,
    "731999011000000000": None,
}


@dataclass
class Case:
    """A text, its true spans with their codes, and the offsets that an annotator published."""

    text: str
    spans: list[tuple[int, int, str]]
    published: list[tuple[int, int]]
    explained: bool


def units(text: str, unit: str) -> int:
    return len(text.encode({"utf-16": "utf-16-le"}.get(unit, unit))) // (1 + (unit == "utf-16"))


def make_case(generator: random.Random, breaks: list[str]) -> Case:
    line_break = generator.choice(breaks)
    text, spans = "", []
    for _ in range(generator.randint(2, 30)):
        word = generator.choice(WORDS if generator.random() < 0.4 else FILLERS)
        if word in WORDS and generator.random() < 0.8:
            spans.append((len(text), len(text) + len(word), generator.choice(list(CODES))))
        text += word + generator.choice([" ", " ", " ", ", ", ". ", line_break])
    fault = generator.choice(["none", "break", "utf-16", "utf-8", "bom", "constant", "jitter"])
    other = {"\r\n": "\n", "\n": "\r\n"}.get(line_break, line_break)
    shift = generator.randint(-9, 9)
    published = []
    for start, end, _ in spans:
        before, whole = text[:start], text[:end]
        if fault == "break":
            before, whole = (part.replace(line_break, other) for part in (before, whole))
        unit = fault if fault in ("utf-16", "utf-8") else "utf-32-le"
        size = 4 if unit == "utf-32-le" else 1
        pair = units(before, unit) // size, units(whole, unit) // size
        moved = {"bom": 1, "constant": shift, "jitter": generator.randint(-30, 30)}.get(fault, 0)
        published.append((pair[0] + moved, pair[1] + moved))
    return Case(text, spans, published, fault not in ("constant", "jitter"))


def pubtator(folder: Path, case: Case) -> Corpus:
    title, _, abstract = case.text.partition(" ")
    rows = "".join(
        f"7\t{a}\t{b}\t{case.text[start:end]}\tD\t{code}\n"
        for (a, b), (start, end, code) in zip(case.published, case.spans, strict=True)
    )
    text = f"7|t|{title}\n7|a|{abstract}\n{rows}7\tAssociation\tD1\t2395\tNovel\n"
    return PubTator("c", {"train": str(write(folder / "c.txt", text))})


def distemist(folder: Path, case: Case) -> Corpus:
    write(folder / "text_files" / "a.txt", case.text)
    rows = [
        ["a", f"T{n}", "E", *pair, case.text[start:end], code, "EXACT"]
        for n, (pair, (start, end, code)) in enumerate(zip(case.published, case.spans, strict=True))
    ]
    write(folder / "subtrack2_linking" / "a_linking.tsv", tsv([LINKING_HEADER, *rows]))
    return DisTEMIST("c", str(folder))


def medcattrainer(folder: Path, case: Case) -> Corpus:
    annotations = [
        {"start": a, "end": b, "cui": code, "value": case.text[start:end], "acc": float("nan")}
        for (a, b), (start, end, code) in zip(case.published, case.spans, strict=True)
    ]
    document = {"id": 1, "text": case.text, "annotations": annotations, "lone": "\ud83d"}
    write_json(folder / "e.json", {"projects": [{"name": "p", "documents": [document]}]})
    return MedCATtrainer("c", str(folder / "e.json"))


FORMATS: dict[str, tuple[Callable[[Path, Case], Corpus], list[str]]] = {
    "pubtator": (pubtator, [" "]),
    "distemist": (distemist, ["\n", "\r\n"]),
    "medcattrainer": (medcattrainer, ["\n", "\r\n"]),
}


@pytest.mark.parametrize("name", FORMATS)
@many
@given(seed=st.integers(0, 2**63))
def test_offsets_and_codes(tmp_path: Path, name: str, seed: int) -> None:
    writer, breaks = FORMATS[name]
    case = make_case(random.Random(seed), breaks)
    problems = Problems()
    documents = list(writer(tmp_path, case).read(problems))
    damaged = [code for _, _, code in case.spans if CODES[code] is None]
    assert sum("identifier" in p.reason for p in problems.rejected) == len(damaged)
    if not documents:
        assert any("differs" in problem.reason for problem in problems.rejected)
        return
    check_mentions(documents[0], case)
    others = [p for p in problems.rejected if "identifier" not in p.reason]
    read = len(documents[0].mentions)
    assert read <= len(case.spans) - len(damaged) <= read + len(others)


def check_mentions(document: Document, case: Case) -> None:
    """Every mention has a word's text and a code that was written, at the word's own place."""
    wanted = {(start, end, CODES[code]) for start, end, code in case.spans}
    surfaces = {(case.text[start:end].lower(), CODES[code]) for start, end, code in case.spans}
    for mention in document.mentions:
        found = document.text[mention.start : mention.end].lower()
        assert (found, mention.cuis) in surfaces
        if case.explained:
            assert (mention.start, mention.end, mention.cuis) in wanted


@many
@given(seed=st.integers(0, 2**63))
def test_codes_of_annotation_tables(tmp_path: Path, seed: int) -> None:
    case = make_case(random.Random(seed), ["\n", "\r\n"])
    rows = [["n", start, end, code] for start, end, code in case.spans]
    write_csv(tmp_path / "train_notes.csv", ["note_id", "text"], [["n", case.text]])
    header = ["note_id", "start", "end", "concept_id"]
    write_csv(tmp_path / "train_annotations.csv", header, rows)
    problems = Problems()
    (document,) = SnomedBenchmark("c", str(tmp_path)).read(problems)
    check_mentions(document, case)
    damaged = sum(CODES[code] is None for _, _, code in case.spans)
    assert len(problems.rejected) == damaged
    assert len(document.mentions) + damaged == len(case.spans)


@many
@given(seed=st.integers(0, 2**63))
def test_terms_are_whole_words(tmp_path: Path, seed: int) -> None:
    generator = random.Random(seed)
    case = make_case(generator, [" "])
    rows = [
        cometa_row(n, generator.choice([*WORDS, "s", "ma", "con", "ota"]), case.text, 0)
        for n in range(4)
    ]
    for row in rows:
        row[3] = generator.choice(list(CODES))
    write_csv(tmp_path / "chv.csv", COMETA_HEADER, rows, "\t")
    problems = Problems()
    (document,) = Cometa("c", str(tmp_path), "chv").read(problems)
    for mention in document.mentions:
        around = document.text[mention.start - 1 : mention.start]
        around += document.text[mention.end : mention.end + 1]
        assert not any(map(str.isalnum, around))
    assert len(problems.rejected) == sum(CODES[str(row[3])] is None for row in rows)


@many
@given(seed=st.integers(0, 2**63))
def test_identifiers_of_concept_tables(tmp_path: Path, seed: int) -> None:
    generator = random.Random(seed)
    codes = [*CODES, "0012", "12", "C9", '="0077"', "c9"]
    rows = [[generator.choice(codes), generator.choice(WORDS)] for _ in range(8)]
    problems = Problems()
    found = table_rows(write_csv(tmp_path / "c.csv", ["cui", "name"], rows), 2, problems)
    read = [row.cui for row in found]
    assert set(read) <= {"D001249", "OMIM:114500", "0012", "12", "C9", "c9", "0077"}
    assert not ({"12"} < {*read} and {"0012", "0077"} & {*read} and "12" in read)
    assert len(read) + len(problems.rejected) == len(rows)
