from pathlib import Path

import pytest

from embedlink.corpora.medcattrainer import MedCATtrainer, write_export
from embedlink.problems import EmbedLinkError, Problems
from embedlink.types import Document, Mention
from tests.written import write, write_json

TEXT = "Asthma and diabetes."


def annotation(start: int, end: int, cui: str, **fields: object) -> dict[str, object]:
    return {"start": start, "end": end, "cui": cui, "value": TEXT[start:end], **fields}


def export(annotations: list[object]) -> dict[str, object]:
    document = {"id": 7, "name": "note-7", "text": TEXT, "annotations": annotations}
    return {"projects": [{"name": "train", "id": 1, "documents": [document]}]}


def read(path: Path, **options: bool) -> tuple[list[Document], Problems]:
    problems = Problems()
    return list(MedCATtrainer("mine", str(path), **options).read(problems)), problems


def test_annotations_count_as_in_medcat_stats(tmp_path: Path) -> None:
    value = export(
        [
            annotation(0, 6, "C1"),
            annotation(0, 6, "C2", validated=False),
            annotation(11, 19, "C3", killed=True),
            annotation(11, 19, "C4", deleted=True, validated=True),
            annotation(11, 19, "C5", deleted=True, validated=False),
            annotation(11, 19, "C6", killed=False, validated=True, correct=False, meta_anns={}),
        ]
    )
    (document,), problems = read(write_json(tmp_path / "e.json", value))
    assert document.mentions == (Mention(0, 6, "C1"), Mention(11, 19, "C6"))
    assert document.rejected == (Mention(11, 19, "C3"), Mention(11, 19, "C4"))
    assert (document.id, document.corpus, document.split) == ("note-7", "mine", "train")
    assert [(p.reason, p.value, p.counted) for p in problems.found] == [
        ("annotations not validated", "2 annotations", True)
    ]


def test_project_names_need_not_be_splits(tmp_path: Path) -> None:
    path = write_json(tmp_path / "e.json", export([annotation(0, 6, "C1")]))
    assert read(path, split_by_project=False)[0][0].split == ""


def test_name_behind_the_documents(tmp_path: Path) -> None:
    projects = [
        {"documents": [{"id": 1, "text": "a b", "annotations": []}], "name": "train"},
        {"documents": [{"id": 2, "text": "c d", "annotations": []}], "name": "test"},
        {"documents": [{"id": 3, "text": "e f", "annotations": []}]},
    ]
    documents, _ = read(write_json(tmp_path / "e.json", {"projects": projects}))
    assert [(d.id, d.split) for d in documents] == [("1", "train"), ("2", "test"), ("3", "")]


def test_written_export_is_read_back_the_same(tmp_path: Path) -> None:
    documents = [
        Document(
            "a", "Ásthma 𝄞\n", (Mention(0, 6, "C1|C2"),), "mine", "train", (Mention(7, 8, ""),)
        ),
        Document("b", "x", (), "mine", "test"),
        Document("c", "y", (), "mine", ""),
    ]
    write_export(documents, tmp_path / "e.json")
    found, problems = read(tmp_path / "e.json")
    assert found == documents
    assert not problems.found
    write_export([], tmp_path / "empty.json")
    assert (tmp_path / "empty.json").read_text() == '{"projects": []}\n'


@pytest.mark.parametrize(
    ("annotation_", "reason"),
    [
        ({"start": 0, "end": 6}, "not an annotation"),
        ("Asthma", "not an annotation"),
        (annotation(0, 6, "C1") | {"cui": ["C1"]}, "cui is not a text"),
        (annotation(0, 6, "C1") | {"end": 60}, "offsets outside the text"),
        (annotation(0, 6, "C1") | {"start": 6}, "end before start"),
        (annotation(0, 6, "C1") | {"start": "9" * 5000}, "offset is not a number"),
        (annotation(0, 6, "C1") | {"start": [[[]]]}, "offset is not a number"),
        (annotation(0, 6, "7.3e+17"), "the identifier has lost digits: a power of ten"),
        (
            annotation(0, 6, "C1") | {"cui": 7.3e17},
            "the identifier has lost digits: a power of ten",
        ),
        (annotation(0, 6, "C1") | {"cui": 1959670.0}, "the identifier has decimals"),
    ],
)
def test_bad_annotations(tmp_path: Path, annotation_: object, reason: str) -> None:
    (document,), problems = read(write_json(tmp_path / "e.json", export([annotation_])))
    assert not document.mentions
    assert [problem.reason for problem in problems.rejected] == [reason]
    assert problems.rejected[0].value.startswith("project 1 document 1 annotation 1")


def test_a_document_whose_values_stand_elsewhere_is_left_out(tmp_path: Path) -> None:
    wrong = annotation(0, 6, "C1") | {"value": "Migraine"}
    path = write_json(tmp_path / "e.json", export([annotation(11, 19, "C2"), wrong]))
    documents, problems = read(path)
    assert not documents
    assert [problem.reason for problem in problems.rejected] == [
        "span text differs from the text at its offsets"
    ]
    assert problems.rejected[0].value.startswith("project 1 document 1 annotation 2")


