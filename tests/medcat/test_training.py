"""MedCAT's trainer trains the model that the LightningModule trains, by the same step."""

import copy
import shutil

import pytest
import torch
from medcat.cat import CAT
from medcat.stats.stats import get_stats
from torch.optim import AdamW

from embedlink.concepts.names import concept_names
from embedlink.detection.pipeline import VocabularyDetector
from embedlink.linking.mention_table import mention_table
from embedlink.objective.batch import TrainBatch
from embedlink.objective.losses import MarginalSoftmax
from embedlink.objective.objective import Objective
from embedlink.objective.optim import DECISION_LR, parameter_groups, step_seed
from embedlink.plugin import TRAINABLE
from embedlink.problems import EmbedLinkError
from tests.conftest import NOTES, document
from tests.medcat.conftest import entities, export, linking_of

KNOWN = [note[1:] for note in NOTES]


def run(cat, *notes, **options):
    cat.trainer.train_supervised_raw(export(*notes), disable_progress=True, **options)


def weights(cat):
    component = linking_of(cat)
    state = {**component.linker.encoder.state_dict(), **component.linker.decision.state_dict()}
    return {name: tensor.clone() for name, tensor in state.items()}


def same(a, b):
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


def probe(cat, monkeypatch):
    """The batches that training takes from now on."""
    sizes, inner = [], Objective.forward

    def forward(self, batch, generator):
        sizes.append(batch)
        return inner(self, batch, generator)

    monkeypatch.setattr(Objective, "forward", forward)
    return sizes


def test_training_changes_predictions_and_separates_the_senses(trainable):
    before = weights(trainable)
    run(trainable, *KNOWN, nepochs=12)
    found = [{cui for *_, cui, _ in entities(trainable, text)} for _, text, _ in NOTES[:2]]
    assert found == [{"C1", "C3"}, {"C2", "C4"}]
    assert not same(before, weights(trainable))


def test_batches_fill_across_documents_and_the_last_one_is_trained_on(trainable, monkeypatch):
    batches = probe(trainable, monkeypatch)
    run(trainable, *KNOWN)
    component = linking_of(trainable)
    assert {len(batch.gold) for batch in batches} == {4}
    waiting = len(component.training.waiting)
    full = len(batches)
    entities(trainable)
    assert component.training.waiting == []
    table = mention_table(
        [document(*note) for note in NOTES],
        VocabularyDetector(trainable.cdb, progress=False)([document(*note) for note in NOTES]),
        component.current_names(),
        component.linker.cutter,
    )
    total = sum(len(batch.gold) for batch in batches)
    assert total == len(table)
    assert total > 4 * full >= total - 4 - waiting


@pytest.mark.parametrize("finish", ["predict", "save", "hash", "pickle"])
def test_the_partial_batch_is_trained_on_before_use(trainable, tmp_path, monkeypatch, finish):
    import pickle

    trainable.config.components.linking.training_batch_size = 1000
    batches = probe(trainable, monkeypatch)
    run(trainable, *KNOWN[:2])
    assert batches == []
    if finish == "predict":
        entities(trainable)
    elif finish == "save":
        trainable.save_model_pack(str(tmp_path), "p", make_archive=False)
    elif finish == "hash":
        linking_of(trainable).get_hash()
    else:
        pickle.dumps(linking_of(trainable))
    assert len(batches) == 1


def test_all_that_waits_is_trained_on_where_batches_were_made_smaller(trainable, monkeypatch):
    config = trainable.config.components.linking
    config.training_batch_size = 1000
    batches = probe(trainable, monkeypatch)
    run(trainable, *KNOWN)
    config.training_batch_size = 3
    entities(trainable)
    sizes = [len(batch.gold) for batch in batches]
    assert len(sizes) > 2
    assert sizes[:-1] == [3] * (len(sizes) - 1)


