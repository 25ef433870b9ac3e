"""What the server has imported that forks processes of the tests. These then start at once."""

import tests.environment  # noqa: F401, I001  First: torch reads the number of threads once.

import sqlalchemy.orm
from medcat.utils.envsnapshot import get_environment_info
from mlflow.store.tracking import sqlalchemy_store  # noqa: F401

import embedlink.experiment.prepare
import embedlink.experiment.sync
import embedlink.experiment.train
import embedlink.export.export
import embedlink.medcat.trainable  # noqa: F401

get_environment_info()
sqlalchemy.orm.configure_mappers()
