from pathlib import Path

import pytest

from embedlink.concepts.release import is_release_file, read_release
from embedlink.problems import EmbedLinkError, Problems
from tests.written import tsv, write

CONCEPT = ["id", "effectiveTime", "active", "moduleId", "definitionStatusId"]
DESCRIPTION = ["id", "effectiveTime", "active", "moduleId", "conceptId", "languageCode", "typeId"]
DESCRIPTION += ["term", "caseSignificanceId"]
REFSET = ["id", "effectiveTime", "active", "moduleId", "refsetId", "referencedComponentId"]
REFSET += ["acceptabilityId"]
FULL, SYNONYM = "900000000000003001", "900000000000013009"
PREFERRED, ACCEPTABLE = "900000000000548007", "900000000000549004"
US, GB, ES = "900000000000509007", "900000000000508004", "448879004"


def edition(
    folder: Path,
    name: str,
    *,
    concepts: dict[int, int],
    terms: list[tuple[int, int, str, str, str]],
    part: str = "",
    space: str = "INT",
    language: str = "en",
    preferred: list[tuple[int, str, str]] = [],  # noqa: B006
) -> Path:
    """A release: concepts with their state, terms (id, concept, language, type, term), and what
    reference sets prefer.
    """
    date = name.rpartition("_")[2][:8]
    terminology = folder / name / "Snapshot" / "Terminology"
    rows = [[id_, date, active, 1, 2] for id_, active in concepts.items()]
    write(terminology / f"sct2_Concept_{part}Snapshot_{space}_{date}.txt", tsv([CONCEPT, *rows]))
    lines = [[i, date, 1, 1, cui, code, kind, term, 3] for i, cui, code, kind, term in terms]
    file = f"sct2_Description_{part}Snapshot-{language}_{space}_{date}.txt"
    write(terminology / file, tsv([DESCRIPTION, *lines]))
    if preferred:
        file = f"der2_cRefset_{part}LanguageSnapshot-{language}_{space}_{date}.txt"
        members = [
            [n, date, 1, 1, refset, id_, how] for n, (id_, refset, how) in enumerate(preferred)
        ]
        place = folder / name / "Snapshot" / "Refset" / "Language" / file
        write(place, tsv([REFSET, *members]))
    return folder / name


def names(folder: Path, language: str = "en") -> tuple[dict[str, list[str]], Problems]:
    problems, found = Problems(), {}
    for row in read_release(folder, language, problems):
        found.setdefault(row.cui, []).append(row.name)
    return found, problems


GOUT = [(1, 90560007, "en", FULL, "Gout (disorder)"), (2, 90560007, "en", SYNONYM, "Podagra")]


@pytest.mark.parametrize(
    ("name", "part", "space"),
    [
        ("SnomedCT_InternationalRF2_PRODUCTION_20240101T120000Z", "", "INT"),
        ("SnomedCT_MonolithRF2_PRODUCTION_20240410T120000Z", "MONO", "GB"),
        ("SnomedCT_UKClinicalRF2_PRODUCTION_20240410T000001Z", "UKCL", "GB1000000"),
        ("SnomedCT_ManagedServiceUS_PRODUCTION_US1000124_20240301T120000Z", "", "US1000124"),
        ("SnomedCT_Release_AU1000036_20240131T120000Z", "", "AU1000036"),
        ("xSnomedCT_anything", "", "INT"),
    ],
)
def test_editions_are_known_by_their_files(
    tmp_path: Path, name: str, part: str, space: str
) -> None:
    made = f"{name}_20240101" if "anything" in name else name
    root = edition(tmp_path, made, concepts={90560007: 1, 5: 0}, terms=GOUT, part=part, space=space)
    for folder in (tmp_path, root, root / "Snapshot", root / "Snapshot" / "Terminology"):
        found, problems = names(folder)
        assert found == {"90560007": ["Gout (disorder)", "Podagra"]}
        assert not problems.found


def test_the_newest_release_is_read_alone(tmp_path: Path) -> None:
    old = [(7, 5, "en", SYNONYM, "Retired thing"), (8, 90560007, "en", SYNONYM, "Old word")]
    name = "SnomedCT_InternationalRF2_PRODUCTION_{}T120000Z".format
    edition(tmp_path, name("20230101"), concepts={90560007: 1, 5: 1}, terms=old)
    edition(tmp_path, name("20240101"), concepts={90560007: 1, 5: 0}, terms=GOUT)
    found, problems = names(tmp_path)
    assert found == {"90560007": ["Gout (disorder)", "Podagra"]}
    (problem,) = problems.found
    assert problem.counted
    assert "20230101" in problem.file
    assert name("20240101") in problem.remedy


