"""Gives a span its concept, or none.

Detections with their vectors come in. A concept and a link probability for each detection go out.
`entity_linking` decides both, and `senses` reads what a short form means where it stands.
Counting the links belongs to `evaluation`, and telling MedCAT of them belongs to `medcat`.
"""
