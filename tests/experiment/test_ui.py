"""`make ui` leads to the page that lists training runs by F1; its picture was looked at by hand."""

import json
import socket

import pytest

from embedlink.experiment import ui
from embedlink.experiment.store import experiment_id, open_store


@pytest.fixture
def uri(tmp_path, monkeypatch) -> str:
    address = f"sqlite:///{tmp_path / 'mlflow.db'}"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", address)
    return address


def test_the_experiment_has_a_view_sorted_by_f1(uri):
    number = ui.experiment_number(uri)
    client = open_store(uri)
    assert number == experiment_id(client, uri, "embedlink")
    view = json.loads(client.get_experiment(number).tags["mlflow.sharedViewState.embedlink"])
    assert (view["orderByKey"], view["orderByAsc"]) == ("metrics.`test/f1`", False)
    page = ui.runs_page("http://127.0.0.1:5001/", number)
    assert page == (
        f"http://127.0.0.1:5001/#/experiments/{number}/runs"
        "?workflowType=machine_learning&viewStateShareKey=embedlink"
    )


def test_a_port_in_use_is_named_with_another_one(uri, capsys):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert ui.main(["--port", str(port)]) == 1
    assert f"port {port} is in use; give another one: make ui PORT=" in capsys.readouterr().err


def test_a_server_is_opened_in_the_browser_and_not_served(uri, monkeypatch, capsys):
    opened = []
    monkeypatch.setattr(ui, "tracking_uri", lambda: "http://tracking.example")
    monkeypatch.setattr(ui, "experiment_number", lambda uri: "7")
    monkeypatch.setattr("webbrowser.open", opened.append)
    assert ui.main([]) == 0
    (page,) = opened
    assert page.startswith("http://tracking.example/#/experiments/7/runs?")
    assert page in capsys.readouterr().out


def test_a_server_that_is_away_is_named(monkeypatch, capsys):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    assert ui.main([]) == 1
    assert "the tracking store is away: http://127.0.0.1:9" in capsys.readouterr().err
