"""What mentions are compared with in training."""

import torch
from torch.nn import functional as F

from embedlink.index.concept_index import ConceptIndex
from embedlink.objective.negatives import HIDDEN, NEGATIVE, POSITIVE
from embedlink.objective.targets import TargetTable
from embedlink.ragged import Groups


def test_a_shared_name_is_no_negative_to_any_of_its_concepts():
    # "ms" of both concepts, which represents the first; a name of each; one of a third.
    concepts_of_name = Groups.of([[0, 1], [0], [1], [2]])
    distinct = Groups.of([[1], [2], [3]])
    vectors = F.normalize(torch.randn(4, 8), dim=1)
    index = ConceptIndex(vectors, torch.tensor([0, 2, 3]), concepts_of_name, distinct)
    gold, none = torch.tensor([0, 1, 2]), torch.full((3,), -1)
    for targets, rows in (("names", [0, 1, 2, 3]), ("cuis", [0, 2, 3])):
        table = TargetTable.of(index, targets=targets, sequences=None, device=torch.device("cpu"))
        labels = table.labels(gold, none)
        every = torch.tensor([
            [POSITIVE, POSITIVE, NEGATIVE, NEGATIVE],
            [HIDDEN, NEGATIVE, POSITIVE, NEGATIVE],
            [NEGATIVE, NEGATIVE, NEGATIVE, POSITIVE],
        ])  # fmt: skip
        assert labels.tolist() == every[:, rows].tolist()
