"""One run, from its configuration to what it leaves.

Hydra's configuration comes in. A run's folder and its record in MLflow go out. This is the only
room that knows the whole configuration: all other rooms take values.
"""
