"""Values of a JSON file one after another, however large the file is.

Python's own parser reads each value, so everything that Python writes can be read (`NaN`, lone
surrogates). The text of a value is found first. This limits its size and its nesting before it is
parsed. No error quotes the file.
"""

import codecs
import json
import math
import re
from collections.abc import Iterator
from typing import BinaryIO

MOST_NESTED = 100
"""How deep a value may be nested."""
MOST_CHARACTERS = 1 << 28
"""Characters of the longest value that is read."""
_BLOCK = 1 << 16  # bytes
_SPACE = re.compile(r"[ \t\n\r]*")
# A string, a bracket, or the opening quote of a string that is not whole yet.
_NEXT = re.compile(r'"(?:[^"\\]|\\.)*+"|[{}\[\]"]', re.DOTALL)
_SCALAR = re.compile(r"[^\s,:\]}{\[\"]+")
_LONGEST_NUMBER = 400  # digits. Python refuses to parse integers of more than 4,300.


class JSONFault(Exception):
    """Where and why a file stops being JSON. `line` and `column` count from 1."""

    def __init__(self, line: int, column: int, reason: str) -> None:
        super().__init__(reason)
        self.line, self.column, self.reason = line, column, reason


class JSONValues:
    """A cursor in a JSON file: members of objects, items of arrays, and whole values.

    Every method raises `JSONFault` if the file is not JSON at that place, and `UnicodeDecodeError`
    if it is not UTF-8.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._decoder = codecs.getincrementaldecoder("utf-8")()
        self._text = ""
        self._at = 0
        self._ended = False
        self._lines = 0  # before the text that is held
        self._column = 0  # characters of the line that the held text begins in

    def peek(self) -> str:
        """The next character that is not a space. "" at the end of the file."""
        while True:
            match = _SPACE.match(self._text, self._at)
            self._at = match.end() if match else self._at
            if self._at < len(self._text) or not self._more():
                return self._text[self._at : self._at + 1]

    def members(self) -> Iterator[str]:
        """The keys of an object. Take the value of each key before you ask for the next."""
        for _ in self._elements("{", "}"):
            if self.peek() != '"':
                raise self._fault("an object without a key")
            key = self.value()
            self._take(":")
            yield str(key)

    def items(self) -> Iterator[int]:
        """The positions in an array, from 1. Take the value at each before you ask for the next."""
        yield from self._elements("[", "]")

    def value(self) -> object:
        """The next value, whole. An integer with too many digits becomes infinity."""
        start, text = self._at, self._raw()
        try:
            return json.loads(text, parse_int=_integer, strict=False)
        except ValueError as error:
            at = error.pos if isinstance(error, json.JSONDecodeError) else 0
            raise self._fault("malformed JSON", min(start, self._at) + at) from None

    def skip(self) -> None:
        """Step over the next value, whatever it holds."""
        self._raw()

    def end(self) -> None:
        """Raise `JSONFault` if anything but spaces follows."""
        if self.peek():
            raise self._fault("content behind the end")

    @property
    def line(self) -> int:
        """The line of the next character, from 1."""
        return self._lines + self._text.count("\n", 0, self._at) + 1

    def _elements(self, opening: str, closing: str) -> Iterator[int]:
        """Step through the places of an array or object. The caller reads each value."""
        self._take(opening)
        number = 0
        while self.peek() != closing:
            if number:
                self._take(",")
                if self.peek() == closing:
                    raise self._fault("a comma without a value")
            number += 1
            yield number
        self._take(closing)

    def _take(self, sign: str) -> None:
        """Step over one sign. Any other sign is a fault."""
        found = self.peek()
        if found != sign:
            raise self._fault(f"{sign!r} missing" if found else "the file ends early")
        self._at += 1

    def _raw(self) -> str:
        """The text of the next value. Everything before it is dropped from memory."""
        first = self.peek()
        self._drop()
        if first and first in '{["':
            length = self._length()
        elif first and first not in ",:]}":
            length = self._scalar()
        else:
            raise self._fault("a value is missing" if first else "the file ends early")
        text = self._text[:length]
        self._at = length
        return text

    def _length(self) -> int:
        """The end of the value that the text begins with. Reads more of the file if needed."""
        depth = at = 0
        while True:
            for match in _NEXT.finditer(self._text, at):
                if match[0] == '"':
                    at = match.start()
                    break
                sign = match[0][0]
                depth += sign in "{["
                depth -= sign in "}]"
                if depth > MOST_NESTED:
                    raise self._fault(f"nested more than {MOST_NESTED} deep", match.start())
                if depth <= 0:
                    return match.end()
            else:
                at = len(self._text)
            if len(self._text) > MOST_CHARACTERS:
                raise self._fault(f"a value of more than {MOST_CHARACTERS} characters")
            if not self._more():
                raise self._fault("the file ends early", len(self._text))

    def _scalar(self) -> int:
        """The end of the number or word that begins here. More is read until it is sure."""
        while True:
            match = _SCALAR.match(self._text)
            end = match.end() if match else 0
            if end < len(self._text) or end > MOST_CHARACTERS or not self._more():
                return end

    def _more(self) -> bool:
        """Read on. The text that is held doubles each time that a value is not whole yet."""
        if self._ended:
            return False
        raw = self._file.read(max(_BLOCK, len(self._text) - self._at))
        self._ended = not raw
        self._text += self._decoder.decode(raw, final=not raw)
        return True

    def _drop(self) -> None:
        """Forget what was read, and keep count of its lines and columns."""
        lines = self._text.count("\n", 0, self._at)
        self._lines += lines
        last = self._text.rfind("\n", 0, self._at)
        self._column = self._at - last - 1 if lines else self._column + self._at
        self._text, self._at = self._text[self._at :], 0

    def _fault(self, reason: str, at: int | None = None) -> JSONFault:
        """An error at the present place, or at another one that is given."""
        at = self._at if at is None else at
        lines = self._text.count("\n", 0, at)
        last = self._text.rfind("\n", 0, at)
        column = at - last if lines else self._column + at + 1
        return JSONFault(self._lines + lines + 1, column, reason)


def _integer(digits: str) -> int | float:
    return int(digits) if len(digits) <= _LONGEST_NUMBER else math.inf
