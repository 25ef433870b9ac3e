"""Model packs of `medcat-embedding-linker` 0.4.0: written for it, and read without it.

Upstream's component loads an encoder first and then its own weights. A pack written here holds
such an encoder in `.encoder`, and its configuration names that folder. If the pack is moved, load
it with `config_dict={"components": {"linking": {"embedding_model_name": "<pack>/.encoder"}}}`.
Upstream's pack cannot hold the link decision or EmbedLink's detection.
"""

import importlib
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from medcat.cat import CAT
from medcat.cdb import CDB
from medcat.components.types import CoreComponentType

from embedlink.concepts.names import ConceptNames, concept_names
from embedlink.detection.config import detect_as_medcat
from embedlink.files.atomic import written_aside
from embedlink.files.manifest import write_manifest
from embedlink.index.concept_index import ConceptIndex
from embedlink.linking.linker import Linker
from embedlink.medcat.config import EmbedLinkLinking
from embedlink.medcat.pack import load_pack, unpacked, write_pack
from embedlink.medcat.similarity import hide_similarity
from embedlink.medcat.trainable import TrainableLinker
from embedlink.medcat.upstream import (
    STATE,
    read_upstream_weights,
    upstream_state,
    write_encoder,
)
from embedlink.plugin import STATIC, TRAINABLE
from embedlink.problems import EmbedLinkError

PLUGIN = "medcat_embedding_linker"
MATRICES = ("name_embeddings", "cui_embeddings")
"""The keys of upstream's vectors in `cdb.addl_info`. The vectors are float16."""


def load_upstream_pack(pack: Path) -> CAT:
    """Load a pack that upstream saved, with our component in place of upstream's.

    It predicts the same, and upstream's package need not be installed. A static pack holds no
    weights. Its encoder is loaded by the name in its configuration, without a projection.
    Upstream's vectors are dropped, because the index is built from the weights. Raises
    `EmbedLinkError` if weights or encoder are missing or do not fit each other.
    """
    folder = unpacked(pack) if pack.suffix == ".zip" else pack
    trained = (folder / "saved_components" / "core_linking").is_dir()
    with _upstream_read_here():
        if trained:
            cat = load_pack(folder)
        else:  # A static component has no folder. It is made from the configuration.
            # Load the pack without a linker first: the one that it names may not be installed.
            no_linker = {"components": {"linking": {"comp_name": "no_action"}}}
            cat = CAT.load_model_pack(str(folder), config_dict=no_linker)
            config = cat.config.components.linking
            if not isinstance(config, EmbedLinkLinking):
                raise not_linked(pack)
            _as_upstream(config, STATIC)
            config.use_projection_layer = False  # Upstream draws one at random and saves none.
            cat._recreate_pipe()
    for matrix in MATRICES:
        cat.cdb.addl_info.pop(matrix, None)
    return cat


def not_linked(pack: Path) -> EmbedLinkError:
    """The error for a pack whose linker is neither upstream's nor ours."""
    return EmbedLinkError(
        f"linker={pack}: this pack does not link by an encoder; give a pack of "
        "medcat-embedding-linker, or one that a run here left"
    )


def write_upstream_pack(linker: Linker, pack: Path, output: Path, overwrite: bool = False) -> Path:
    """Write an existing pack with this linker as upstream's trainable component.

    Upstream's package must be installed. `output` is written whole or not at all, and returned.
    EmbedLink's detection is switched back to MedCAT's, with a warning. Raises `EmbedLinkError` if
    the package or the pack is missing.
    """
    try:
        config_class = importlib.import_module(f"{PLUGIN}.config").EmbeddingLinking
    except ImportError as error:
        raise EmbedLinkError(
            "target=upstream: a pack is written by the package that reads it; "
            "pip install medcat-embedding-linker==0.4.0"
        ) from error
    cat = load_pack(pack)
    names = concept_names(cat.cdb, linker.settings.representative)
    # Upstream links by the vectors in the database and does not make missing ones.
    _put_vectors(cat.cdb, names, linker.build_index(names))
    with written_aside(output, overwrite) as aside:
        # Upstream's component loads an encoder when it is made, so the encoder is written first.
        write_encoder(linker, aside / ".encoder")
        filters = cat.config.components.linking.filters
        fields = _upstream_fields(linker, str(aside / ".encoder"))
        cat.config.components.linking = config_class(filters=filters, **fields)
        detect_as_medcat(cat.config)
        hide_similarity(cat.config)
        cat._recreate_pipe()
        component: Any = cat.pipe.get_component(CoreComponentType.linking)
        component.context_model.model.load_state_dict(upstream_state(linker))
        # Upstream must load the encoder from its final place: `aside` is renamed at the end.
        cat.config.components.linking.embedding_model_name = str(output.resolve() / ".encoder")
        write_pack(cat, aside)
        write_manifest(aside, "upstream-pack")
    return output