def test_samples_are_those_of_the_mention_table(trainable, monkeypatch):
    trainable.config.components.linking.training_batch_size = 1000
    batches = probe(trainable, monkeypatch)
    run(trainable, *KNOWN)
    entities(trainable)
    (batch,) = batches
    documents = [document(*note) for note in NOTES]
    component = linking_of(trainable)
    found = VocabularyDetector(trainable.cdb, progress=False)(documents)
    table = mention_table(documents, found, component.current_names(), component.linker.cutter)
    # In their first epoch documents come in one by one, so "temperature" is a name by then only
    # of its own document: labels of what was detected before stay equal.
    assert torch.equal(batch.gold, table.gold)
    assert torch.equal(batch.detected, table.detected)
    assert torch.equal(batch.linked, table.linked)
    rows = table.windows.batch(torch.arange(len(table)))
    assert torch.equal(batch.windows.input_ids, rows.input_ids)
    assert torch.equal(batch.windows.mention_mask, rows.mention_mask)


def test_the_step_is_the_lightning_modules(make_cat):
    """Weights after MedCAT's training equal those of the objective, stepped by hand."""
    cat = make_cat(
        TRAINABLE, top_n_layers_to_unfreeze=1, training_batch_size=1000, learning_rate=1e-3,
        loss="marginal", seed=3,
    )  # fmt: skip
    component = linking_of(cat)
    run(cat, *KNOWN)
    linker = copy.deepcopy(component.linker)
    linker.encoder.unfreeze(1)
    component._close_document()
    index = linker.build_index(component.current_names())
    batch: TrainBatch = component.training._batch(
        component.training.waiting, component.current_names()
    )
    objective = Objective(linker, MarginalSoftmax())
    objective.use_index(index)
    optimizer = AdamW(parameter_groups(objective, 0.01), lr=1e-3)
    objective.train()
    with torch.random.fork_rng():
        torch.manual_seed(step_seed(3, 0))
        losses = objective(batch, torch.Generator().manual_seed(step_seed(3, 0)))
    losses.total.backward()
    torch.nn.utils.clip_grad_norm_(objective.parameters(), 1.0)
    optimizer.step()
    entities(cat)
    for (name, expected), got in zip(
        objective.encoder.state_dict().items(), component.linker.encoder.state_dict().values(),
        strict=True,
    ):  # fmt: skip
        torch.testing.assert_close(got, expected, msg=name)


def test_training_is_a_function_of_the_seed(make_cat, concept_table):
    from embedlink.concepts.database import load_cdb
    from embedlink.detection.pipeline import detection_config
    from embedlink.problems import Problems

    states = []
    for seed in (1, 1, 2):
        cdb = load_cdb(concept_table, Problems(), detection_config(min_name_len=2))
        cat = make_cat(
            TRAINABLE, cdb, top_n_layers_to_unfreeze=1, training_batch_size=4, seed=seed,
            learning_rate=1e-2, negative_sampling_k=1,
        )  # fmt: skip
        run(cat, *KNOWN)
        entities(cat)
        states.append(weights(cat))
    assert same(states[0], states[1])
    assert not same(states[0], states[2])


def test_new_names_and_concepts_are_in_the_index(trainable):
    run(trainable, ("Spiked a temperature; a rash too.", [("temperature", "C3"), ("rash", "C9")]))
    text = "A temperature and a rash."
    found = {text[s:e]: cui for s, e, cui, _ in entities(trainable, text)}
    assert found == {"temperature": "C3", "rash": "C9"}
    component = linking_of(trainable)
    torch.testing.assert_close(
        component.current_index().vectors,
        component.linker.build_index(component.current_names()).vectors,
    )


def test_spans_left_alone_teach_the_decision(trainable, monkeypatch):
    """`cold` is the weather in two notes of three: its link becomes the least probable."""
    run(trainable, *KNOWN, nepochs=15)
    doc = trainable("Left out in the cold. High fever.")
    cold, fever = sorted(doc.linked_ents, key=lambda entity: entity.base.start_char_index)
    assert cold.confidence < fever.confidence
    linking = trainable.config.components.linking
    linking.learn_from_unannotated = False
    batches = probe(trainable, monkeypatch)
    run(trainable, *KNOWN)
    entities(trainable)
    assert all(bool(batch.linked.all()) for batch in batches)


def test_rejected_spans_are_trained_on_and_never_undo_a_gold_one(trainable, monkeypatch):
    trainable.config.components.linking.training_batch_size = 1000
    batches = probe(trainable, monkeypatch)
    component = linking_of(trainable)
    doc = trainable("A cold day, and a fever.")
    cold, fever = doc.ner_ents
    component.train("C5", cold, doc, negative=True)
    component.train("C3", fever, doc)
    component.train("C3", fever, doc, negative=True)
    component.get_hash()
    (batch,) = batches
    assert batch.gold.tolist() == [-1, component.current_names().cui_row["C3"]]
    assert batch.detected.tolist() == [True, True]
    assert batch.linked.tolist() == [False, True]


