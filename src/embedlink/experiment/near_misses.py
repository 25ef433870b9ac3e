"""Suggests the keys that a misspelt key on the command line may have meant."""

from collections.abc import Sequence

from embedlink.experiment.registry import settings_by_key
from embedlink.experiment.settings import ENTRIES, GROUPS
from embedlink.settings import near_miss, settings_of


def near_misses(arguments: Sequence[str]) -> list[str]:
    """One line for each key that is not a setting but close to one. Other keys get no line."""
    known = {*settings_by_key(), *(group.group for group in GROUPS)}
    for entry in ENTRIES.values():
        known |= settings_of(entry).keys()
    found = []
    for argument in arguments:
        key, equals, _ = argument.lstrip("+~").partition("=")
        if equals and key not in known and (said := near_miss(key, sorted(known))):
            found.append(f"{key}: no such setting{said}")
    return found