def test_a_bundle_is_read_together(tmp_path: Path) -> None:
    edition(
        tmp_path,
        "SnomedCT_InternationalRF2_PRODUCTION_20240101T120000Z",
        concepts={90560007: 1, 6: 1},
        terms=[*GOUT, (3, 6, "en", SYNONYM, "Six")],
    )
    edition(tmp_path, "SnomedCT_UKClinicalRF2_PRODUCTION_20240410T000001Z", part="UKCL",
            space="GB1000000", concepts={7: 1, 6: 0}, terms=[(4, 7, "en", SYNONYM, "Seven"),
            (5, 90560007, "en", SYNONYM, "Uric arthritis")])  # fmt: skip
    found, problems = names(tmp_path)
    assert found == {"90560007": ["Gout (disorder)", "Podagra", "Uric arthritis"], "7": ["Seven"]}
    assert not problems.found


SPANISH = [
    (21, 90560007, "es", FULL, "gota (trastorno)"),
    (22, 90560007, "es", SYNONYM, "podagra"),
    (23, 90560007, "es", SYNONYM, "gota"),
]


def test_an_extension_beside_the_international_edition(tmp_path: Path) -> None:
    edition(
        tmp_path,
        "SnomedCT_InternationalRF2_PRODUCTION_20240101T120000Z",
        concepts={90560007: 1},
        terms=GOUT,
    )
    extension = edition(
        tmp_path, "SnomedCT_SpanishRelease-es_PRODUCTION_20240331T120000Z", concepts={},
        part="SpanishExtension", language="es", terms=SPANISH,
        preferred=[(22, ES, ACCEPTABLE), (23, ES, PREFERRED)],
    )  # fmt: skip
    assert names(tmp_path)[0] == {"90560007": ["Gout (disorder)", "Podagra"]}
    assert names(tmp_path, "es")[0] == {"90560007": ["gota", "gota (trastorno)", "podagra"]}
    both = names(tmp_path, "es, en")[0]["90560007"]
    assert both == ["gota", "gota (trastorno)", "podagra", "Gout (disorder)", "Podagra"]
    with pytest.raises(EmbedLinkError, match=r"no names in the language fr; .* one of en, es"):
        names(tmp_path, "fr")
    found, problems = names(extension, "es")
    assert not found
    assert "International release beside" in problems.found[0].remedy


def test_the_only_language_is_read_and_told(tmp_path: Path) -> None:
    edition(tmp_path, "SnomedCT_ArgentinaRF2_20240331", concepts={90560007: 1}, terms=SPANISH,
            language="es", space="AR1000221")  # fmt: skip
    found, problems = names(tmp_path)
    assert len(found["90560007"]) == 3
    assert [(p.repaired, p.remedy) for p in problems.found] == [
        (True, "read in es; set data.language=es")
    ]


def test_the_dialect_chooses_the_preferred_term(tmp_path: Path) -> None:
    terms = [
        (1, 6, "en", FULL, "Anemia (disorder)"),
        (2, 6, "en", SYNONYM, "Anemia"),
        (3, 6, "en", SYNONYM, "Anaemia"),
    ]
    edition(tmp_path, "SnomedCT_InternationalRF2_PRODUCTION_20240101T120000Z", concepts={6: 1},
            terms=terms, preferred=[(2, US, PREFERRED), (3, GB, PREFERRED)])  # fmt: skip
    assert names(tmp_path, "en")[0]["6"][0] == "Anemia"
    assert names(tmp_path, "en-GB")[0]["6"][0] == "Anaemia"
    assert names(tmp_path, "en-US")[0]["6"][0] == "Anemia"


def test_a_zip_beside_its_folder_changes_nothing(tmp_path: Path) -> None:
    name = "SnomedCT_InternationalRF2_PRODUCTION_20240101T120000Z"
    edition(tmp_path, name, concepts={90560007: 1}, terms=GOUT)
    (tmp_path / f"{name}.zip").write_bytes(b"PK\x03\x04")
    assert list(names(tmp_path)[0]) == ["90560007"]


def test_what_is_no_release(tmp_path: Path) -> None:
    with pytest.raises(EmbedLinkError, match="no file sct2_Concept"):
        names(tmp_path)
    assert is_release_file("a/Snapshot/Terminology/sct2_Concept_Snapshot_INT_20240101.txt")
    assert not is_release_file("a/Full/Terminology/sct2_Concept_Full_INT_20240101.txt")


def test_a_language_without_a_reference_set_has_a_preferred_term(tmp_path: Path) -> None:
    terms = [(1, 5, "en", FULL, "Gout (disorder)"), (2, 5, "es", SYNONYM, "gota")]
    edition(tmp_path, "a_20240101", concepts={5: 1}, terms=terms[:1])
    edition(tmp_path, "b_20240201", concepts={}, terms=terms[1:], space="ES1", language="es")
    rows = list(read_release(tmp_path, "es,en", Problems()))
    assert [(row.name, row.name_status) for row in rows] == [
        ("gota", "P"),
        ("Gout (disorder)", "P"),
    ]
