"""How good links are.

Predictions and gold mentions come in; counts, metrics, intervals and baselines go out. Nothing
here trains or logs.
"""
