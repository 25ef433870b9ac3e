"""A misspelt key is told with the one that it may mean, and a right one never."""

import pytest

from embedlink.experiment.near_misses import near_misses


def test_a_misspelt_key_is_told_with_its_neighbour():
    assert near_misses(["unfreze=2"]) == ["unfreze: no such setting; did you mean unfreeze?"]


@pytest.mark.parametrize(
    "key", ["baseline", "linker", "part", "target", "seed", "objective", "detection.tagger.lr"]
)
def test_a_key_of_any_entry_is_no_miss(key):
    assert near_misses([f"{key}=x"]) == []
