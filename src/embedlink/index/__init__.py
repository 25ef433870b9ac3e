"""Vectors of names and concepts, and the search among them.

Vectors and groups of rows come in, and the nearest rows with their cosines go out. Encoders,
concept databases and texts do not belong here: the index knows tensors and rows only.
"""
