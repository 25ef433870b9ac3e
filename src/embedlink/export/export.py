"""A trained linker in the forms that other programs load.

The input may be the folder `linker` of a run, or a pack of our own. It may also be a folder or a
pack that `medcat-embedding-linker` saved. The target `embedlink` needs a MedCAT pack to put the
linker into, unless the input is a pack itself.
"""

import logging
from pathlib import Path
from typing import Literal, get_args

from medcat.components.types import CoreComponentType

from embedlink.export.sentence_transformers import write_sentence_model
from embedlink.export.upstream_pack import load_upstream_pack, not_linked, write_upstream_pack
from embedlink.files.atomic import written_aside
from embedlink.files.manifest import write_manifest
from embedlink.files.outputs import output_folder
from embedlink.linking.linker import Linker
from embedlink.linking.parts import SETTINGS
from embedlink.linking.shipped import Shipped
from embedlink.medcat.component import LinkingComponent
from embedlink.medcat.config import EmbedLinkLinking
from embedlink.medcat.pack import is_pack, relink, save_pack
from embedlink.medcat.sources import start_linker
from embedlink.medcat.upstream import (
    ENCODER,
    is_upstream_model,
    write_encoder,
    write_upstream_model,
)
from embedlink.problems import EmbedLinkError

log = logging.getLogger(__name__)

Target = Literal["embedlink", "upstream", "sentence-transformers"]
"""Our MedCAT pack, a pack or model for `medcat-embedding-linker`, or an encoder alone."""


def export_linker(
    folder: Path,
    target: Target,
    output: Path,
    pack: Path | None,
    encoder: str | None = None,
    tagger: Path | None = None,
    names: Path | None = None,
    overwrite: bool = False,
) -> str:
    """Write `output` whole or not at all. Returns a sentence for the user.

    `folder` is a linker folder, a run's folder, or a folder or pack that upstream saved. A run's
    folder brings its tagger and its names into `pack`, unless `tagger` or `names` is given.
    `pack` is the MedCAT pack to put the linker into. With `tagger`, a folder, the pack detects
    mentions as in training. Without `pack`, the target `upstream` writes the model alone. Then
    `encoder` may give the hub id that upstream loads first. By default the output holds an encoder.
    `overwrite` allows replacing a folder that EmbedLink wrote. No other folder is ever replaced.
    Raises `EmbedLinkError` if the target does not exist, if an argument does not suit the target,
    or if a linker, pack or package is missing.
    """
    if target not in get_args(Target):
        raise EmbedLinkError(f"target={target!r} is not allowed; {' | '.join(get_args(Target))}")
    for key, path in (("tagger", tagger), ("names", names)):
        if path is not None and (target != "embedlink" or pack is None):
            raise EmbedLinkError(f"{key}= goes with target=embedlink and pack=")
    if encoder is not None and (target != "upstream" or pack is not None):
        raise EmbedLinkError("encoder= goes with target=upstream and without pack=")
    if pack is not None and target == "sentence-transformers":
        raise EmbedLinkError("pack= goes with target=embedlink or target=upstream")
    shipped = Shipped.of(folder)
    if shipped.whole:
        folder = shipped.linker
        if target == "embedlink" and pack is not None:
            tagger = tagger or _there(shipped.tagger)
            names = names or _there(shipped.names)
    inputs = {"linker": folder, "pack": pack, "tagger": tagger, "names": names}
    # `encoder` may be a hub id or a folder. Only a folder must stay clear of `output`.
    local = Path(encoder).expanduser() if encoder and Path(encoder).expanduser().is_dir() else None
    output_folder(output, overwrite, inputs | {"encoder": local})
    if target == "embedlink":
        return _pack(folder, output, pack=pack, tagger=tagger, names=names, overwrite=overwrite)
    linker = _read(folder)
    if target == "sentence-transformers":
        with written_aside(output, overwrite) as aside:
            write_sentence_model(linker, aside)
            write_manifest(aside, target)
        return f"{output}: SentenceTransformer({str(output)!r}) gives this linker's name vectors"
    # This is a warning, not an error: a user may still want upstream's predictions.
    if linker.settings.surface_weight:
        log.warning(
            "model.surface_weight=%g: upstream reads a mention's context alone, so it predicts "
            "otherwise; train with model.surface_weight=0 for the same predictions",
            linker.settings.surface_weight,
        )
    if pack is not None:
        write_upstream_pack(linker, pack, output=output, overwrite=overwrite)
        return (
            f"{output}: loads where medcat-embedding-linker is installed. If it moves, set "
            f"config.components.linking.embedding_model_name to its folder .encoder"
        )
    with written_aside(output, overwrite) as aside:
        # The model must name its final place, because `aside` is renamed at the end.
        first = encoder or str(output.resolve() / ENCODER)
        write_upstream_model(linker, aside, first)
        if encoder is None:
            write_encoder(linker, aside / ENCODER)
        write_manifest(aside, target)
    return f"{output}: ModelForEmbeddingLinking.from_pretrained loads it, with {first} below"


def _pack(
    folder: Path,
    output: Path,
    pack: Path | None,
    tagger: Path | None,
    names: Path | None,
    overwrite: bool,
) -> str:
    """Write a pack with our component, from `pack` and this linker or from upstream's pack."""
    if pack is not None:
        save_pack(
            relink(pack, _model_folder(folder), tagger=tagger, names=names), output, overwrite
        )
    elif is_pack(folder):
        save_pack(load_upstream_pack(folder), output, overwrite)
    else:
        raise EmbedLinkError("target=embedlink: set pack= to the MedCAT pack to link with it")
    return f"{output}: CAT.load_model_pack({str(output)!r})"


def _there(folder: Path) -> Path | None:
    return folder if folder.is_dir() else None


def _model_folder(folder: Path) -> Path:
    """The folder that holds the model alone: a linker folder, upstream's, or one in our pack."""
    for held in (folder, folder / "saved_components" / "core_linking"):
        if (held / SETTINGS).is_file() or is_upstream_model(held):
            return held
    raise EmbedLinkError(
        f"linker={folder}: no linker; give a run's folder or its `linker`, a folder that "
        "medcat-embedding-linker saved, or (without pack=) a model pack of it"
    )


def _read(folder: Path) -> Linker:
    """Read the linker of a folder or pack. Either may be upstream's or ours."""
    own = folder / "saved_components" / "core_linking" / SETTINGS
    # An unpacked pack of our own holds the linker folder, so the rest need not be loaded.
    if is_pack(folder) and not own.is_file():
        component = load_upstream_pack(folder).pipe.get_component(CoreComponentType.linking)
        if isinstance(component, LinkingComponent):
            return component.linker
        raise not_linked(folder)
    config = EmbedLinkLinking(embedding_model_name=str(_model_folder(folder)))
    return start_linker(config)[0]
