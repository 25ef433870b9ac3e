"""`python train.py data=all`: three corpora in their true formats, and the default encoder."""

from pathlib import Path

from tests.jobs.command import metrics_table, run_entry
from tests.written import write_cometa, write_distemist, write_snomed, write_snomed_table


def test_one_model_with_metrics_for_each_corpus_and_overall(tmp_path: Path) -> None:
    write_snomed(tmp_path / "snomed_benchmark")
    write_distemist(tmp_path / "distemist")
    write_cometa(tmp_path / "cometa")
    write_snomed_table(tmp_path / "concepts.csv")
    done = run_entry(
        "train.py", "data=all", "debug=fast", f"data_dir={tmp_path}",
        f"data.concepts={tmp_path / 'concepts.csv'}", f"hydra.run.dir={tmp_path / 'run'}",
        folder=tmp_path,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    table = metrics_table(tmp_path / "run")
    for corpus in ("", "snomed/", "distemist/", "cometa/"):
        for metric in ("precision", "recall", "f1"):
            assert f"test/{corpus}{metric}" in table
