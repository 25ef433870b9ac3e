"""MedCAT's regex tokenizer for letters of every alphabet.

MedCAT's own tokenizer knows only the letters a to z. If a word begins with another letter, that
letter is cut off and taken for punctuation: "úlcera" is read as "lcera". Here a token is a word or
a run of signs (`text.words.TOKEN`), and only signs are punctuation. For texts in ASCII both
tokenizers give the same. `plugin` registers both classes of this module. A pack names them, and
MedCAT finds them.
"""

import re
from collections.abc import Sequence
from typing import Self, cast

from medcat.components.tagging.tagger import TagAndSkipTagger
from medcat.config import Config
from medcat.config.config import Preprocessing
from medcat.tokenizing.regex_impl.tokenizer import (
    Document,
    RegexTokenizer,
    Token,
    _entity_from_tokens,
)
from medcat.tokenizing.tokens import MutableDocument, MutableEntity, MutableToken

from embedlink.plugin import TAGGING
from embedlink.text.words import TOKEN, folded


class WordToken(Token):
    """A token that is compared in its folded form. Its text stays as written."""

    def __init__(self, doc: Document, text: str, with_blank: str, start: int, row: int) -> None:
        self._folded = folded(text)
        super().__init__(doc, text, with_blank, start, row, False, False)

    @property
    def lower(self) -> str:
        """Lower case, with composed letters and without invisible characters."""
        return self._folded


class WordTokenizer(RegexTokenizer):
    """Cuts a text into words and runs of signs."""

    def __call__(self, text: str) -> MutableDocument:
        """The tokens of a text, each with the blank behind it, if there is one."""
        doc = Document(text)
        for row, match in enumerate(TOKEN.finditer(text)):
            start, end = match.span()
            with_blank = text[start : end + 1] if text[end : end + 1].isspace() else match.group()
            doc._tokens.append(
                WordToken(doc, match.group(), with_blank=with_blank, start=start, row=row)
            )
            doc._char_indices.append(start)
        return cast(MutableDocument, doc)

    def entity_from_tokens(self, tokens: Sequence[MutableToken]) -> MutableEntity:
        """An entity of these tokens, at the indices that MedCAT's own tokenizer gives them.

        MedCAT's own looks for both tokens from the document's start each time. Its time grows with
        the square of the text's length.
        """
        if not tokens:
            raise ValueError("an entity needs at least one token")
        doc = cast(Token, tokens[0])._doc
        first, last = tokens[0].base.index, tokens[-1].base.index
        return cast(MutableEntity, _entity_from_tokens(doc, list(tokens), first, last))

    @classmethod
    def create_new_tokenizer(cls, config: Config) -> Self:
        """No setting changes how words are cut."""
        return cls()


class WordTagger(TagAndSkipTagger):
    """Marks punctuation and words to be skipped, as MedCAT does, for every alphabet."""

    name = TAGGING

    def __init__(self, preprocessing: Preprocessing) -> None:
        super().__init__(preprocessing)
        self.punct_checker = re.compile(r"[\W_]")
