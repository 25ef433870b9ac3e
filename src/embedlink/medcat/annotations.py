"""Finds the characters that an annotator marked, given the tokens that MedCAT's trainer hands over.

The trainer turns an annotation into tokens. It also takes the token that starts at the end of the
annotation: `ALD/` for `ALD`. This happens to a third of the mentions in running text. Detection
sees the right span, so training must see it too. The annotated string is known from `names` in
older versions of MedCAT. In all versions the trainer adds it to the concept's original names first.
"""

from collections.abc import Iterable, Mapping, Sequence

from medcat.cdb import CDB
from medcat.tokenizing.tokens import MutableDocument, MutableEntity

from embedlink.types import Span


def annotated_span(doc: MutableDocument, entity: MutableEntity, strings: Iterable[str]) -> Span:
    """The span of an annotation in characters, given strings that the annotator may have marked.

    Only strings that read like the entity's name are compared. The longest string at the entity's
    start wins. A string that starts in the token before it was marked from inside a word.
    MedCATtrainer hands over an entity without a name, which may be the first token only. Then a
    string may reach beyond the entity, to the end of a word. If no string fits, the entity's tokens
    decide. The span is empty only if all that fits is a blank string.
    """
    text, start = doc.base.text, entity.base.start_char_index
    end = entity.base.end_char_index
    name = squashed(entity.detected_name)
    longest_first = sorted(set(strings), key=lambda string: (-len(string), string))
    fitting = [s for s in longest_first if s.strip() and (not name or squashed(s) == name)]
    # MedCAT takes the tokens that start within an annotation. So an annotation that starts inside a
    # word lacks its first token, but it starts no further left than that token.
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
    # A name may leave out words and letters ("NOS", a lone "ö"). Then any string at the start fits.
    for string in filter(at_start, longest_first):
        return Span(start, start + len(string.rstrip()))
    return _whole_tokens(doc, entity, name)


def _whole_tokens(doc: MutableDocument, entity: MutableEntity, name: str) -> Span:
    """The entity's first tokens that make up its name, or the whole entity if none do."""
    start, end = entity.base.start_char_index, entity.base.end_char_index
    # MedCAT's end index is the index of the last token, not of the one after it.
    for index in range(entity.base.start_index, min(entity.base.end_index + 1, len(doc))):
        token = doc[index].base
        stop = token.char_index + len(token.text)
        if name and stop <= end and squashed(doc.base.text[start:stop]) == name:
            return Span(start, stop)
    return Span(start, end)


def squashed(string: str) -> str:
    """The letters and digits of a string, without case. All forms of a name share them."""
    return "".join(filter(str.isalnum, string.casefold()))


def annotated_strings(cdb: CDB, cui: str, names: Sequence[str] | Mapping[str, object]) -> set[str]:
    """The strings that an annotation of this concept may have marked.

    `names` has the form that `train` receives. Prepared names know the string that they were made
    from. Without them, all original names of the concept are returned. The set is empty if the
    database lacks the concept.
    """
    given = names.values() if isinstance(names, Mapping) else ()
    raw = {str(name.raw_name) for name in given if hasattr(name, "raw_name")}
    info = cdb.cui2info.get(cui)
    return raw or set((info and info["original_names"]) or ())
