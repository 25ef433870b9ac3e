"""The context model: every architecture, every shortcut, the same vectors."""

import pytest
import torch
from transformers import (
    BertConfig,
    BertModel,
    DistilBertConfig,
    DistilBertModel,
    ElectraConfig,
    ElectraModel,
    MPNetConfig,
    MPNetModel,
    RobertaConfig,
    RobertaModel,
)

import embedlink.encoder.context as encoder_module
from embedlink.device import has_bfloat16
from embedlink.encoder.context import ContextEncoder
from embedlink.encoder.layers import encoder_layers, lower_part
from embedlink.encoder.narrowing import can_narrow
from embedlink.encoder.pretrained import layer_count, load_encoder
from embedlink.encoder.tokens import TokenSequences, tokenise_names
from embedlink.linking.linker import Linker
from embedlink.linking.settings import LinkerSettings
from embedlink.problems import EmbedLinkError

SIZES = {"vocab_size": 60, "hidden_size": 32, "num_attention_heads": 4}
DEEP = {**SIZES, "num_hidden_layers": 3, "intermediate_size": 64, "max_position_embeddings": 64}
MAKERS = {
    "bert": lambda: BertModel(BertConfig(**DEEP), add_pooling_layer=False),
    "roberta": lambda: RobertaModel(RobertaConfig(**DEEP), add_pooling_layer=False),
    "electra": lambda: ElectraModel(ElectraConfig(**DEEP, embedding_size=16)),
    "mpnet": lambda: MPNetModel(MPNetConfig(**DEEP), add_pooling_layer=False),
    "distilbert": lambda: DistilBertModel(
        DistilBertConfig(vocab_size=60, dim=32, n_layers=3, n_heads=4, hidden_dim=64)
    ),
}


@pytest.fixture(params=MAKERS)
def model(request):
    torch.manual_seed(0)
    return MAKERS[request.param]()


@pytest.fixture
def windows():
    """Windows of 8 to 24 tokens, mentions of one to three; none of the ids is padding's."""
    generator = torch.Generator().manual_seed(1)
    ids, mentions = [], []
    for _ in range(30):
        length = int(torch.randint(8, 25, (), generator=generator))
        ids.append(torch.randint(4, 60, (length,), generator=generator).tolist())
        first = int(torch.randint(1, length - 4, (), generator=generator))
        mentions.append((first, first + 1 + int(torch.randint(0, 3, (), generator=generator))))
    return TokenSequences.of(ids, mentions, pad_id=1)


def plain(encoder, windows):
    """Vectors one window at a time, by the whole model, without any shortcut."""
    rows = []
    for row in range(len(windows)):
        batch = windows.batch(torch.tensor([row]))
        states = encoder.language_model(batch.input_ids, batch.attention_mask).last_hidden_state
        mask = batch.mention_mask if encoder.pooling == "mention" else batch.attention_mask
        rows.append(encoder.project((states * mask[..., None]).sum(1) / mask.sum(1, keepdim=True)))
    return torch.cat(rows)


@pytest.mark.parametrize("pooling", ["mention", "window"])
def test_batches_and_shortcuts_change_nothing(model, windows, pooling):
    encoder = ContextEncoder(model, pooling, projection=True).eval()
    with torch.no_grad():
        expected = plain(encoder, windows)
    for budget in (16, 200, 100_000):
        torch.testing.assert_close(encoder.encode(windows, budget), expected, atol=1e-5, rtol=0)


def test_the_last_layer_keeps_to_the_mention_where_it_can(model):
    assert can_narrow(encoder_layers(model)[-1]) == (
        type(model).__name__ in ("BertModel", "RobertaModel", "ElectraModel")
    )


@pytest.mark.parametrize("layers", [1, 2, 3])
def test_gradients_from_cached_states_are_those_of_the_whole_model(
    model, windows, layers, monkeypatch
):
    encoder = ContextEncoder(model, unfreeze=layers).eval()
    batch = windows.batch(torch.arange(12))
    with torch.no_grad():
        states = encoder.states(batch, without=layers)
    weights = torch.randn(12, 32, generator=torch.Generator().manual_seed(0))
    (encoder(batch._replace(states=states, layers=layers)) * weights).sum().backward()
    cached = {name: p.grad for name, p in encoder.named_parameters() if p.grad is not None}
    encoder.zero_grad(set_to_none=True)
    monkeypatch.setattr(encoder_module, "can_narrow", lambda layer: False)
    (encoder(batch) * weights).sum().backward()
    whole = {name: p.grad for name, p in encoder.named_parameters() if p.grad is not None}
    assert cached.keys() <= whole.keys()
    for name, gradient in whole.items():
        if name in cached:
            torch.testing.assert_close(cached[name], gradient, atol=1e-4, rtol=1e-3)
        else:  # Keys' biases and the like, whose gradient is nothing but rounding.
            assert gradient.abs().max() < 1e-4