def test_false_positives_of_medcats_trainer(trainable):
    """It calls nearly every annotation a false positive: they stay gold."""
    run(trainable, *KNOWN, train_from_false_positives=True, devalue_others=True)
    assert entities(trainable)


def test_add_and_train_concept(trainable, monkeypatch):
    batches = probe(trainable, monkeypatch)
    doc = trainable.pipe.tokenizer_with_tag("Spiked a temperature in the cold.")
    tokens = doc.get_tokens(9, 20)
    trainable.trainer.add_and_train_concept(
        "C3", "temperature", doc, trainable.pipe.entity_from_tokens_in_doc(tokens, doc)
    )
    linking_of(trainable).get_hash()
    (batch,) = batches
    assert batch.detected.tolist() == [True]  # Not "cold": the rest was not annotated.
    assert batch.linked.tolist() == [True]


def test_embedding_again_every_n_batches(trainable, monkeypatch):
    component, builds = linking_of(trainable), []
    inner = type(component.linker).build_index
    monkeypatch.setattr(
        type(component.linker), "build_index",
        lambda *given, **options: builds.append(1) or inner(*given, **options),
    )  # fmt: skip
    run(trainable, *KNOWN)
    assert len(builds) == 1
    trainable.config.components.linking.embed_per_n_batches = 1
    steps = component.training.steps
    run(trainable, *KNOWN)
    assert len(builds) == 1 + component.training.steps - steps