def test_offsets_of_a_browser_are_moved_together(tmp_path: Path) -> None:
    text = "😀 pain, pain 😀 and pain."
    spans = [(3, 7), (9, 13), (21, 25)]  # in units of UTF-16
    annotations = [{"start": a, "end": b, "cui": f"C{a}", "value": "pain"} for a, b in spans]
    document = {"id": 1, "text": text, "annotations": annotations}
    path = write_json(tmp_path / "e.json", {"projects": [{"documents": [document]}]})
    (read_document,), problems = read(path)
    assert [(m.start, m.code) for m in read_document.mentions] == [
        (2, "C3"),
        (8, "C9"),
        (19, "C21"),
    ]
    assert [problem.repaired for problem in problems.found] == [True]


def test_codes_without_a_concept_and_several_of_them(tmp_path: Path) -> None:
    codes = [None, float("nan"), "nil", "-", "CUI-less", "MESH:D012345;MESH:D123456", 195967001]
    found = [annotation(0, 6, "") | {"cui": code} for code in codes]
    (document,), problems = read(write_json(tmp_path / "e.json", export(list(found))))
    assert [mention.cuis for mention in document.mentions] == [
        *[()] * 5,
        ("D012345", "D123456"),
        ("195967001",),
    ]
    assert not problems.rejected


def test_lost_zeros_are_found_beside_others(tmp_path: Path) -> None:
    codes = ["00123", "00456", "789"]
    found = [annotation(0, 6, code) for code in codes]
    (document,), problems = read(write_json(tmp_path / "e.json", export(list(found))))
    assert [mention.code for mention in document.mentions] == codes[:2]
    assert "leading zeros" in problems.rejected[0].reason


@pytest.mark.parametrize("fields", [{"text": None}, {"annotations": 3}, {"name": None, "id": None}])
def test_bad_documents(tmp_path: Path, fields: dict[str, object]) -> None:
    value = {"id": 7, "name": "note-7", "text": TEXT, "annotations": []} | fields
    path = write_json(tmp_path / "e.json", {"projects": [{"documents": [value]}]})
    documents, problems = read(path)
    assert not documents
    assert [problem.reason for problem in problems.rejected] == ["not a document"]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "empty file"),
        ("note text", "truncated or malformed JSON"),
        ('{"projects": [{"documents": [{"id": 1,\n"te', "truncated or malformed JSON"),
        ('{"projects": [{"documents": [{"id": 1 "te"', "truncated or malformed JSON"),
        ('{"documents": []}', 'no list of "projects"'),
        ('{"projects": {"documents": []}}', 'no list of "projects"'),
        ("[]", 'no list of "projects"'),
    ],
)
def test_bad_files_quote_no_text(tmp_path: Path, text: str, reason: str) -> None:
    documents, problems = read(write(tmp_path / "e.json", text))
    assert not documents
    assert [problem.reason for problem in problems.rejected] == [reason]
    assert "note text" not in str(problems.rejected[0])


def test_bom_and_other_encodings(tmp_path: Path) -> None:
    path = tmp_path / "e.json"
    path.write_bytes(b'\xef\xbb\xbf{"projects": [{"documents": []}]}')
    assert [problem.reason for problem in read(path)[1].found] == ["byte order mark"]
    path.write_bytes('{"projects": []}'.encode("utf-16"))
    assert [problem.reason for problem in read(path)[1].rejected] == ["unknown encoding"]


def test_latin_1_is_named_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "e.json"
    raw = '{"projects": [\n{"documents": [{"id": 1, "text": "Sjögren", "annotations": []}]}]}'
    path.write_bytes(raw.encode("latin-1"))
    (problem,) = read(path)[1].rejected
    assert (problem.line, problem.reason) == (2, "unknown encoding")


def test_what_python_writes_and_nobody_reads_does_no_harm(tmp_path: Path) -> None:
    fields = {"acc": float("nan"), "big": 10**400, "deep": [[[[]]]], "lone": "\ud83d"}
    path = write_json(tmp_path / "e.json", export([annotation(0, 6, "C1", **fields)]))
    (document,), problems = read(path)
    assert len(document.mentions) == 1
    assert not problems.found


def test_deep_nesting_is_refused(tmp_path: Path) -> None:
    deep = '{"a":' * 60_000 + "1" + "}" * 60_000
    path = write(tmp_path / "e.json", '{"projects": [{"documents": [{"meta": ' + deep + "}]}]}")
    (problem,) = read(path)[1].rejected
    assert "nested more than 100 deep" in problem.remedy


def test_syntax_errors_name_their_line(tmp_path: Path) -> None:
    problem = read(write(tmp_path / "e.json", '{"projects": [\n{]'))[1].rejected[0]
    assert (problem.line, problem.value) == (2, "column 2")


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(EmbedLinkError, match="export the project from MedCATtrainer"):
        read(tmp_path / "nowhere.json")
