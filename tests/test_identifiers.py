import pytest

from embedlink.identifiers import (
    clean_code,
    concepts_of,
    damage,
    says_no_concept,
    shortest_padded_of,
    split_code,
)

NO_CONCEPT = (
    "|-|--|—|-1|−1|-1.0|NOMAP|nomap|NO_CODE|no code|CUI-less|cui_less|nil|NIL|None|NaN|nan|<NA>"
    "|#N/A|n/a|null|?|.|MESH:-1|UMLS:CUI-less| - "
)


@pytest.mark.parametrize("word", NO_CONCEPT.split("|"))
def test_words_for_no_concept(word: str) -> None:
    assert says_no_concept(word)
    assert concepts_of(word) == ()
    assert clean_code(word, ("MESH:",)) == word.strip()


@pytest.mark.parametrize("cui", ["1", "10", "D001", "OMIM:1", "C-1", "-10", "Nilsen1", "1.0"])
def test_identifiers_are_concepts(cui: str) -> None:
    assert concepts_of(cui) == (cui,)


@pytest.mark.parametrize(
    ("code", "cuis"),
    [
        ("A|B", ("A", "B")),
        ("A + B", ("A", "B")),
        ("A;B,C", ("A", "B", "C")),
        ("A|-1", ("A",)),
        ("NOMAP+nan", ()),
        ("A;", ("A",)),
        ("OMIM:1|OMIM:2", ("OMIM:1", "OMIM:2")),
        ("c|SUB|C|77|T;RS#:18", ("c|SUB|C|77|T", "RS#:18")),
    ],
)
def test_several_identifiers(code: str, cuis: tuple[str, ...]) -> None:
    assert concepts_of(code) == cuis
    assert "".join(split_code(code)) == code


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        (" D1 ", "D1"),
        ("mesh:D012345;MESH: C123456", "D012345;C123456"),
        ("UMLS:C0000001 , UMLS:C0000002", "C0000001,C0000002"),
        ("SNOMEDCT_US:195967001+SCTID:73211009", "195967001+73211009"),
        ("OMIM:114500|HP:0001250", "OMIM:114500|HP:0001250"),
        ('="0012"', "0012"),
        ("'0012", "0012"),
    ],
)
def test_needless_prefixes_and_quotes_go(raw: str, code: str) -> None:
    assert clean_code(raw) == code
    assert clean_code("X:A|X: B", ("x:",)) == "A|B"


@pytest.mark.parametrize(
    "code",
    [
        "7.32E+17", "7,32E+17", "1e+17", "1.5e17", "195967001.0", "195967001,0", "195,967,001",
        "195.967.001", "195 967 001", "195\u202f967\u202f001", "195'967", "731999011000000000",
        "D1|7.32E+17", "MESH:7.32E+17", "A;195967001.0", "####", "#REF!", "inf", "x" * 500,
    ],
)  # fmt: skip
def test_identifiers_that_a_spreadsheet_changed(code: str) -> None:
    found = damage(code)
    assert found is not None
    assert all(found)


@pytest.mark.parametrize(
    "code",
    ["195967001", "250.0", "5E10", "1E90.1", "E11.9", "672,675", "D001249", "00123",
     "C50", "8140/3", "999000011000000103", "900000000000013009", "HP:0001250",
     "-1", "", "NOMAP", "A+B|C"],
)  # fmt: skip
def test_identifiers_that_are_well(code: str) -> None:
    assert damage(code) is None


def test_leading_zeros_are_missed_beside_others() -> None:
    padded = shortest_padded_of(["0012", "00345", "7", "D001", "0"])
    assert padded == 4
    assert damage("12", padded)
    assert damage("0012|345", padded)
    assert damage("1234", padded) is None
    assert damage("D12", padded) is None
    assert damage("12", shortest_padded_of(["12", "D001"])) is None
