"""Training under Lightning: data modules, modules and callbacks.

Documents and an untrained linker come in, and trained weights and metrics go out. Reading the
configuration and telling MLflow of a run do not belong here: they are in `experiment`.
"""
