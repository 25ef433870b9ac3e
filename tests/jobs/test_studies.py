"""Every experiment's configuration runs, and a study's table comes from its runs in MLflow."""

import re

import mlflow
import pytest
from experiments.tables import BEGIN, END, main

from tests.jobs.command import ROOT, run_entry

FAST = (
    "data=demo", "debug=fast", "limit_documents=4", "trainer.enable_progress_bar=false",
    "pack=false",
)  # fmt: skip
CHOICES = [
    ("pretraining=synonyms", "encoded_negatives=2"),
    ("objective=multi_similarity", "hide_own_name=true"),
    ("reranker=cross_encoder", "reranker.top_k=4", "reranker.epochs=2", "detection=variants"),
    ("pretraining=short_forms", "pretraining.layers=1", "detection=variants"),
    # What the compiled layers compute is tested with them.
    ("trainer=bf16", "callbacks=compiled", "callbacks.compiled.backend=eager", "unfreeze=1"),
    ("objective=sampled", "targets=cuis", "model.surface_weight=0", "data.new_concepts=true"),
    *((f"experiment={path.stem}",) for path in sorted(ROOT.glob("conf/experiment/*.yaml"))),
]


@pytest.mark.parametrize("choice", CHOICES, ids=" ".join)
def test_a_choice_runs_the_whole_job(choice, tiny_encoder, tmp_path):
    single = ("hydra.mode=RUN", "unfreeze=1") if choice[0].startswith("experiment") else ()
    done = run_entry(
        "train.py", *choice, *FAST, *single, f"model.encoder={tiny_encoder}",
        f"hydra.run.dir={tmp_path / 'run'}", folder=tmp_path,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    assert (tmp_path / "run" / "linker" / "linker.json").is_file()


def test_an_experiment_is_a_delta_that_opens_with_its_command():
    for path in ROOT.glob("conf/experiment/*.yaml"):
        lines = path.read_text().splitlines()
        assert len(lines) <= 25, path
        assert lines[1].startswith("# python train.py"), path


def logged(setting, seed, f1, low=None):
    with mlflow.start_run(run_name=f"experiment=recipe {setting} seed={seed}"):
        mlflow.log_param("seed", seed)
        mlflow.log_metrics({"baseline/f1": 0.5, "test/f1": f1})
        for epoch, value in enumerate((0.9, 0.6, 0.3)):  # Of epoch 0 nothing was trained.
            mlflow.log_metric("val/f1", value, step=epoch)
        if low is not None:
            mlflow.log_metrics({"test/f1_low": low, "test/f1_high": f1 + f1 - low})


@pytest.fixture
def readme_of(tmp_path, monkeypatch):
    """The README of a study whose runs are logged next, in an MLflow experiment of its own."""
    store = f"sqlite:///{tmp_path / 'mlflow.db'}"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", store)
    mlflow.set_tracking_uri(store)

    def make(study, experiment):
        mlflow.set_experiment(experiment)
        (tmp_path / study).mkdir()
        readme = tmp_path / study / "README.md"
        readme.write_text(f"# Why?\n\n{BEGIN}\nold\n{END}\n\nBecause.\n")
        return readme

    return make


def test_a_table_holds_means_over_seeds_and_intervals(readme_of, tmp_path):
    readme = readme_of("recipe", "recipe")
    logged("nil_weight=0", 0, 0.40)
    logged("nil_weight=0", 1, 0.50)
    logged("", 0, 0.10)  # Repeated below: the newer one counts.
    logged("", 0, 0.70, low=0.65)
    main(["recipe", "--folder", str(tmp_path)])
    text = readme.read_text()
    assert (
        "| `nil_weight=0` | 2 | 0.500 (0.500–0.500) | 0.600 (0.600–0.600) | 0.450 (0.400–0.500) |"
        in text
    )
    assert "| `default` | 1 | 0.500 | 0.600 | 0.700 [0.650, 0.750] |" in text
    assert text.startswith("# Why?")
    assert text.endswith("Because.\n")
    assert "old" not in text
    assert (tmp_path / "recipe" / "f1.png").stat().st_size > 1000


def test_studies_of_one_experiment_share_their_default(readme_of, tmp_path):
    readme = readme_of("layers", "choices")
    logged("", 0, 0.7)
    logged("unfreeze=0", 0, 0.6)
    logged("context_window=5", 0, 0.5)
    logged("context_window=5 unfreeze=0", 0, 0.4)
    shared = ["--experiment", "choices", "--folder", str(tmp_path)]
    main(["layers", *shared, "--keys", "unfreeze"])
    rows = re.findall(r"^\| (`.+?`)", readme.read_text(), re.MULTILINE)
    assert rows == ["`default`", "`unfreeze=0`"]


def test_a_study_without_runs_says_so(tmp_path, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path / 'mlflow.db'}")
    (tmp_path / "recipe").mkdir()
    (tmp_path / "recipe" / "README.md").write_text(f"{BEGIN}\n{END}\n")
    with pytest.raises(SystemExit, match="recipe"):
        main(["recipe", "--folder", str(tmp_path)])
