"""Opens MLflow on the page that lists training runs, the best first: `make ui PORT=5000`."""

import argparse
import os
import socket
import subprocess
import sys
import webbrowser
from urllib.parse import quote, urlencode

from embedlink.experiment.resolvers import PROJECT_ROOT

EXPERIMENT, SORT_BY = "embedlink", "metrics.`test/f1`"
COLUMNS = (
    "attributes.`Duration`",
    "metrics.`test/f1`",
    "metrics.`test/precision`",
    "metrics.`test/recall`",
    "metrics.`best/val_f1`",
    "metrics.`baseline/f1`",
    "params.`unfreeze`",
    "params.`context_window`",
    "params.`model.name`",
)
HOST = "127.0.0.1"


def tracking_uri() -> str:
    """The address that training logs to by default."""
    return os.environ.get("MLFLOW_TRACKING_URI") or f"sqlite:///{PROJECT_ROOT / 'mlflow.db'}"


def runs_page(base: str, experiment: str) -> str:
    """The address of the page that lists an experiment's runs by F1 on test documents.

    `experiment` is MLflow's number of it.
    """
    query = urlencode(
        {"orderByKey": SORT_BY, "orderByAsc": "false", "selectedColumns": ",".join(COLUMNS)},
        quote_via=quote,
    )
    return f"{base.rstrip('/')}/#/experiments/{experiment}/runs?{query}"


def experiment_number(uri: str) -> str:
    """MLflow's number of the experiment that training logs to, which is made if it is missing."""
    from embedlink.experiment.store import experiment_id, open_store

    return experiment_id(open_store(uri), uri, EXPERIMENT)


def main(arguments: list[str] | None = None) -> int:
    """Show the page in a browser, behind a server of our own if the store is no server."""
    from embedlink.experiment.store import StoreAway

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=5000)
    port, uri = parser.parse_args(arguments).port, tracking_uri()
    try:
        number = experiment_number(uri)
    except StoreAway as error:
        print(f"error: the tracking store is away: {error}", file=sys.stderr)
        return 1
    if uri.startswith(("http://", "https://")):
        page = runs_page(uri, number)
        webbrowser.open(page)
        print(f"Runs: {page}")
        return 0
    if not _is_free(port):
        print(
            f"error: port {port} is in use; give another one: make ui PORT={port + 1}",
            file=sys.stderr,
        )
        return 1
    print(f"Runs: {runs_page(f'http://{HOST}:{port}', number)}", flush=True)
    return _serve(uri, port)


def _is_free(port: int) -> bool:
    try:
        socket.create_server((HOST, port)).close()
    except OSError:
        return False
    return True


def _serve(uri: str, port: int) -> int:
    # One user needs one worker; several are given up if they take longer than seconds to start.
    command = (
        sys.executable, "-m", "mlflow", "ui", "--backend-store-uri", uri,
        "--host", HOST, "--port", str(port), "--workers", "1",
    )  # fmt: skip
    try:
        return subprocess.run(command, check=False).returncode
    except KeyboardInterrupt:  # How a user ends it.
        return 0


if __name__ == "__main__":
    sys.exit(main())
