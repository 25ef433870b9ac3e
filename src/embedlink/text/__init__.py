"""Strings as they are: words, short forms, spellings.

Text comes in. Words, short forms with their long forms, and the keys that spellings share go out.
Nothing here knows a concept database, a tokenizer's ids or a file.
"""
