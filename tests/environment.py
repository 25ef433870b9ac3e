"""What every process of the tests starts from: no hub, one thread, packages that are listed once.

Import it before torch, which reads the number of threads once.
"""

import multiprocessing
import os

os.environ.update(HF_HUB_OFFLINE="1", TRANSFORMERS_OFFLINE="1", TOKENIZERS_PARALLELISM="false")
# Models of the tests are too small for several threads, and `make test` runs several processes.
os.environ.setdefault("OMP_NUM_THREADS", "1")

from functools import cache

from medcat.utils import envsnapshot


def list_packages_once() -> None:
    """MedCAT reads what is installed for each configuration, a second each: here only once."""
    read = envsnapshot.get_transitive_deps

    @cache
    def transitive(direct_deps: tuple[str, ...]) -> dict[str, str]:
        return read(list(direct_deps))

    envsnapshot.get_transitive_deps = lambda direct_deps: transitive(tuple(direct_deps))
    envsnapshot.get_installed_dependencies = cache(envsnapshot.get_installed_dependencies)


list_packages_once()
multiprocessing.set_forkserver_preload(["tests.preloaded"])