def test_a_frozen_encoder_needs_no_new_index(make_cat, monkeypatch):
    cat = make_cat(TRAINABLE, use_projection_layer=False, training_batch_size=4)
    entities(cat)
    index = linking_of(cat).current_index()
    run(cat, *KNOWN)
    torch.testing.assert_close(
        linking_of(cat).current_index().vectors[: len(index.vectors) // 2].shape[1], 32
    )
    assert not linking_of(cat).live._outdated


def test_fields_of_training_are_honoured(trainable, monkeypatch):
    linking = trainable.config.components.linking
    run(trainable, *KNOWN)
    training = linking_of(trainable).training
    linking.learning_rate, linking.weight_decay = 0.5, 0.25
    linking.negative_sampling_k, linking.negative_sampling_temperature = 3, 0.7
    linking.negative_sampling_candidate_pool_size, linking.nil_weight = 5, 0.125
    linking.train_on_names, linking.training_batch_size = False, 2
    batches = probe(trainable, monkeypatch)
    run(trainable, *KNOWN)
    rates = [group["lr"] for group in training._optimizer.param_groups]
    assert rates == [0.5, 0.5, DECISION_LR]
    decays = [group["weight_decay"] for group in training._optimizer.param_groups]
    assert decays == [0.25, 0.0, 0.0]  # Matrices; the rest; the link decision.
    loss = training._objective.loss
    assert (loss.k, loss.temperature, loss.pool_size) == (3, 0.7, 5)
    assert training._objective.nil_weight == 0.125
    assert len(training._objective._table.vectors) <= 6  # Concepts, and not their names.
    assert {len(batch.gold) for batch in batches} == {2}
    scale = loss.scale
    linking.loss = "marginal"
    run(trainable, *KNOWN)
    assert isinstance(training._objective.loss, MarginalSoftmax)
    assert training._objective.loss.scale is scale


def test_gradient_is_clipped(trainable, monkeypatch):
    norms = []
    monkeypatch.setattr(
        torch.nn.utils, "clip_grad_norm_", lambda parameters, norm: norms.append(norm)
    )
    run(trainable, *KNOWN)
    assert set(norms) == {1.0}
    trainable.config.components.linking.gradient_clip_val = 0
    norms.clear()
    run(trainable, *KNOWN)
    assert norms == []


def test_unfreezing_more_layers_keeps_weights_and_optimizer_state(trainable):
    run(trainable, *KNOWN)
    training = linking_of(trainable).training
    before, state = weights(trainable), dict(training._optimizer.state)
    trainable.config.components.linking.top_n_layers_to_unfreeze = 2
    training._prepared(linking_of(trainable).live.targets(())[1])
    assert same(before, weights(trainable))
    assert all(training._optimizer.state[p] is s for p, s in state.items())
    run(trainable, *KNOWN)
    assert len(training._optimizer.state) > len(state)


def test_a_switch_of_encoder_keeps_optimizer_and_index_consistent(
    trainable, tiny_encoder, tmp_path
):

    run(trainable, *KNOWN)
    component = linking_of(trainable)
    other = shutil.copytree(tiny_encoder, tmp_path / "other")
    component.load_transformers(str(other))
    torch.testing.assert_close(
        component.current_index().vectors,
        component.linker.build_index(component.current_names()).vectors,
    )
    run(trainable, *KNOWN)
    entities(trainable)
    optimised = {id(p) for g in component.training._optimizer.param_groups for p in g["params"]}
    trained = {id(p) for p in component.linker.encoder.parameters() if p.requires_grad}
    assert trained <= optimised
    assert component.training._objective.encoder is component.linker.encoder


def test_bfloat16_cannot_be_trained(make_cat):
    cat = make_cat(TRAINABLE, dtype="bfloat16", training_batch_size=1)
    with pytest.raises(EmbedLinkError, match="training needs float32"):
        run(cat, *KNOWN)


def test_the_trainer_reports_no_text(trainable, caplog):
    import logging

    with caplog.at_level(logging.DEBUG, "embedlink"):
        run(trainable, *KNOWN)
        entities(trainable)
    said = " ".join(r.getMessage() for r in caplog.records if r.name.startswith("embedlink"))
    assert not any(word in said for word in ("neuritis", "Murmur", "relapsing", "fever"))


def test_upstreams_scenario(trainable, tmp_path):
    """Create, embed, train from an export with statistics each epoch, save, load, filter."""
    component = linking_of(trainable)
    component.create_embeddings()
    scores = []
    for _ in range(4):
        run(trainable, *KNOWN, nepochs=2)
        stats = get_stats(trainable, export(*KNOWN), do_print=False)
        fp, fn, tp = (sum(counts.values()) for counts in stats[:3])
        scores.append(2 * tp / (2 * tp + fp + fn))
    assert scores[-1] > 0.6
    saved = trainable.save_model_pack(str(tmp_path), "pack", add_hash_to_pack_name=False)
    loaded = CAT.load_model_pack(saved)
    assert entities(loaded) == entities(trainable)
    filters = loaded.config.components.linking.filters
    filters.cuis = {"C3"}
    assert {cui for *_, cui, _ in entities(loaded)} == {"C3"}
    filters.cuis, filters.cuis_exclude = set(), {"C3"}
    assert "C3" not in {cui for *_, cui, _ in entities(loaded)}
    run(loaded, *KNOWN)
    assert not same(weights(loaded), weights(trainable))


def test_filters_of_a_project_hold_for_its_last_document(trainable, monkeypatch):
    batches = probe(trainable, monkeypatch)
    text = "Fever and a cold."
    data = export((text, [("Fever", "C3")]), cuis="C3")
    data["projects"] += export((text, [("cold", "C5")]), project="q", cuis="C5")["projects"]
    trainable.trainer.train_supervised_raw(data, disable_progress=True, use_filters=True)
    entities(trainable, text)
    # In each project the other's concept is hidden: left alone in neither.
    detected = torch.cat([batch.detected for batch in batches])
    linked = torch.cat([batch.linked for batch in batches])
    assert (int(detected.sum()), int(linked.sum())) == (2, 2)


def test_another_linker_of_the_same_encoder_brings_its_own_vectors(make_cat, linker, cdb, tmp_path):
    for name in ("one", "two"):
        names = concept_names(cdb)
        linker.save(tmp_path / name, names, linker.build_index(names, progress=None))
        with torch.no_grad():
            for parameter in linker.encoder.parameters():
                parameter += 0.3 * torch.randn_like(parameter)
    cat = make_cat(embedding_model_name=str(tmp_path / "one"))
    component = linking_of(cat)
    before = component.current_index().vectors
    component.load_transformers(str(tmp_path / "two"))
    after = component.current_index().vectors
    assert not torch.allclose(before, after)
    torch.testing.assert_close(
        after, component.linker.build_index(component.current_names()).vectors
    )
