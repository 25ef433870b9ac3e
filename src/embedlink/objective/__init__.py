"""What one training step minimises.

A batch of windows and an index come in; losses with gradient go out. Loops, optimizers' schedules
and callbacks belong to `training`.
"""