def _upstream_fields(linker: Linker, encoder: str) -> dict[str, object]:
    """The linker's settings as fields of upstream's configuration."""
    settings = linker.settings
    return {
        "comp_name": "trainable_embedding_linker",
        "embedding_model_name": encoder,
        "context_window_size": settings.context_window,
        "max_token_length": settings.max_tokens,
        "use_mention_attention": settings.pooling == "mention",
        "use_projection_layer": settings.projection,
        "always_calculate_similarity": True,
    }


def _put_vectors(cdb: CDB, names: ConceptNames, index: ConceptIndex) -> None:
    """Put our vectors into `cdb.addl_info`, in the order of the database, as upstream does.

    Shape: name_embeddings (names, dim) float16
    Shape: cui_embeddings (concepts, dim) float16
    """
    # Our tables are sorted. Upstream's rows follow the order of the database's dictionaries.
    rows = torch.tensor([names.name_row[name] for name in cdb.name2info], dtype=torch.int64)
    cdb.addl_info["name_embeddings"] = index.name_vectors[rows].half()
    rows = torch.tensor([names.cui_row[cui] for cui in cdb.cui2info], dtype=torch.int64)
    cdb.addl_info["cui_embeddings"] = index.concept_vectors[rows].half()


def _as_upstream(config: EmbedLinkLinking, comp_name: str) -> None:
    """Link as upstream does: a concept's longest name stands for it, also among candidates."""
    config.comp_name = comp_name
    config.representative_name, config.disambiguate_by = "longest", "concepts"


class _StoredLinker(TrainableLinker):
    """Stands for upstream's class while a pack is read.

    MedCAT imports the class that a pack's folder names and lets it read that folder.
    """

    @classmethod
    def deserialise_from(cls, folder_path: str, **init_kwargs: Any) -> Any:
        """Make our component with the weights that upstream's component saved."""
        config = init_kwargs["cnf"]
        _as_upstream(config, TRAINABLE)
        linker = read_upstream_weights(Path(folder_path) / STATE, config.settings())
        config.adopt(linker.settings)
        given = (init_kwargs["cdb"], config, init_kwargs["tokenizer"], init_kwargs["vocab"])
        return TrainableLinker(linker, *given)


@contextmanager
def _upstream_read_here() -> Iterator[None]:
    """Replace the classes that upstream's packs name by ours, even if upstream is installed.

    `sys.modules` belongs to the whole process, so no other thread may load packs meanwhile.
    """
    stand_ins: dict[str, dict[str, object]] = {
        PLUGIN: {},
        f"{PLUGIN}.config": {"EmbeddingLinking": EmbedLinkLinking},
        f"{PLUGIN}.trainable_embedding_linker": {"Linker": _StoredLinker},
    }
    before = {name: sys.modules.get(name) for name in stand_ins}
    for name, members in stand_ins.items():
        module = ModuleType(name)
        # MedCAT asks importlib whether a pack's plugins are installed. That needs a spec.
        module.__spec__ = ModuleSpec(name, None)
        module.__dict__.update(members)
        sys.modules[name] = module
    try:
        yield
    finally:
        for name, module_before in before.items():
            del sys.modules[name]
            if module_before is not None:
                sys.modules[name] = module_before
