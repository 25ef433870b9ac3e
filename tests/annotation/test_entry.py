"""`annotate.py` as a user runs it, and kills it."""

import json
import subprocess
import sys
import time

import pandas as pd
import psutil

from embedlink.annotation.annotator import Annotator
from tests.jobs.command import ROOT, run_entry


def test_a_job_that_is_killed_goes_on(pack, tmp_path):
    texts = [f"Visit {number}: known MS, fever and a cold." for number in range(60)]
    frame = pd.DataFrame({"id": [f"n{number}" for number in range(60)], "text": texts})
    (tmp_path / "notes").mkdir()
    frame.to_parquet(tmp_path / "notes" / "notes.parquet")
    asked = [
        f"pack={pack}", f"notes={tmp_path / 'notes'}", "output=links", "id_column=id",
        "notes_per_part=2", "processes=2", "include_text=true",
    ]  # fmt: skip
    job = subprocess.Popen([sys.executable, str(ROOT / "annotate.py"), *asked], cwd=tmp_path)
    while not list((tmp_path / "links").glob("part-*.parquet")):
        assert job.poll() is None
        time.sleep(0.01)
    workers = psutil.Process(job.pid).children(recursive=True)
    job.kill()
    job.wait()
    assert len(workers) >= 2
    _, alive = psutil.wait_procs(workers, timeout=60)
    assert not alive
    before = len(list((tmp_path / "links").glob("part-*.parquet")))
    done = run_entry("annotate.py", *asked, folder=tmp_path)
    assert done.returncode == 0, done.stderr[-2000:]
    assert f"{2 * before} notes were there already" in done.stdout
    [expected] = Annotator(str(pack), id_column="id", include_text=True)([frame])
    assert len(expected) >= 180
    pd.testing.assert_frame_equal(pd.read_parquet(tmp_path / "links"), expected)


def test_what_is_wrong_is_said_in_one_line(pack, tmp_path):
    (tmp_path / "notes.jsonl").write_text(json.dumps({"note": "secret"}))
    done = run_entry(
        "annotate.py", f"pack={pack}", "notes=notes.jsonl", "output=links", "processes=0",
        folder=tmp_path,
    )  # fmt: skip
    assert done.returncode == 1
    assert "processes=0 is not allowed" in done.stderr
    assert not (tmp_path / "links").exists()
