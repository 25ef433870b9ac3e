"""The benchmarks run at small sizes; how long anything takes is not tested."""

import json
import math

import pytest
import torch
from benchmarks import startup
from benchmarks.__main__ import BENCHMARKS, main, parse
from benchmarks.growth import exponent
from benchmarks.inputs import DEMO, queries_near, read_names, spread
from benchmarks.measure import Timing
from benchmarks.startup import costly
from benchmarks.tables import table

SMALL = ["--names", "12", "--repeats", "1", "--batches", "4", "--mentions", "7", "--sizes", "40",
         "90", "--slow-mentions", "3", "--build", "30", "--deep-layers", "4",
         "--documents", "3"]  # fmt: skip


def test_every_benchmark_runs(tiny_encoder, tmp_path, capsys, monkeypatch):
    starts = startup.starts()
    light = ("train.py --help", "embedlink plugin")
    monkeypatch.setattr(startup, "starts", lambda: {name: starts[name] for name in light})
    main(["--encoder", str(tiny_encoder), "--folder", str(tmp_path), *SMALL])
    results = json.loads((tmp_path / "results.json").read_text())
    assert results["machine"]["float32_gflops"] > 0
    assert all(timing["seconds"] > 0 for timing in results["timings"])
    measured = {timing["benchmark"] for timing in results["timings"]}
    assert len(measured) >= len(BENCHMARKS)
    said = capsys.readouterr().out
    assert all(benchmark in said for benchmark in measured)


def test_options_read_every_kind_of_value():
    options = parse(["--sizes", "10", "20", "--encoder", "x", "--only", "epoch", "--full"])
    assert options.sizes == (10, 20)
    assert options.only == ("epoch",)
    assert (options.encoder, options.names, options.documents) == ("x", 20_000, 0)


def test_names_beyond_the_table_are_different():
    names = read_names(DEMO, 5000)
    assert len(names) == len(set(names)) == 5000
    assert read_names(DEMO, 10) == names[:10]


def test_vectors_have_unit_length():
    made = queries_near(spread(torch.eye(16), 30), 5)
    assert made.norm(dim=1).tolist() == pytest.approx([1.0] * 5)


def test_the_exponent_of_linear_growth_is_one():
    assert exponent([(10, 0.1), (100, 1.0), (1000, 10.0)]) == pytest.approx(1.0)
    assert math.isnan(exponent([(10, 0.1)]))


def test_the_table_shows_ratios():
    timings = [
        Timing("b", "ours", 100, 1.0, 2.0, 5.0, {"share": 0.5}),
        Timing("b", "theirs", 100, 4.0, 2.0, 5.0),
    ]
    text = table({"threads": 2}, timings)
    assert "| theirs | 100 | 4 | 25.0 | 4.00 | 5 |  |" in text
    assert "share 0.5" in text


def test_imports_are_counted_by_package():
    trace = [
        "import time: self [us] | cumulative | imported package",
        "import time:       500 |       2500 |     torch.nn",
        "import time:      2000 |       2000 | torch",
        "import time:       100 |        100 | json",
        "a warning",
    ]
    assert costly(trace) == {"torch_s": pytest.approx(0.0025), "json_s": pytest.approx(0.0001)}
