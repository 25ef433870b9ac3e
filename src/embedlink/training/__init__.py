"""Training under Lightning: data, modules, callbacks.

Documents and an untrained linker come in; trained weights go out. Reading the configuration and
talking to MLflow belong to `experiment`.
"""
