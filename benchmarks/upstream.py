"""The linker of `medcat-embedding-linker`, set up to be measured.

Install it with `pip install medcat-embedding-linker==0.4.0`; without it only EmbedLink runs.
"""

import importlib.util
import json
import tempfile
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch
from medcat.cdb import CDB
from medcat.config import Config
from torch import Tensor

from embedlink.corpora.medcattrainer import write_export
from embedlink.types import Document

AVAILABLE = importlib.util.find_spec("medcat_embedding_linker") is not None
DEFAULT_BATCH, LINKING_BATCH = 4096, 512


def linking_config(encoder: str, **fields: object) -> Any:
    """Upstream's configuration of its trainable linker."""
    from medcat_embedding_linker.config import EmbeddingLinking

    return EmbeddingLinking(
        comp_name="trainable_embedding_linker", embedding_model_name=encoder, **fields
    )


def context_model(names: Sequence[str], encoder: str, **fields: object) -> Any:
    """Upstream's encoder over a bare table in which each name is a concept."""
    from medcat_embedding_linker.transformer_context_model import ContextModel

    cdb = SimpleNamespace(
        name2info=dict.fromkeys(names),
        cui2info={name: {"names": {name}} for name in names},
        addl_info={},
    )
    settings = linking_config(encoder, use_projection_layer=False, **fields)
    return ContextModel(cdb, settings, "~", {"use_projection_layer": False})


def bare_linker(vectors: Tensor, names_per_cui: int = 5) -> Any:
    """Upstream's linker over given name vectors. Shape: vectors (names, dim)."""
    from medcat_embedding_linker.embedding_linker import Linker

    count = len(vectors)
    cuis = [str(row) for row in range(-(-count // names_per_cui))]
    names = [f"n{row}" for row in range(count)]
    linker = object.__new__(Linker)
    linker.cnf_l = linking_config("", use_ner_link_candidates=False)
    linker.config = SimpleNamespace(components=SimpleNamespace(linking=linker.cnf_l))
    linker.device = vectors.device
    linker._name_keys, linker._cui_keys = names, cuis
    linker._name_to_idx = {name: row for row, name in enumerate(names)}
    linker._cui_to_idx = {cui: row for row, cui in enumerate(cuis)}
    per_cui = [{"per_cui_status": {cui: "P"}} for cui in cuis]
    linker.cdb = SimpleNamespace(
        name2info={name: per_cui[row // names_per_cui] for row, name in enumerate(names)},
        cui2info={},
    )
    linker._names_context_matrix = vectors.half()
    linker._cui_context_matrix = vectors[::names_per_cui].half()
    linker._valid_names = torch.ones(count, dtype=torch.bool)
    return linker


def link(linker: Any, queries: Tensor) -> list[str]:
    """Candidates and inference for mentions whose vectors are given, in upstream's batches.

    Shape: queries (mentions, dim).
    """
    found = []
    with torch.no_grad():
        for part in queries.half().split(LINKING_BATCH):
            linker._get_context_vectors = lambda *_, vectors=part: vectors
            entities = [SimpleNamespace(link_candidates=[], detected_name="") for _ in part]
            linker._generate_link_candidates(None, entities)
            found += [entity.cui for entity in linker._inference(None, entities)]
    return found


def training_cat(cdb: CDB, encoder: str, **fields: object) -> Any:
    """A CAT that trains upstream's linker, with what keeps it from training on a CPU put right."""
    from medcat.cat import CAT
    from medcat.vocab import Vocab
    from medcat_embedding_linker.transformer_context_model import ContextModel

    config: Config = cdb.config
    config.components.linking = linking_config(encoder, **fields)
    if not torch.cuda.is_available() and not hasattr(ContextModel, "embed_half"):
        ContextModel.embed_half = ContextModel.embed

        def embed(self: Any, *args: Any, **options: Any) -> Tensor:
            vectors: Tensor = self.embed_half(*args, **options)
            # Half precision only outside training: autocast on a CPU cannot mix it.
            return vectors.float() if torch.is_grad_enabled() else vectors

        ContextModel.embed = embed
    return CAT(cdb, Vocab())


def export_of(documents: Sequence[Document]) -> Any:
    """The documents as a MedCATtrainer export, as MedCAT's trainer and statistics read it."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "export.json"
        write_export(documents, path)
        return json.loads(path.read_text(encoding="utf-8"))
