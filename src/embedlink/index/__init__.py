"""Vectors of names and concepts, and the search among them.

Vectors and groups of rows come in; the nearest rows with their cosines go out. An encoder, a
concept database or a text does not belong here: the index knows tensors and rows only.
"""
