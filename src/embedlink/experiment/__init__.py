"""One run, from its configuration to what it leaves.

Hydra's configuration comes in; a run's folder and its record in MLflow go out. This is the only
room that knows the whole configuration: all others take values.
"""
