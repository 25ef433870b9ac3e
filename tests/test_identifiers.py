import pytest

from embedlink.identifiers import Form, clean_code, concepts_of, damage, says_no_concept, split_code

NO_CONCEPT = (
    "|-|--|—|-1|−1|-1.0|NOMAP|nomap|NO_CODE|no code|CUI-less|cui_less|nil|NIL|None|NaN|nan|<NA>"
    "|#N/A|n/a|null|?|.|MESH:-1|UMLS:CUI-less| - |0|000|-99|-2.0|\\N|#N/D|UNK|NIL0042|nil-7|TBD"
    "|to be coded|uncoded|not in database|not applicable|missing|False|sin código"
)


@pytest.mark.parametrize("word", NO_CONCEPT.split("|"))
def test_words_for_no_concept(word: str) -> None:
    assert says_no_concept(word)
    assert concepts_of(word) == ()
    assert clean_code(word, ("MESH:",)) == word.strip()


@pytest.mark.parametrize(
    "cui", ["1", "10", "D001", "OMIM:1", "C-1", "Nilsen1", "1.0", "100", "N", "unknownin"]
)
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
        ("A|A", ("A",)),
        ("195967001 73211009", ("195967001", "73211009")),
        ("C0004096/C0011849", ("C0004096", "C0011849")),
        ("D001249 and MESH:D003920", ("D001249", "MESH:D003920")),
        ("195967001 & 73211009", ("195967001", "73211009")),
        ("8140/3", ("8140/3",)),
        ("http://example.org/HP_0001250", ("http://example.org/HP_0001250",)),
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
        ("['D001249', 'D003920']", "D001249,D003920"),
        ('["C0004096"]', "C0004096"),
        ("{195967001;73211009}", "195967001;73211009"),
        ("D001249\\|D003920", "D001249|D003920"),
        ("195967001 73211009", "195967001|73211009"),
        ("195967001 |Asthma (disorder)|", "195967001"),
        ("195967001 |asthma| + 73211009 | diabetes mellitus |", "195967001+73211009"),
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
        "5E-05", "Jan-05", "05-Mar", "2024-01-05 00:00:00", "1/2/2024", "1-Sep-2024", "-195967001",
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
    form = Form.of(["0012", "00345", "7", "D001", "0"])
    assert form.shortest_padded == 4
    assert damage("12", form)
    assert damage("0012|345", form)
    assert damage("1234", form) is None
    assert damage("D12", form) is None
    assert damage("12", Form.of(["12", "D001"])) is None


def test_a_word_among_many_numbers_is_no_identifier() -> None:
    numbers = [f"C{number:07}" for number in range(12)]
    assert Form.of([*numbers, "later"]).is_word("later")
    assert Form.of([f"{one}|{one}x" for one in numbers]).is_word("to do")
    assert not Form.of(numbers).is_word("C0000099")
    assert not Form.of(numbers).is_word("NIL")
    assert not Form.of([*numbers[:4], "asthma", "gout"]).is_word("asthma")
    assert not Form.of(["asthma", "gout", "C1"] * 9).is_word("gout")
