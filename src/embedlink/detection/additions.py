"""What is detected beyond the exact names, one function for each way.

The order of the calls decides. Exact names come first. Variants of names take the spans without an
exact name. Short forms that the document defines take the place of either, because the document
says what they mean. The tagger adds the spans that are left, and gives every span a probability.
"""

from medcat.tokenizing.tokens import MutableEntity

from embedlink.detection.entity_table import EntityTable, characters
from embedlink.detection.runs import word_runs
from embedlink.detection.spellings import NameVariants
from embedlink.detection.tagger import Tags
from embedlink.text.abbreviations import Abbreviation, abbreviations, occurrences
from embedlink.types import Span


def add_variants(table: EntityTable, variants: NameVariants, longest: int) -> None:
    """Detect names in another spelling, of at most `longest` content words."""
    variants.follow()
    for run in word_runs(table.tokens, variants.words, longest):
        loose = not any(word.joined for word in run[1:])
        names = variants.names([word.stem for word in run], any_order=loose)
        part = table.tokens[run[0].token : run[-1].token + 1] if names else []
        if part and characters(part) not in table.found:
            table.put(part, names[0], variants.candidates(names))


def add_short_forms(table: EntityTable) -> None:
    """Give short forms that the document defines the candidates of their long forms."""
    for abbreviation in abbreviations(table.text):
        meant = _meant(abbreviation, table)
        if meant is None:
            continue
        name, candidates = meant.detected_name, list(meant.link_candidates)
        for span in occurrences(table.text, abbreviation.short):
            part = table.tokens_of(span)
            if part:
                table.put(part, name, candidates)


def add_tagged(table: EntityTable, tags: Tags, least: float) -> None:
    """Detect what the tagger finds at least so probable, and set every span's probability.

    A span of the tagger's alone has no name and no candidates: the linker finds its concept.
    """
    for span, _ in tags.spans(least):
        part = table.tokens_of(span) if span not in table.found else []
        if part:
            table.put(part, "", [])
    for span, entity in table.found.items():
        entity.confidence = tags.probability(span)


def _meant(abbreviation: Abbreviation, table: EntityTable) -> MutableEntity | None:
    """What was detected for the long form, or for an end that is at least half of it.

    Its beginning says little: "Wiskott-Aldrich syndrome protein (WASP)".
    """
    start, end = abbreviation.long_span
    for at in range(start, (start + end) // 2 + 1):
        if Span(at, end) in table.found:
            return table.found[Span(at, end)]
    return None
