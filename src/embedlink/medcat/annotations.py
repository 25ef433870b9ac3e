"""The characters that an annotator marked, out of what MedCAT's trainer hands over.

The trainer turns an annotation into tokens, and with them takes the token that starts where the
annotation ends: `ALD/` for `ALD`, for a third of the mentions of running text. Detection sees
the right span, so training must too. The annotated string is known: as `names` (older MedCAT),
and because the trainer adds it to the concept's original names before it trains.
"""

from collections.abc import Iterable, Mapping, Sequence

from medcat.cdb import CDB
from medcat.tokenizing.tokens import MutableDocument, MutableEntity

from embedlink.types import Span


def annotated_span(doc: MutableDocument, entity: MutableEntity, strings: Iterable[str]) -> Span:
    """The annotation's own characters, given strings that it may have been.

    Of the strings that read like the entity's name, the longest at its start wins; one that
    starts within the token before is an annotation that starts inside a word. An entity without a
    name may be the first token of its annotation alone, which is what MedCATtrainer hands over:
    then a string may reach beyond it, to the end of a word. If no string is found, the entity's
    tokens decide. The span counts characters of the document; it is empty only if a blank string
    is all that fits.
    """
    text, start = doc.base.text, entity.base.start_char_index
    end = entity.base.end_char_index
    name = squashed(entity.detected_name)
    longest_first = sorted(set(strings), key=lambda string: (-len(string), string))
    fitting = [s for s in longest_first if s.strip() and (not name or squashed(s) == name)]
    # MedCAT takes the tokens that start within an annotation. One that starts inside a word thus
    # lacks its first token, but begins no further left than that token does.
    before = entity.base.start_index - 1
    low = doc[before].base.char_index if before >= 0 else 0

    def at_start(string: str) -> bool:
        stop = start + len(string)
        beyond = not name and not text[stop : stop + 1].isalnum()
        return text.startswith(string, start) and (stop <= end or beyond)

    for string in filter(at_start, fitting):
        return Span(start, start + len(string))
    for string in fitting:
        at = text.find(string, low, end)
        if at >= 0:
            return Span(at, at + len(string))
    # Names leave some words and letters out ("NOS", a lone "ö"): then any string will do.
    for string in filter(at_start, longest_first):
        return Span(start, start + len(string.rstrip()))
    return _whole_tokens(doc, entity, name)


def _whole_tokens(doc: MutableDocument, entity: MutableEntity, name: str) -> Span:
    """The entity's first tokens as far as its name goes; all of it where that says nothing."""
    start, end = entity.base.start_char_index, entity.base.end_char_index
    # MedCAT's end index is that of the last token, not the one after it.
    for index in range(entity.base.start_index, min(entity.base.end_index + 1, len(doc))):
        token = doc[index].base
        stop = token.char_index + len(token.text)
        if name and stop <= end and squashed(doc.base.text[start:stop]) == name:
            return Span(start, stop)
    return Span(start, end)


def squashed(string: str) -> str:
    """Letters and digits alone, without case: what is left of a name in every form of it."""
    return "".join(filter(str.isalnum, string.casefold()))


def annotated_strings(cdb: CDB, cui: str, names: Sequence[str] | Mapping[str, object]) -> set[str]:
    """What an annotation of this concept may have marked; `names` as `train` receives them.

    Prepared names know the string that they were made from; without them every original name of
    the concept may be it. Empty for a concept that the database lacks.
    """
    given = names.values() if isinstance(names, Mapping) else ()
    raw = {str(name.raw_name) for name in given if hasattr(name, "raw_name")}
    info = cdb.cui2info.get(cui)
    return raw or set((info and info["original_names"]) or ())
