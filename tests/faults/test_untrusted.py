"""Linkers, taggers and encoders of strangers run no code: what is pickled is not unpickled."""

import pickle
import shutil
from pathlib import Path

import pytest

from embedlink.concepts.names import concept_names
from embedlink.detection.tagger import MentionTagger
from embedlink.encoder.pretrained import load_encoder
from embedlink.linking.linker import Linker
from embedlink.problems import EmbedLinkError


class Trap:
    """Makes a file when it is unpickled."""

    def __init__(self, place: Path) -> None:
        self.place = place

    def __reduce__(self):
        return (Path.touch, (self.place,))


@pytest.mark.parametrize("kind", ["encoder", "linker", "tagger"])
def test_a_pickle_in_the_place_of_weights_runs_nothing(
    linker, cdb, tiny_encoder, tagger_folder, tmp_path, kind
):
    folder, sprung = tmp_path / kind, tmp_path / "sprung"
    if kind == "linker":
        names = concept_names(cdb)
        linker.save(folder, names, linker.build_index(names, progress=None))
    else:
        shutil.copytree(tiny_encoder if kind == "encoder" else tagger_folder, folder)
    (weights,) = folder.rglob("model.safetensors")
    weights.unlink()
    (weights.parent / "pytorch_model.bin").write_bytes(pickle.dumps(Trap(sprung)))
    load = {"encoder": load_encoder, "linker": Linker.load, "tagger": MentionTagger.load}[kind]
    with pytest.raises(EmbedLinkError):
        load(str(folder))
    assert not sprung.exists()
