import csv

import pytest

from embedlink.experiment.ranking import differing, format_ranking, ranked, write_ranking
from embedlink.experiment.results import add_result, results
from embedlink.experiment.sweep_plots import draw_settings, importance

MEMBERS = [[f"unfreeze={n}", f"seed={s}", "pack=false"] for n in (0, 9, 2) for s in (0, 1)]


@pytest.fixture
def sweep(tmp_path):
    """Six members: two failed, one was killed, and the last one is the best."""
    for number, overrides in enumerate(MEMBERS):
        folder = tmp_path / str(number)
        folder.mkdir()
        if number == 1:
            continue
        failed = "9" in overrides[0]
        if not failed:
            f1 = 0.5 + number / 100
            metrics = {"best/val_f1": f1, "test/f1": f1 - 0.1, "test/f1_low": 0.3}
            add_result(folder, metrics=metrics, linker=str(folder / "linker"))
        error = "unfreeze=9: there are 4 layers" if failed else None
        add_result(folder, number=number, overrides=overrides, seconds=90.0, error=error)
    return tmp_path


def test_members_are_ranked_by_validation_and_all_are_accounted_for(sweep):
    rows = ranked(results(sweep, MEMBERS))
    assert [row["number"] for row in rows] == [5, 4, 0, 1, 2, 3]
    text = format_ranking(rows, sweep)
    assert "3 of 6 members finished" in text
    assert "failed: member 2 (seed=0 unfreeze=9): unfreeze=9: there are 4 layers" in text
    assert "failed: member 1 (seed=1 unfreeze=0): killed or never started" in text
    assert text.endswith("Repeat the best with: python train.py unfreeze=2 seed=1 pack=false")


def test_the_table_holds_settings_that_differ_metrics_and_errors(sweep):
    rows = ranked(results(sweep, MEMBERS))
    write_ranking(sweep / "sweep.csv", rows)
    best, *_, last = list(csv.DictReader((sweep / "sweep.csv").open()))
    assert (best["unfreeze"], best["seed"], best["val F1"]) == ("2", "1", "0.5500")
    assert (best["minutes"], best["folder"]) == ("1.5", str(sweep / "5"))
    assert "4 layers" in last["error"]
    assert "pack" not in best


def test_settings_that_some_members_leave_out_differ():
    assert differing([["a=1", "b=2"], ["a=1"]]) == [{"b": "2"}, {"b": ""}]


def test_each_setting_has_a_plot_and_importance_needs_members(sweep):
    rows = ranked(results(sweep, MEMBERS))[:3]
    assert {path.name for path in draw_settings(sweep, rows)} == {
        "sweep_seed.png", "sweep_unfreeze.png",
    }  # fmt: skip
    assert "sweep_importance.png" in {path.name for path in draw_settings(sweep, rows * 3)}


def test_importance_is_the_share_of_variance_between_values():
    assert importance([("a", 1.0), ("a", 1.0), ("b", 3.0)]) == pytest.approx(1.0)
    assert importance([("a", 1.0), ("a", 3.0), ("b", 1.0), ("b", 3.0)]) == 0.0
    assert importance([("a", 1.0), ("b", 1.0)]) == 0.0
