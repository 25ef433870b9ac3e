"""Files on disk: found, downloaded, read line by line, written whole or not at all.

Paths come in. Lines, digests and finished folders go out. What the lines mean does not belong here:
the readers in `corpora` and `concepts` know that.
"""