def test_parts_of_a_model_leave_it_whole(model):
    layers = len(encoder_layers(model))
    part = lower_part(model, 1)
    assert len(encoder_layers(part)) == layers - 1
    assert len(encoder_layers(model)) == layers
    assert encoder_layers(part)[0] is encoder_layers(model)[0]


def test_dropout_stays_out_of_frozen_layers(model, windows):
    encoder = ContextEncoder(model, unfreeze=1).train()
    batch = windows.batch(torch.arange(4))
    below = [encoder.states(batch, without=1) for _ in range(2)]
    assert torch.equal(below[0], below[1])
    assert not torch.equal(encoder(batch), encoder(batch))


def test_encoding_leaves_the_mode_and_no_inference_tensor(linker, windows):
    linker.encoder.train()
    vectors = linker.encoder.encode(windows)
    assert linker.encoder.training
    assert not vectors.is_inference()


def test_bfloat16_is_close(linker, windows):
    exact = linker.encoder.encode(windows, precision="float32")
    rough = linker.encoder.encode(windows, precision="bfloat16")
    assert (exact * rough).sum(1).min() > 0.999
    chosen = linker.encoder.encode(windows, precision="auto")
    assert torch.equal(chosen, rough if has_bfloat16(torch.device("cpu")) else exact)


def test_unfreeze_takes_the_top(linker):
    encoder = linker.encoder
    for layers, expected in ((0, set()), (2, {2, 3})):
        encoder.unfreeze(layers)
        stack = encoder_layers(encoder.language_model)
        free = {n for n, layer in enumerate(stack) if next(layer.parameters()).requires_grad}
        assert free == expected
    encoder.unfreeze(-1)
    assert all(p.requires_grad for p in encoder.parameters())
    with pytest.raises(EmbedLinkError, match="unfreeze=5 is out of range"):
        encoder.unfreeze(5)


def test_an_identity_projection_starts_without_effect(tiny_encoder, windows):
    plainly, _ = load_encoder(str(tiny_encoder))
    one, other = ContextEncoder(plainly), ContextEncoder(plainly, projection=True)
    torch.testing.assert_close(one.encode(windows), other.encode(windows))


def test_a_missing_encoder_is_named(tmp_path):
    with pytest.raises(EmbedLinkError, match=r"cannot be loaded"):
        load_encoder(str(tmp_path / "none"))
    (tmp_path / "empty").mkdir()
    with pytest.raises(EmbedLinkError, match="this folder holds no encoder"):
        load_encoder(str(tmp_path / "empty"))


def test_layers_are_counted_without_weights(tiny_encoder):
    assert layer_count(str(tiny_encoder)) == 4


def test_a_mention_equal_to_a_name_comes_nearer_the_more_its_surface_weighs(tiny_encoder):
    def similarity(weight):
        torch.manual_seed(0)
        settings = LinkerSettings(str(tiny_encoder), max_tokens=32, surface_weight=weight)
        linker = Linker.untrained(settings)
        mention = linker.encoder.encode(linker.cutter([("No fever today.", [(3, 8)])]))
        name = linker.encoder.encode(tokenise_names(linker.tokenizer, ["fever"], 32))
        assert torch.isclose(mention.norm(), torch.tensor(1.0))
        return float(mention @ name.T)

    assert similarity(0.0) < similarity(1.0) < similarity(10.0)
    assert similarity(1e4) == pytest.approx(1.0, abs=1e-4)


def encode_as(rank, folder, encoder_folder):
    torch.distributed.init_process_group(
        "gloo", init_method=f"file://{folder}/meeting", rank=rank, world_size=2
    )
    linker = Linker.untrained(LinkerSettings(str(encoder_folder), max_tokens=32))
    names = [f"{word} {number}" for word in ("fever", "cold", "ms") for number in range(20)]
    tokens = tokenise_names(linker.tokenizer, names, 32)
    seen = []
    run = linker.encoder.run

    def counted(compute, sequences, **rest):
        for rows, result in run(compute, sequences, **rest):
            seen.append(len(rows))
            yield rows, result

    linker.encoder.run = counted
    vectors = linker.encoder.encode(tokens, token_budget=32, together=True)
    whole = linker.encoder.encode(tokens, token_budget=32)
    torch.save((vectors, whole, sum(seen) - len(names)), f"{folder}/{rank}.pt")
    torch.distributed.destroy_process_group()


def test_several_processes_encode_their_share_each(tiny_encoder, tmp_path):
    arguments = (str(tmp_path), str(tiny_encoder))
    torch.multiprocessing.start_processes(encode_as, arguments, nprocs=2, start_method="forkserver")
    parts = [torch.load(tmp_path / f"{rank}.pt") for rank in range(2)]
    for vectors, whole, own in parts:
        torch.testing.assert_close(vectors, whole)
        assert 0 < own < 60
    assert sum(own for *_, own in parts) == 60
