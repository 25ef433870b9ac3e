"""Order among scored entries."""

import torch

from embedlink.index.ranking import Hits, first_of_each, order_by, place_in_group, table_of_hits


def test_entries_are_sorted_by_the_first_key_then_by_the_next():
    generator = torch.Generator().manual_seed(0)
    keys = [torch.randint(0, 4, (200,), generator=generator) for _ in range(3)]
    expected = sorted(range(200), key=lambda at: [int(key[at]) for key in keys])
    assert order_by(*keys).tolist() == expected  # `sorted` is stable, too.


def test_negated_scores_put_the_best_first_and_keep_equal_ones():
    scores = torch.tensor([0.5, 0.9, 0.5, -torch.inf, 0.9])
    assert order_by(-scores).tolist() == [1, 4, 0, 2, 3]


def test_places_count_from_the_start_of_each_group():
    assert place_in_group(torch.tensor([3, 3, 5, 7, 7, 7])).tolist() == [0, 1, 0, 0, 1, 2]
    assert len(place_in_group(torch.tensor([]))) == 0


def test_the_first_of_each_key_keeps_the_order_of_entries():
    assert first_of_each(torch.tensor([4, 1, 4, 2, 1, 4])).tolist() == [0, 1, 3]


def test_a_table_holds_the_first_entries_of_each_query():
    query, score = torch.tensor([0, 0, 0, 2]), torch.tensor([0.9, 0.8, 0.7, 0.6])
    hits = table_of_hits(query, score, torch.tensor([5, 6, 7, 8]), queries=3, k=2)
    assert hits.rows.tolist() == [[5, 6], [-1, -1], [8, -1]]
    assert hits.scores[1].tolist() == [-torch.inf, -torch.inf]


def test_other_scores_reorder_the_first_hits_alone():
    hits = Hits(torch.tensor([[0.9, 0.8, 0.7]]), torch.tensor([[5, 6, 7]]))
    again = hits.reordered(torch.tensor([[0.1, 0.2]]))
    assert again.rows.tolist() == [[6, 5, 7]]
    assert torch.equal(again.scores, hits.scores[:, [1, 0, 2]])
    assert hits.reordered(torch.tensor([[0.3, 0.3]])).rows.tolist() == [[5, 6, 7]]
