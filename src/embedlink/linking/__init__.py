"""Where a span gets its concept, or none.

Detections with their vectors come in; a concept and a link probability for each go out. How links
are counted belongs to `evaluation`, how MedCAT is told of them to `medcat`.
"""
