"""What a word is: every room splits text with the expressions of this module.

Some characters are not letters but belong to the word before them. They are combining marks ("u"
and an acute accent for "ú"), invisible ones such as the soft hyphen, and signs that replace a lost
letter (control characters, lone surrogates, U+FFFD). A word is never cut at them.

Words are compared in the form `folded`, surfaces and names in `normal_form`.
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
"""A run of letters and digits. Spellings are compared by these."""
WORD_OR_SIGN = re.compile(rf"\w{_MORE}|[^\w\s]")
"""A word, or one sign of any other kind. The tagger tags these."""
WORD_OR_SIGNS = re.compile(rf"\w{_MORE}|[^\w\s]+")
"""A word, or a run of other signs. A context window counts these."""
TOKEN = re.compile(rf"[^\W_]{_MORE}|(?:[^\w\s]|_)+")
"""A word that begins with a letter or a digit, or a run of signs. Detection reads these."""

_INVISIBLES = re.compile(f"[{_INVISIBLE}]")
_UNREADABLE = re.compile("[\0\ud800-\udfff]")
_STRAIGHT = str.maketrans({"‘": "'", "’": "'", "‛": "'", "“": '"', "”": '"', "„": '"', "‟": '"'})


def folded(word: str) -> str:
    """A word in the form in which words are compared.

    It is in lower case, composed, and without invisible characters. Ligatures and similar signs
    become the letters that they stand for (Unicode's NFKC).
    """
    if word.isascii():
        return word.lower()
    shown = unicodedata.normalize("NFKC", _INVISIBLES.sub("", word))
    return unicodedata.normalize("NFKC", shown.lower())


def readable(text: str) -> str:
    """A text that every encoder's tokenizer accepts, of the same length.

    Lone surrogates and NUL become U+FFFD. Curly quotes become straight.
    """
    if text.isascii() and "\0" not in text:
        return text
    return _UNREADABLE.sub("\ufffd", text.translate(_STRAIGHT))


def normal_form(text: str) -> str:
    """A surface or name in the form in which they are compared: `folded` words, one blank between.

    MedCAT's names have no punctuation, so `X-linked ataxia` equals the name `x linked ataxia`. If a
    text has no word, it is compared as it is, in lower case.
    """
    return " ".join(WORD.findall(folded(text))) or text.strip().lower()
