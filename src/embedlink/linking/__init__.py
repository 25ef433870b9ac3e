"""Gives a span its concept, or none.

Detections with their vectors come in. A concept and a link probability for each detection go out.
Counting the links belongs to `evaluation`, and telling MedCAT of them belongs to `medcat`.
"""
