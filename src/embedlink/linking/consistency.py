"""One surface, one meaning within a note, unless its context differs clearly.

What a mention's context says of its meaning is drawn towards what the contexts of the same surface
in the same note say. A note that writes "MS" five times rarely means two things by it. But if one
context is very different from the others, it still decides for itself.
"""

from collections.abc import Iterable, Iterator

import torch
from torch import Tensor
from torch.nn import functional as F

from embedlink.text.words import normal_form


def surfaces_of(documents: Iterable[tuple[str, Iterable[tuple[int, int]]]]) -> Tensor:
    """A number for each span. Spans of one document with the same surface share it.

    Takes pairs of a text and its spans in characters. Case counts if there are capitals behind the
    first letter, because "MS" and "Ms" differ, and "Asthma" and "asthma" do not.

    Returns: (spans,) int64
    """
    numbers: dict[tuple[int, str], int] = {}
    keys = _keys(documents)
    return torch.tensor([numbers.setdefault(key, len(numbers)) for key in keys], dtype=torch.int64)


def _keys(
    documents: Iterable[tuple[str, Iterable[tuple[int, int]]]],
) -> Iterator[tuple[int, str]]:
    for document, (text, spans) in enumerate(documents):
        for start, end in spans:
            surface = text[start:end]
            small = surface[1:] == surface[1:].lower()
            yield document, normal_form(surface) if small and end - start > 2 else surface


def drawn_together(vectors: Tensor, surface: Tensor, weight: float) -> Tensor:
    """Each vector, moved towards the mean of the vectors with the same surface.

    With weight 0 every mention keeps its own vector. With weight 1 they are all equal to the mean.

    Shape: vectors (mentions, dim) of length 1
    Shape: surface (mentions,) from `surfaces_of`
    Returns: (mentions, dim) of length 1
    """
    if not weight or len(surface) < 2:
        return vectors
    groups, group, sizes = torch.unique(surface, return_inverse=True, return_counts=True)
    if len(groups) == len(surface):  # No surface occurs twice.
        return vectors
    means = vectors.new_zeros(len(groups), vectors.shape[1]).index_add_(0, group, vectors)
    drawn = (1 - weight) * vectors + weight * (means / sizes[:, None])[group]
    # Opposite vectors have no mean direction. They keep their own.
    return torch.where((sizes > 1)[group][:, None], F.normalize(drawn, dim=1), vectors)
