"""How good links are.

Predictions, ranks and gold mentions come in, and counts, metrics, intervals and baselines go out.
Training and the logging of runs do not belong here: they are in `training` and `experiment`.
"""
