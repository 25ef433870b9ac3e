"""CATs around the tiny encoder and concept table of the outer conftest."""

import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from medcat.cat import CAT
from medcat.cdb import CDB
from medcat.components.types import CoreComponentType
from medcat.vocab import Vocab

from embedlink.medcat.config import EmbedLinkLinking
from embedlink.plugin import STATIC, TRAINABLE

TEXT = "Known MS with fever. Heart failure and a cold; pyrexia."


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """MedCAT's and its libraries' own warnings are not ours to answer for."""
    for item in items:
        if "medcat" in item.path.parts:
            for message in (
                "ignore::DeprecationWarning:medcat",
                "ignore:.*entity_from_tokens:DeprecationWarning",
                "ignore:.*legacy TrainableComponent:DeprecationWarning",
                "ignore:.*importing 'parser.split_arg_string':DeprecationWarning",
                "ignore::DeprecationWarning:spacy",
                "ignore::DeprecationWarning:weasel",
                "ignore:.*GradScaler is enabled, but CUDA is not:UserWarning",
            ):
                item.add_marker(pytest.mark.filterwarnings(message))


def linking_of(cat: CAT) -> Any:
    return cat.pipe.get_component(CoreComponentType.linking)


def entities(cat: CAT, text: str = TEXT) -> list[tuple[int, int, str, float]]:
    """(start, end, cui, rounded similarity) of each entity."""
    found = cat.get_entities(text).get("entities", {}).values()  # MedCAT: {} for no tokens
    return [(e["start"], e["end"], e["cui"], round(e["context_similarity"], 5)) for e in found]


def export(
    *notes: tuple[str, Sequence[tuple[str, str]]], project: str = "p", cuis: str = ""
) -> dict[str, Any]:
    """A MedCATtrainer export of (text, [(surface, cui), ...])."""
    documents = []
    for number, (text, surfaces) in enumerate(notes):
        annotations: list[dict[str, object]] = []
        for surface, cui in surfaces:
            start = text.index(surface)
            annotations.append({
                "start": start, "end": start + len(surface), "cui": cui, "value": surface,
                "validated": True, "correct": True, "deleted": False, "killed": False,
                "alternative": False, "manually_created": False, "id": len(annotations),
            })  # fmt: skip
        documents.append(
            {"id": number, "name": f"n{number}", "text": text, "annotations": annotations}
        )
    return {
        "projects": [{"id": 1, "name": project, "cuis": cuis, "tuis": "", "documents": documents}]
    }


@pytest.fixture(autouse=True)
def quiet() -> None:
    logging.getLogger("medcat").setLevel(logging.ERROR)


@pytest.fixture
def make_cat(cdb: CDB, tiny_encoder: Path) -> Callable[..., CAT]:
    """Makes a CAT with a linking component over the tiny encoder."""

    def make(comp_name: str = STATIC, database: CDB | None = None, **fields: Any) -> CAT:
        used = database or cdb
        used.config.components.linking = EmbedLinkLinking(
            comp_name=comp_name,
            **{"embedding_model_name": str(tiny_encoder), "max_token_length": 32} | fields,
        )
        return CAT(used, Vocab())

    return make


@pytest.fixture
def cat(make_cat: Callable[..., CAT]) -> CAT:
    return make_cat()


@pytest.fixture
def trainable(make_cat: Callable[..., CAT]) -> CAT:
    return make_cat(
        TRAINABLE, top_n_layers_to_unfreeze=1, training_batch_size=4, learning_rate=1e-2
    )


@pytest.fixture
def data_export(tiny_encoder: Path) -> tuple[Callable[[str], CAT], dict[str, Any]]:
    """Makes a CAT over the MeSH diseases, and 40 NCBI abstracts as an export."""
    from embedlink.concepts.codes import align_codes
    from embedlink.concepts.database import load_cdb
    from embedlink.corpora.pubtator import PubTator
    from embedlink.detection.pipeline import detection_config
    from embedlink.problems import Problems
    from tests.written import published

    files = {"train": str(published("ncbi_disease") / "NCBItrainset_corpus.txt")}
    problems = Problems()
    concepts = published("concepts") / "mesh_disease.csv"
    cdb = load_cdb(concepts, problems, detection_config(min_name_len=2))
    documents = align_codes(PubTator("ncbi", files).read(problems), cdb)[:40]

    def make(comp_name: str) -> CAT:
        cdb.config.components.linking = EmbedLinkLinking(
            comp_name=comp_name, embedding_model_name=str(tiny_encoder), max_token_length=64
        )
        return CAT(cdb, Vocab())

    notes = [
        (d.text, [((m.start, m.end), m.cui) for m in d.mentions if m.cui in cdb.cui2info])
        for d in documents
    ]
    return make, exported(notes)


def exported(
    notes: Sequence[tuple[str, Sequence[tuple[tuple[int, int], str]]]],
) -> dict[str, Any]:
    """As `export`, with spans for surfaces."""
    data = export(*((text, []) for text, _ in notes))
    for document, (text, mentions) in zip(data["projects"][0]["documents"], notes, strict=True):
        for number, ((start, end), cui) in enumerate(mentions):
            document["annotations"].append({
                "start": start, "end": end, "cui": cui, "value": text[start:end], "id": number,
                "validated": True, "correct": True, "deleted": False, "killed": False,
                "alternative": False, "manually_created": False,
            })  # fmt: skip
    return data
