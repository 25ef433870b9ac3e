"""Strings as they are: words, short forms, spellings.

Text comes in; words, short forms with their long forms, and keys under which spellings agree go
out. Nothing here knows a concept database, a tokenizer's ids or a file.
"""
