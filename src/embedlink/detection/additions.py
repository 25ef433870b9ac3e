"""What is detected beyond the exact names, one function for each way.

The order of the calls decides. Exact names come first. Variants of names take the spans without an
exact name. Guards take away what only looks like a name. The tagger adds the spans that are left.
Short forms that the document defines replace all of these, because the document says what they
mean.
"""

from bisect import bisect_left
from collections.abc import Iterator

from medcat.tokenizing.tokens import MutableEntity

from embedlink.detection.entity_table import EntityTable, characters
from embedlink.detection.guards import (
    begins_a_word,
    is_name_in_small_letters,
    is_part_of_names,
    is_well_cut,
    says_nothing,
)
from embedlink.detection.runs import word_runs
from embedlink.detection.spellings import NameVariants
from embedlink.detection.tagger import Tags
from embedlink.text.abbreviations import Abbreviation, abbreviations, occurrences
from embedlink.types import Span

_PROBABLE = 0.5
"""The least probability of a longer span that takes a shorter one away."""
_LIKELY = 0.25
"""If a long form is a mention, the tagger gives its end at least this probability."""


def add_variants(table: EntityTable, variants: NameVariants, longest: int) -> None:
    """Detect names in another spelling, of at most `longest` content words."""
    for run in word_runs(table.tokens, variants.words, longest):
        loose = not any(word.joined for word in run[1:])
        apart = [at for at, word in enumerate(run) if word.apart]
        names = variants.names([word.word for word in run], any_order=loose, apart=apart)
        part = table.tokens[run[0].token : run[-1].token + 1] if names else []
        if part and characters(part) not in table.found:
            table.put(part, names[0], variants.candidates(names))


def drop_false_names(table: EntityTable, variants: NameVariants) -> None:
    """Take away names that are cut out of a word, and short forms that lack their capitals."""
    for span in list(table.found):
        surface = table.text[span.start : span.end]
        if not is_well_cut(table.text, span) or is_name_in_small_letters(variants.cdb, surface):
            del table.found[span]


def add_tagged(
    table: EntityTable, tags: Tags, variants: NameVariants, least: float, least_letters: int
) -> None:
    """Detect the tagger's spans with at least this probability, unless a guard refuses them.

    A span that only the tagger found has no name and no candidates, so the linker finds its
    concept.
    """
    for span, _ in tags.spans(least):
        surface = table.text[span.start : span.end]
        if (
            span not in table.found
            and is_well_cut(table.text, span)
            and begins_a_word(table.text, span)
            and not says_nothing(surface, least_letters)
            and not is_name_in_small_letters(variants.cdb, surface)
            and not is_part_of_names(variants, surface)
        ):
            part = table.tokens_of(span)
            if part:
                table.put(part, "", [])


def define_short_forms(table: EntityTable, tags: Tags | None, variants: NameVariants) -> None:
    """Let every short form that the document defines mean its long form, wherever it stands.

    It gets the name and the candidates of the long form. If nothing was detected for the long form,
    the tagger is asked. If it sees a mention there, the short form is detected without candidates,
    and the linker compares its long form with all names. Otherwise the short form keeps its own
    candidates if one of their names has at least half of the long form's words. If none has, the
    short form means something that the database lacks, and is not detected.
    """
    defined = abbreviations(table.text)
    places = occurrences(table.text, [abbreviation.short for abbreviation in defined])
    held = _Held(table)
    for abbreviation in defined:
        if abbreviation.loose and held.any_in(abbreviation.long_span):
            continue  # A remark on a mention looks like such a definition.
        meant = _meant(abbreviation, table)
        likely = tags is not None and tags.reaches(abbreviation.long_span) >= _LIKELY
        for span in places[abbreviation.short]:
            part = table.tokens_of(span)
            if part and meant is not None:
                table.put(part, meant.detected_name, meant.link_candidates)
            elif span in table.found:
                own = table.found[span].link_candidates
                if part and likely:
                    table.put(part, "", [])
                elif not variants.share_words(own, abbreviation.long):
                    del table.found[span]


def prefer_longer(table: EntityTable, tags: Tags, least: float) -> None:
    """Take away spans if the tagger believes in a longer one with the same end.

    A span stays if the tagger itself finds it at least `least` probable.
    """
    longest: dict[int, float] = {}
    for span in sorted(table.found):  # The longer of two with one end come first.
        probability = tags.probability(span)
        if probability < least and longest.get(span.end, 0.0) >= _PROBABLE:
            del table.found[span]
        else:
            longest[span.end] = max(longest.get(span.end, 0.0), probability)


def set_probabilities(table: EntityTable, tags: Tags) -> None:
    """Store in every entity the probability that the tagger gives its span."""
    for span, entity in table.found.items():
        entity.confidence = tags.probability(span)


def _meant(abbreviation: Abbreviation, table: EntityTable) -> MutableEntity | None:
    """The entity that was detected for the long form. One with a name comes first."""
    found = list(_ends(abbreviation, table))
    named = [entity for entity in found if entity.detected_name]
    return next(iter([*named, *found]), None)


def _ends(abbreviation: Abbreviation, table: EntityTable) -> Iterator[MutableEntity]:
    """The entities that end a long form and are at least half of it, the longest first.

    The beginning of a long form says little: "Wiskott-Aldrich syndrome protein (WASP)".
    """
    start, end = abbreviation.long_span
    for at in range(start, (start + end) // 2 + 1):
        if Span(at, end) in table.found:
            yield table.found[Span(at, end)]


class _Held:
    """The spans of the entities, sorted, to find out whether a longer span holds one."""

    def __init__(self, table: EntityTable) -> None:
        self._spans = sorted(table.found)

    def any_in(self, span: Span) -> bool:
        """Whether an entity lies inside this span."""
        first = bisect_left(self._spans, (span.start, -1))
        last = bisect_left(self._spans, (span.end, -1))
        return any(inner.end <= span.end for inner in self._spans[first:last])
