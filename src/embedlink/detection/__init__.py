"""Which spans of a text are worth linking.

Texts come in. Spans with candidates and probabilities go out. Choosing among the candidates does
not belong here: `linking` does that.
"""
