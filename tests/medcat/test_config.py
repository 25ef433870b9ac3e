from dataclasses import replace

import pytest
import torch

from embedlink.medcat.config import EmbedLinkLinking
from embedlink.plugin import TRAINABLE
from tests.medcat.conftest import TEXT, entities, linking_of

UPSTREAM = {
    "comp_name", "filter_before_disamb", "train_on_names", "training_batch_size",
    "embed_per_n_batches", "use_similarity_threshold", "negative_sampling_k",
    "negative_sampling_candidate_pool_size", "negative_sampling_temperature",
    "use_mention_attention", "long_similarity_threshold", "short_similarity_threshold",
    "embedding_model_name", "use_projection_layer", "top_n_layers_to_unfreeze",
    "max_token_length", "embedding_batch_size", "linking_batch_size", "gpu_device",
    "context_window_size", "use_ner_link_candidates", "append_to_ner_link_candidates",
    "use_pre_inference", "learning_rate", "weight_decay", "pre_inference_top_k_sampling",
    "multiple_predictions_per_detected_entity", "inference_top_k_sampling",
}  # fmt: skip


def test_every_field_of_upstream_exists():
    assert EmbedLinkLinking.model_fields.keys() >= UPSTREAM
    upstream = pytest.importorskip("medcat_embedding_linker.config").EmbeddingLinking
    assert upstream.model_fields.keys() <= EmbedLinkLinking.model_fields.keys()


def test_a_misspelt_field_is_an_error_also_when_set_later():
    with pytest.raises(ValueError, match="context_windw_size"):
        EmbedLinkLinking(context_windw_size=3)
    config = EmbedLinkLinking()
    with pytest.raises(ValueError, match="long_similarity_treshold"):
        config.long_similarity_treshold = 0.5


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("context_window_size", -1), ("max_token_length", 2), ("link_threshold", 1.5),
        ("negative_sampling_temperature", 0), ("dtype", "float16"), ("learning_rate", -1),
        ("representative_name", "shortest"), ("top_n_layers_to_unfreeze", -2),
    ],
)  # fmt: skip
def test_values_out_of_range_are_errors_also_when_set_later(field, value):
    config = EmbedLinkLinking()
    with pytest.raises(ValueError, match=field):
        setattr(config, field, value)


def test_a_misspelt_field_at_loading_is_an_error(cat, tmp_path):
    from medcat.cat import CAT

    saved = cat.save_model_pack(str(tmp_path), "pack", make_archive=False)
    with pytest.raises(ValueError, match="context_windw_size"):
        CAT.load_model_pack(
            saved, config_dict={"components": {"linking": {"context_windw_size": 3}}}
        )


def set_later(cat, **fields):
    for field, value in fields.items():
        setattr(cat.config.components.linking, field, value)


@pytest.mark.parametrize(
    "fields",
    [
        {"context_window_size": 0},
        {"max_token_length": 8, "max_name_token_length": 16},
        {"use_mention_attention": False},
        {"representative_name": "longest"},
        {"dtype": "bfloat16"},
        {"use_projection_layer": False},
        {"max_name_token_length": 8},
    ],
)
def test_a_field_set_later_is_a_field_set_first(make_cat, fields, cdb):
    cat = make_cat()
    entities(cat)
    set_later(cat, **fields)
    later = entities(cat)
    first = make_cat(**fields)
    settings = linking_of(cat).linker.settings
    assert settings == linking_of(first).linker.settings
    assert entities(first) == later
    torch.testing.assert_close(
        linking_of(cat).current_index().vectors, linking_of(first).current_index().vectors
    )


def test_the_settings_matter(make_cat):
    plain = entities(make_cat())
    assert entities(make_cat(context_window_size=0)) != plain
    assert entities(make_cat(use_mention_attention=False)) != plain
    assert entities(make_cat(max_token_length=8)) != plain
    assert entities(make_cat(use_projection_layer=False)) == plain  # It starts as the identity.


def test_batch_sizes_bound_batches_and_change_nothing(make_cat):
    plain = make_cat()
    expected = entities(plain)
    small = make_cat(embedding_batch_size=1, linking_batch_size=2)
    sizes = []
    encoder = linking_of(small).linker.encoder
    encoder.register_forward_pre_hook(lambda _, given: sizes.append(given[0].input_ids.numel()))
    linking_of(small).create_embeddings()
    assert max(sizes) <= 32  # One name of the greatest length.
    assert len(sizes) >= 3
    found = entities(small)
    assert [e[:3] for e in found] == [e[:3] for e in expected]
    assert [e[3] for e in found] == pytest.approx([e[3] for e in expected], abs=1e-4)


def test_device_is_honoured(make_cat):
    assert linking_of(make_cat(gpu_device="cpu")).linker.encoder.device.type == "cpu"
    with pytest.raises(RuntimeError):
        make_cat(gpu_device="no-such-device")


def test_longest_and_preferred_names_stand_for_a_concept(make_cat):
    cat = make_cat(TRAINABLE, representative_name="longest")
    names = linking_of(cat).current_names()
    row = names.cui_row["C4"]
    assert names.texts[names.representative[row]] == "failure of the heart"
    set_later(cat, representative_name="preferred")
    entities(cat, TEXT)
    names = linking_of(cat).current_names()
    assert names.texts[names.representative[row]] == "heart failure"


@pytest.mark.parametrize("way", ["float32", "bfloat16", "int8", "approximate"])
def test_the_way_to_search_can_be_changed_while_in_use(make_cat, way):
    if way == "approximate":
        pytest.importorskip("faiss")
    cat = make_cat(use_ner_link_candidates=False)
    expected, vectors = entities(cat), linking_of(cat).current_index().vectors
    set_later(cat, search_by=way)
    assert entities(cat) == expected
    index = linking_of(cat).current_index()
    assert index.search_by == way
    assert index.vectors is vectors  # Nothing is encoded anew.
    first = make_cat(use_ner_link_candidates=False, search_by=way)
    assert entities(first) == expected


def test_a_change_of_the_frequency_weight_ranks_anew_and_embeds_nothing(make_cat, monkeypatch):
    cat = make_cat()
    linking = linking_of(cat)
    linking.live.use(replace(linking.linker, frequencies={"C1": 9}))
    vectors = linking.current_index().vectors
    assert linking.current_index().prior is None
    monkeypatch.setattr(linking.linker.encoder, "forward", None)
    cat.config.components.linking.frequency_weight = 0.5
    assert linking.current_index().vectors is vectors
    assert float(linking.current_index().prior.max()) > 1
    cat.config.components.linking.frequency_weight = 0.0
    assert linking.current_index().prior is None
