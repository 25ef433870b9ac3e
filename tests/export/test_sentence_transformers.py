"""A linker's folder as Sentence Transformers loads it."""

import pytest
import torch

from embedlink.concepts.names import concept_names
from embedlink.export.export import export_linker
from embedlink.linking.linker import Linker
from embedlink.linking.settings import LinkerSettings


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("projection", [False, True])
@pytest.mark.parametrize("pooling", ["mention", "window"])
def test_sentence_transformers_gives_the_vectors_of_names(
    tiny_encoder, cdb, tmp_path, pooling, projection
):
    sentence_transformers = pytest.importorskip("sentence_transformers")
    settings = LinkerSettings(
        str(tiny_encoder), max_tokens=32, max_name_tokens=8, pooling=pooling, projection=projection
    )
    linker = Linker.untrained(settings)
    if linker.encoder.projection is not None:
        torch.nn.init.normal_(linker.encoder.projection.weight)
        torch.nn.init.normal_(linker.encoder.projection.bias)
    linker.encoder.eval()
    names = concept_names(cdb)
    index = linker.build_index(names, progress=None)
    linker.save(tmp_path / "linker", names, index)
    export_linker(tmp_path / "linker", "sentence-transformers", tmp_path / "out", None)
    model = sentence_transformers.SentenceTransformer(str(tmp_path / "out"), device="cpu")
    vectors = torch.as_tensor(model.encode(list(names.texts)))
    torch.testing.assert_close(vectors, index.vectors, atol=1e-5, rtol=0)
