"""What an entry needs before it reads the command line is light."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from embedlink.experiment.resolvers import PROJECT_ROOT, run_folder, run_name


@pytest.mark.parametrize("entry", ["train.py", "evaluate.py", "export.py", "prepare.py", "sync.py"])
def test_help_waits_for_no_framework(entry):
    heavy = ("torch", "lightning", "mlflow", "transformers", "medcat", "pandas")
    code = (
        "import runpy, sys\n"
        f"sys.argv = ['{entry}', '--help']\n"
        f"try:\n    runpy.run_path('{entry}', run_name='__main__')\n"
        f"finally:\n    sys.exit(str([m for m in {heavy} if m in sys.modules]))"
    )
    run = subprocess.run(
        [sys.executable, "-c", code], cwd=PROJECT_ROOT, check=False, capture_output=True, text=True
    )
    assert "Configuration groups" in run.stdout
    assert run.stderr.strip() == "[]"


@pytest.mark.parametrize(
    ("overrides", "name"),
    [
        ([], "default"),
        (["unfreeze=4", "seed=1"], "unfreeze=4 seed=1"),
        (["model.encoder=/home/me/encoder"], "model.encoder=encoder"),
        (
            ["linker=/me/runs/2026-01-31/12-00-00/linker"],
            "linker=2026-01-31/12-00-00/linker",
        ),
        (["data.names=[a/b,c]", "+x"], "data.names=b,c] +x"),
        (["experiment=recipe", "data_dir=/data", "unfreeze=4"], "unfreeze=4 experiment=recipe"),
    ],
)
def test_a_run_is_named_by_its_settings_with_the_last_part_of_paths(overrides, name):
    assert run_name(overrides) == name


def test_a_long_name_loses_groups_first_and_then_its_end():
    long = ["optimizer.warmup_share=0.2", "reranker.epochs=4", "pack=false"]
    assert run_name(long) == "warmup_share=0.2 epochs=4"
    cut = run_name([*long, "detection.tagger.least_probability=0.2"])
    assert (len(cut), cut[-1]) == (40, "…")


def test_runs_of_one_second_have_folders_of_their_own(tmp_path):
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(run_folder, [str(tmp_path)] * 24))
    assert len(set(made)) == 24
    assert all(Path(folder).is_dir() for folder in made)
    assert Path(run_folder(str(tmp_path), "-evaluate")).name.endswith("-evaluate")
