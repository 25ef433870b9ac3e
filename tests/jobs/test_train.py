"""The main job from the command line: metrics, what it leaves, repeatability, bad input."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import mlflow
import pytest
from medcat.cat import CAT

from embedlink.linking.linker import Linker
from tests.jobs.command import ROOT, metrics_table, run_entry

FAST = ("limit_documents=6", "trainer.max_epochs=1", "trainer.enable_progress_bar=false")

PREDICT = """
import json, sys
from medcat.cat import CAT
cat = CAT.load_model_pack(sys.argv[1])
texts = json.load(open(sys.argv[2]))
found = [[(e["start"], e["end"], e["cui"], e["context_similarity"]) for e in
          cat.get_entities(text)["entities"].values()] for text in texts]
loaded = [m for m in ("lightning", "hydra", "mlflow") if m in sys.modules]
print("FOUND" + json.dumps({"found": found, "loaded": loaded}))
"""


def tracking(folder: Path) -> str:
    return f"sqlite:///{folder / 'mlflow.db'}"


def runs(folder: Path):
    mlflow.set_tracking_uri(tracking(folder))
    return mlflow.search_runs(search_all_experiments=True, output_format="list")


def texts() -> list[str]:
    exported = json.loads((ROOT / "src/embedlink/demo/notes.json").read_text())
    return [d["text"] for p in exported["projects"] for d in p["documents"]][:60]


def predictions(pack: Path, folder: Path) -> dict:
    """What a pack finds in a new process, and what that has loaded."""
    (folder / "texts.json").write_text(json.dumps(texts()[:20]))
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", PREDICT, str(pack), str(folder / "texts.json")],
        capture_output=True, text=True, check=True, cwd=folder,
    )  # fmt: skip
    return json.loads(re.search("FOUND(.*)", done.stdout).group(1))


@pytest.fixture(scope="module")
def finished(tiny_encoder, tmp_path_factory):
    folder = tmp_path_factory.mktemp("job")
    done = run_entry(
        "train.py", f"model.encoder={tiny_encoder}", *FAST, f"hydra.run.dir={folder / 'run'}",
        folder=folder,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    return folder, done


def test_the_last_line_says_what_came_out(finished):
    folder, done = finished
    last = done.stdout.strip().splitlines()[-1]
    assert re.search(r"F1 0\.\d+ untrained, 0\.\d+ trained", last)
    assert str(folder / "run" / "pack") in last
    assert "make ui" in last


def test_mlflow_holds_settings_metrics_and_identity(finished):
    folder, _ = finished
    (run,) = runs(folder)
    assert run.info.status == "FINISHED"
    table = metrics_table(folder / "run")
    for name in ("precision", "recall", "f1"):
        assert {f"baseline/{name}", f"val/{name}", f"test/{name}"} <= table.keys()
    for name in ("accuracy_at_1", "accuracy_at_5", "recall_at_64", "mrr", "demo/f1"):
        assert f"test/{name}" in table
    assert {"train/loss", "val/demo/f1", "test/demo/char_iou"} <= table.keys()
    assert {"test/f1_low", "test/f1_high", "baseline/accuracy_at_1_low"} <= table.keys()
    groups = [name for name in table if name.startswith("test/accuracy_at_1/")]
    assert {"test/accuracy_at_1/seen_concept", "test/accuracy_at_1/unseen_surface"} <= set(groups)
    assert {"test/mentions/seen_concept", "test/calibration_error"} <= table.keys()
    for name in ("dictionary", "dictionary_spans", "tfidf"):
        assert table[f"baseline/{name}/accuracy_at_1"] > 0.3
        assert f"baseline/{name}/f1_low" in table
    assert {"test/f1", "val/f1", "baseline/dictionary/f1"} <= run.data.metrics.keys()
    assert len(run.data.metrics) <= 20
    logged = {artifact.path for artifact in mlflow.MlflowClient().list_artifacts(run.info.run_id)}
    files = {"test_documents.csv", "test_curve.csv", "test_curve.png", "test_errors.csv"}
    assert files | {"metrics.csv"} <= logged
    assert run.data.params["context_window"] == "14"
    assert run.data.params["optimizer.lr"] == "0.0001"
    assert run.data.metrics["best/val_f1"] == pytest.approx(run.data.metrics["val/f1"], abs=1e-6)
    assert {"git_commit", "data_digest", "linker", "pack"} <= run.data.tags.keys()
    assert run.data.params["seed"] == "0"
    (dataset,) = run.inputs.dataset_inputs
    assert dataset.dataset.name == "demo"
    history = mlflow.MlflowClient().get_metric_history(run.info.run_id, "val/f1")
    assert [point.step for point in history] == [0, 1]


def test_no_text_of_a_note_is_logged(finished):
    folder, done = finished
    words = [text[20:60] for text in texts()]
    (run,) = runs(folder)
    logged = json.dumps([run.data.params, run.data.tags]) + done.stdout + done.stderr
    kinds = {".yaml", ".txt", ".log", ".csv"}
    artifacts = [p for p in folder.rglob("*") if p.suffix in kinds and "linker" not in p.parts]
    logged += "".join(p.read_text() for p in artifacts)
    assert not any(word in logged for word in words)


def test_the_pack_predicts_in_a_new_process_as_in_another(finished):
    folder, _ = finished
    new = predictions(folder / "run" / "pack", folder)
    assert new["loaded"] == []
    assert sum(map(len, new["found"])) > 30
    cat = CAT.load_model_pack(str(folder / "run" / "pack"))
    here = [cat.get_entities(text)["entities"].values() for text in texts()[:20]]
    keys = ("start", "end", "cui", "context_similarity")
    assert new["found"] == [[[entity[key] for key in keys] for entity in each] for each in here]


def test_the_linker_folder_loads_without_lightning(finished):
    folder, _ = finished
    linker = Linker.load(folder / "run" / "linker")
    assert linker.settings.context_window == 14
    assert (folder / "run" / "linker" / "encoder" / "model.safetensors").is_file()
    assert not list((folder / "run" / "linker").rglob("*.bin"))


@pytest.fixture(scope="module")
def evaluated(finished):
    folder, _ = finished
    done = run_entry(
        "evaluate.py", f"linker={folder / 'run'}", "limit_documents=6",
        f"hydra.run.dir={folder / 'evaluation'}", folder=folder,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    return folder, done


def test_evaluate_repeats_the_test_metrics(evaluated):
    folder, done = evaluated
    table, again = metrics_table(folder / "run"), metrics_table(folder / "evaluation")
    for name in ("f1", "tp", "accuracy_at_1", "mrr"):
        assert again[f"test/{name}"] == pytest.approx(table[f"test/{name}"], abs=1e-4)
    assert f"{again['test/tp']:.0f} links are right" in done.stdout
    assert re.search(rf"linker .* {again['test/f1']:.3f} \[", done.stdout)


def test_evaluating_a_linker_without_its_tagger_says_so(finished, tmp_path):
    folder, _ = finished
    shutil.copytree(folder / "run" / "linker", tmp_path / "linker")
    done = run_entry(
        "evaluate.py", f"linker={tmp_path / 'linker'}", "limit_documents=2",
        f"hydra.run.dir={tmp_path / 'evaluation'}", folder=tmp_path,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    assert f"{tmp_path / 'tagger'}: no tagger" in done.stdout + done.stderr


def test_a_run_compares_with_its_evaluation(evaluated):
    folder, _ = evaluated
    run, again = folder / "run", folder / "evaluation"
    assert (run / "test_documents.csv").read_text() == (again / "test_documents.csv").read_text()
    done = run_entry("evaluate.py", f"compare=[{run},{again}]", folder=folder)
    assert done.returncode == 0, done.stderr[-2000:]
    assert re.search(r"f1 +0\.\d+ +0\.\d+ +\+0\.0000 +\[.*\] +1\.0000", done.stdout)


def test_a_baseline_is_measured_and_compared_with_a_run(finished):
    folder, _ = finished
    done = run_entry(
        "evaluate.py", "baseline=dictionary_spans", "limit_documents=6",
        f"hydra.run.dir={folder / 'dictionary'}", folder=folder,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    table, own = metrics_table(folder / "run"), metrics_table(folder / "dictionary")
    for name in ("f1", "accuracy_at_1", "accuracy_at_1/seen_concept"):
        logged = table[f"baseline/dictionary_spans/{name}"]
        assert own[f"test/{name}"] == pytest.approx(logged, abs=1e-4)
    assert re.search(rf"dictionary_spans .* {own['test/f1']:.3f} \[", done.stdout)
    pair = f"compare=[{folder / 'dictionary'},{folder / 'run'}]"
    done = run_entry("evaluate.py", pair, folder=folder)
    assert done.returncode == 0, done.stderr[-2000:]
    assert "accuracy_at_1" in done.stdout


@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        ((), "linker"),
        (("compare=[a]",), "compare=['a']"),
        (("compare=[/nowhere/a,/nowhere/b]",), "/nowhere/a: no such folder"),
        (("compare=[a,b]", "linker=c"), "linker=c"),
        (("linker=c", "part=all"), "part='all'"),
        (("baseline=bm26",), "baseline='bm26'"),
    ],
)
def test_what_evaluate_cannot_do_is_a_clear_error(tmp_path, overrides, said):
    done = run_entry("evaluate.py", *overrides, folder=tmp_path)
    assert done.returncode == 1
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_another_hash_seed_gives_the_same_metrics(finished, tiny_encoder, tmp_path):
    folder, _ = finished
    done = subprocess.run(
        [sys.executable, str(ROOT / "train.py"), f"model.encoder={tiny_encoder}", *FAST,
         f"hydra.run.dir={tmp_path / 'run'}", "pack=false"],
        cwd=tmp_path, capture_output=True, text=True, check=False,
        env={**os.environ, "MLFLOW_TRACKING_URI": tracking(tmp_path), "PYTHONHASHSEED": "7"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    assert metrics_table(tmp_path / "run") == metrics_table(folder / "run")


def test_a_run_is_not_resumed_with_other_settings(finished, tiny_encoder, tmp_path):
    folder, _ = finished
    done = run_entry(
        "train.py", f"model.encoder={tiny_encoder}", *FAST, "split=random", "context_window=7",
        f"resume={folder / 'run' / 'checkpoints' / 'last.ckpt'}", "pack=false",
        f"hydra.run.dir={tmp_path / 'run'}", folder=tmp_path,
    )  # fmt: skip
    assert done.returncode == 1
    said = "other settings: context_window=7 was 14; split.by='random' was 'official'; give"
    assert said in done.stderr
    assert not (tmp_path / "run" / "train_documents.txt").exists()


def test_a_run_without_a_logger(tiny_encoder, tmp_path):
    done = run_entry(
        "train.py", f"model.encoder={tiny_encoder}", "debug=fast", "pack=false", "~logger",
        "detection=variants", f"hydra.run.dir={tmp_path / 'run'}", folder=tmp_path,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    assert not (tmp_path / "mlflow.db").exists()


@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        (("unfreeze=99",), "unfreeze=99"),
        (("data=ncbi", "data_dir=/nowhere"), "/nowhere"),
        (("model.encoder=no/encoder",), "no/encoder: this encoder cannot be loaded"),
        (("data.concepts=/nowhere.csv",), "/nowhere.csv"),
    ],
)
def test_bad_input_is_a_clear_error_and_exit_code_1(tiny_encoder, tmp_path, overrides, said):
    done = run_entry(
        "train.py", f"model.encoder={tiny_encoder}", *overrides,
        f"hydra.run.dir={tmp_path / 'run'}", folder=tmp_path,
    )  # fmt: skip
    assert done.returncode == 1
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "run" / "checkpoints").exists()


@pytest.mark.parametrize("part", ["linker/letter.txt", "pack/letter.txt", "checkpoints/last.ckpt"])
def test_a_run_folder_that_holds_something_else_is_refused_before_any_work(
    tiny_encoder, tmp_path, part
):
    blocked = tmp_path / "run"
    (blocked / part).parent.mkdir(parents=True)
    (blocked / part).write_text("mine")
    done = run_entry(
        "train.py", f"model.encoder={tiny_encoder}", *FAST, f"hydra.run.dir={blocked}",
        folder=tmp_path,
    )  # fmt: skip
    assert done.returncode == 1
    assert part.split("/")[0] in done.stderr
    assert done.stderr.count("\n") == 1
    assert (blocked / part).read_text() == "mine"
    assert set(os.listdir(blocked)) == {".hydra", "train.log", part.split("/")[0]}
