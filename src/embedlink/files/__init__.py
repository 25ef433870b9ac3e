"""Files on disk: found, downloaded, read line by line, written whole or not at all.

Paths come in; lines, digests and finished folders go out. What the lines mean is for the readers
in `corpora` and `concepts`.
"""
