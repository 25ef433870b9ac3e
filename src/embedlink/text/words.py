"""What a word is: every room splits text with the expressions of this module.

Some characters belong to the word that they follow though they are no letters: combining marks
("u" and an acute accent for "ú"), invisible ones such as the soft hyphen, and what stands for a
letter that was lost (control characters, lone surrogates, U+FFFD). A word is never cut at them.

`folded` is the form in which words are compared, `normal_form` that of surfaces and names.
"""

import re
import unicodedata

_MARKS = "\u0300-\u036f\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f"
_INVISIBLE = "\u00ad\u034f\u061c\u180e\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufe00-\ufe0f\ufeff"
_LOST = "\0-\x08\x0e-\x1b\x7f-\x84\x86-\x9f\ud800-\udfff\ufffd"

_MORE = rf"(?:[{_INVISIBLE}]*[\w{_MARKS}{_LOST}])*"  # what is invisible stands inside, not last

WORD = re.compile(rf"\w{_MORE}")
"""A run of letters, digits and underscores."""
LETTERS = re.compile(rf"[^\W_](?:[{_INVISIBLE}]*(?:[^\W_]|[{_MARKS}{_LOST}]))*")
"""A run of letters and digits: what spellings are compared by."""
WORD_OR_SIGN = re.compile(rf"\w{_MORE}|[^\w\s]")
"""A word, or one sign of any other kind: what the tagger tags."""
WORD_OR_SIGNS = re.compile(rf"\w{_MORE}|[^\w\s]+")
"""A word, or a run of other signs: what a context window counts."""
TOKEN = re.compile(rf"[^\W_]{_MORE}|(?:[^\w\s]|_)+")
"""A word that begins with a letter or a digit, or a run of signs: what detection reads."""

_INVISIBLES = re.compile(f"[{_INVISIBLE}]")
_UNREADABLE = re.compile("[\0\ud800-\udfff]")
_STRAIGHT = str.maketrans({"‘": "'", "’": "'", "‛": "'", "“": '"', "”": '"', "„": '"', "‟": '"'})


def folded(word: str) -> str:
    """A word as words are compared: lower case, composed, without invisible characters.

    Ligatures and the like become the letters that they stand for (Unicode's NFKC).
    """
    if word.isascii():
        return word.lower()
    shown = unicodedata.normalize("NFKC", _INVISIBLES.sub("", word))
    return unicodedata.normalize("NFKC", shown.lower())


def readable(text: str) -> str:
    """A text that every encoder's tokenizer takes, of the same length.

    Lone surrogates and NUL become U+FFFD, which no tokenizer refuses. Curly quotes become straight.
    """
    if text.isascii() and "\0" not in text:
        return text
    return _UNREADABLE.sub("\ufffd", text.translate(_STRAIGHT))


def normal_form(text: str) -> str:
    """A surface or a name as they are compared: its words `folded`, one blank between.

    MedCAT's names have no punctuation, so `X-linked ataxia` equals the name `x linked ataxia`.
    A text without any word is compared as it is, in lower case.
    """
    return " ".join(WORD.findall(folded(text))) or text.strip().lower()
