import math

import torch

from embedlink.linking.decision import FEATURES, LinkDecision, NameCounts


def test_counts_and_log_odds():
    name = torch.tensor([0, 0, 0, 1, -1])
    linked = torch.tensor([True, True, False, False, True])
    counts = NameCounts.of(name, linked, names=3)
    assert counts.detected.tolist() == [3, 1, 0]
    assert counts.linked.tolist() == [2, 0, 0]
    features = counts.features(torch.tensor([0, 2, -1]))
    assert features[:, 0].tolist() == [1, 0, 0]
    assert torch.allclose(features[:, 1], torch.tensor([math.log(2.5 / 1.5), 0, 0]))


def test_own_document_is_left_out():
    counts = NameCounts(torch.tensor([2.0]), torch.tensor([2.0]))
    own = (torch.tensor([2.0]), torch.tensor([2.0]))
    assert counts.features(torch.tensor([0]), without=own).tolist() == [[0, 0]]
    nameless = (torch.tensor([3.0]), torch.tensor([1.0]))
    assert counts.features(torch.tensor([-1]), without=nameless).tolist() == [[0, 0]]


def test_untrained_decision_links_everything_and_learns_to_separate():
    decision = LinkDecision(4)
    generator = torch.Generator().manual_seed(0)
    vectors = torch.nn.functional.normalize(torch.randn(64, 4, generator=generator), dim=1)
    features = torch.zeros(64, len(FEATURES))
    assert (torch.sigmoid(decision(vectors, features)) >= decision.threshold).all()
    labels = (vectors[:, 0] > 0).float()
    optimizer = torch.optim.Adam(decision.parameters(), lr=0.1)
    for _ in range(100):
        loss = torch.nn.functional.binary_cross_entropy_with_logits(
            decision(vectors, features), labels
        )
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert ((decision(vectors, features) > 0) == labels.bool()).float().mean() > 0.95


def test_the_calibration_differs_with_and_without_a_name_and_older_weights_load():
    decision = LinkDecision(4)
    torch.nn.init.normal_(decision.head.weight)
    vectors, features = torch.randn(3, 4), torch.randn(3, len(FEATURES))
    logits, tagged = decision(vectors, features), torch.tensor([2.0, 0.0, -4.0])
    named = torch.tensor([True, False, True])
    evidence = decision.evidence(vectors, features, tagged)
    assert torch.allclose(decision.probability(evidence, named), torch.sigmoid(logits))
    decision.calibration[1] = torch.tensor([0.5, 0.25, 2.0, -1.0])
    calibrated = torch.sigmoid(0.5 * logits + 0.25 * tagged + 2 * features[:, 0] - 1)
    expected = torch.where(named, calibrated, torch.sigmoid(logits))
    assert torch.allclose(decision.probability(evidence, named), expected)
    again = LinkDecision(4)
    again.load_state_dict(decision.state_dict())
    assert torch.equal(again.calibration, decision.calibration)
    older = {key: t for key, t in decision.state_dict().items() if key != "calibration"}
    again.load_state_dict(older)
    assert torch.allclose(again.probability(evidence, named), torch.sigmoid(logits))
    older |= {"scale": torch.tensor(0.5), "shift": torch.tensor(-1.0)}
    holder = torch.nn.ModuleDict({"decision": again})
    holder.load_state_dict({f"decision.{key}": tensor for key, tensor in older.items()})
    assert torch.allclose(again.probability(evidence, named), torch.sigmoid(0.5 * logits - 1))


def test_no_context_gives_more_than_the_greatest_probability():
    decision = LinkDecision(4)
    torch.nn.init.normal_(decision.head.weight)
    counts = torch.tensor([[1.0, 2.0], [0.0, 0.0]])
    several, tagged = torch.tensor([True, False]), torch.tensor([1.0, -3.0])
    named = torch.tensor([False, True])
    known = decision.without_context(several, counts, tagged)
    assert decision.most(known, named).tolist() == [1, 1]  # Nothing was measured yet.
    # One window with this similarity and margin adds what separates its evidence from the known.
    vectors = torch.nn.functional.normalize(torch.randn(2, 4), dim=1)
    context = torch.tensor([[0.6, 0.1], [0.4, 0.0]])
    features = torch.cat([context, several.float()[:, None], counts], 1)
    evidence = decision.evidence(vectors, features, tagged)
    decision.reach.copy_(decision.log_odds(evidence, named) - decision.log_odds(known, named))
    assert torch.allclose(decision.most(known, named), decision.probability(evidence, named))
    decision.forget_reach()
    assert decision.most(known, named).tolist() == [1, 1]


def test_a_decision_of_before_reach_was_measured_limits_nothing():
    older = LinkDecision(4).state_dict()
    del older["reach"]
    again = LinkDecision(4)
    again.reach.fill_(0.0)
    again.load_state_dict(older)
    assert again.reach.tolist() == [math.inf, math.inf]
