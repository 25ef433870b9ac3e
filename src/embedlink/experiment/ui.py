"""Opens MLflow on the page that lists training runs, the best first: `make ui PORT=5000`."""

import argparse
import json
import os
import socket
import subprocess
import sys
import webbrowser
from urllib.parse import urlencode

from embedlink.experiment.resolvers import PROJECT_ROOT

EXPERIMENT = "embedlink"
COLUMNS = (
    "attributes.`Duration`",
    "metrics.`test/f1`",
    "metrics.`test/precision`",
    "metrics.`test/recall`",
    "metrics.`best/val_f1`",
    "metrics.`baseline/f1`",
    "params.`unfreeze`",
    "params.`context_window`",
    "params.`model.encoder`",
)
VIEW = {
    "searchFilter": "",
    "orderByKey": "metrics.`test/f1`",
    "orderByAsc": False,
    "startTime": "ALL",
    "lifecycleFilter": "Active",
    "datasetsFilter": [],
    "modelVersionFilter": "All Runs",
    "selectedColumns": COLUMNS,
}
"""The view of runs. MLflow keeps a shared view as a tag of the experiment."""

HOST = "127.0.0.1"


def tracking_uri() -> str:
    """The address that training logs to by default."""
    return os.environ.get("MLFLOW_TRACKING_URI") or f"sqlite:///{PROJECT_ROOT / 'mlflow.db'}"


def runs_page(base: str, experiment: str) -> str:
    """The address of the page that lists an experiment's runs by F1 on test documents.

    `experiment` is MLflow's number of the experiment. The address names the kind of work, because
    MLflow would open its page of traces otherwise.
    """
    query = urlencode({"workflowType": "machine_learning", "viewStateShareKey": EXPERIMENT})
    return f"{base.rstrip('/')}/#/experiments/{experiment}/runs?{query}"


def experiment_number(uri: str) -> str:
    """MLflow's number of the experiment that training logs to. The view is stored in it."""
    from embedlink.experiment.store import experiment_id, open_store

    client = open_store(uri)
    number = experiment_id(client, uri, EXPERIMENT)
    client.set_experiment_tag(number, f"mlflow.sharedViewState.{EXPERIMENT}", json.dumps(VIEW))
    return number


def main(arguments: list[str] | None = None) -> int:
    """Show the page in a browser. If the store is not a server, a server is started for it."""
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
    """Whether no other program listens on this port."""
    try:
        socket.create_server((HOST, port)).close()
    except OSError:
        return False
    return True


def _serve(uri: str, port: int) -> int:
    """Start MLflow's server and wait for its end. Returns its exit code."""
    # One user needs one worker. Several workers may start too slowly, and then MLflow gives up.
    command = (
        sys.executable, "-m", "mlflow", "ui", "--backend-store-uri", uri,
        "--host", HOST, "--port", str(port), "--workers", "1",
    )  # fmt: skip
    try:
        return subprocess.run(command, check=False).returncode
    except KeyboardInterrupt:  # A user ends the server by Ctrl-C.
        return 0


if __name__ == "__main__":
    sys.exit(main())
