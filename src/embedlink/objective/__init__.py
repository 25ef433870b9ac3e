"""What one training step minimises.

A batch of windows and a concept index come in, and a loss with gradient goes out. Training
loops, callbacks and the reading of notes do not belong here: they are in `training`.
"""
