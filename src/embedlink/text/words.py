"""What a word is: every room splits text with the expressions of this module.

`normal_form` is the form in which surfaces and names are compared.
"""

import re

WORD = re.compile(r"\w+")
"""A run of letters, digits and underscores."""
LETTERS = re.compile(r"[^\W_]+")
"""A run of letters and digits: what spellings are compared by."""
WORD_OR_SIGN = re.compile(r"\w+|[^\w\s]")
"""A word, or one sign of any other kind: what the tagger tags."""
WORD_OR_SIGNS = re.compile(r"\w+|[^\w\s]+")
"""A word, or a run of other signs: what a context window counts, as MedCAT does."""


def normal_form(text: str) -> str:
    """A surface or a name as they are compared: its words in lower case, one blank between.

    MedCAT's names have no punctuation, so `X-linked ataxia` equals the name `x linked ataxia`.
    A text without any word is compared as it is, in lower case.
    """
    return " ".join(WORD.findall(text.lower())) or text.strip().lower()
