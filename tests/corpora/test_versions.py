import re
from unicodedata import normalize

import pytest

from embedlink.corpora.places import Place
from embedlink.corpora.spans import Annotation, read_mentions
from embedlink.problems import Problems

LINES = [
    "Antecedentes 😀: ictus. ",
    "Úlcera gástrica, ",
    "tos & fiebre",
    "\tasma  bronquial",
    "tos",
]
WORDS = re.compile("ictus|lcera|gástrica|fiebre|asma|tos")
PLACE = Place("a", None)


def offsets_in(annotated: str, unit: str) -> list[tuple[int, int, str]]:
    """Where an annotator's tool finds the words, counted in its unit."""
    length = {
        "characters": len,
        "UTF-16": lambda text: len(text.encode("utf-16-le")) // 2,
        "bytes": lambda text: len(text.encode()),
    }[unit]
    return [
        (length(annotated[: m.start()]), length(annotated[: m.end()]), m[0])
        for m in WORDS.finditer(annotated)
    ]


@pytest.mark.parametrize("unit", ["characters", "UTF-16", "bytes"])
@pytest.mark.parametrize(
    ("text", "annotated"),
    [
        ("\r\n", "\n"),
        ("\n", "\r\n"),
        ("\n", "\n"),
        ("\r\n", "\r\n"),
    ],
)
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_line_breaks_units_and_marks(text: str, annotated: str, unit: str, mark: str) -> None:
    check(text.join(LINES), offsets_in(mark + annotated.join(LINES), unit))


@pytest.mark.parametrize(
    ("text", "annotated"),
    [
        ("<br>", "\n"), ("<br>", ""), ("<br/>", "\r\n"), ("\n", "<br>"), ("\n", "<br>\n"),
        ("\r\n", "<br>"), ("\n", ""),
    ],
)  # fmt: skip
def test_html_breaks(text: str, annotated: str) -> None:
    check(text.join(LINES), offsets_in(annotated.join(LINES), "characters"))


@pytest.mark.parametrize(
    ("here", "there"),
    [
        ("&", "&amp;"),
        ("&amp;", "&"),
        ("  ", " "),
        (". ", ".  "),
        ("\t", " " * 4),
        ("\t", " " * 8),
        ("ictus", "ic\u00adtus"),
        ("ic\u00adtus", "ictus"),
    ],
)
def test_other_ways_to_count(here: str, there: str) -> None:
    plain = "&" if "&" in here else "ictus" if "ictus" in (here, there) else here
    text = "\n".join(LINES)
    annotated = offsets_in(text.replace(plain, there), "characters")
    check(text.replace(plain, here), annotated)


@pytest.mark.parametrize(("here", "there"), [("NFC", "NFD"), ("NFD", "NFC")])
def test_accents_composed_or_apart(here: str, there: str) -> None:
    whole = "Mujer con diarrea crónica, úlcera. Después: fiebre y tos, ictus."
    annotated = normalize(there, whole)
    found = [(m.start(), m.end(), m[0]) for m in re.finditer(r"fiebre|tos|ictus", annotated)]
    word = normalize(there, "crónica")
    found.append((annotated.index(word), annotated.index(word) + len(word), word))
    check(normalize(here, whole), found)


def check(text: str, spans: list[tuple[int, int, str]]) -> None:
    problems = Problems()
    annotations = [Annotation(a, b, "C1", PLACE, surface) for a, b, surface in spans]
    mentions = read_mentions(text, annotations, PLACE, problems)
    assert mentions is not None, problems.found
    for mention, (_, _, surface) in zip(mentions, spans, strict=True):
        assert mention is not None
        found = normalize("NFC", text[mention.start : mention.end])
        assert re.sub("[\u00ad\u200b]", "", found) == normalize("NFC", surface)
    assert not problems.rejected


def test_the_join_of_passages() -> None:
    title, abstract = "Asthma.", "Gout and asthma."
    for between in ("", "  ", "\n\n "):
        annotated = title + between + abstract
        spans = [(m.start(), m.end(), m[0]) for m in re.finditer("(?i)asthma|gout", annotated)]
        annotations = [Annotation(a, b, "C1", PLACE, surface) for a, b, surface in spans]
        text = f"{title} {abstract}"
        mentions = read_mentions(text, annotations, PLACE, Problems(), join=len(title))
        assert mentions is not None
        assert [text[m.start : m.end] for m in mentions if m] == [s for _, _, s in spans]
