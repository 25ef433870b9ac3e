"""Every command of the README runs."""

import re
import shlex
from pathlib import Path

import pytest

from tests.jobs.command import ROOT, run_entry
from tests.written import write, write_ncbi

README = (ROOT / "README.md").read_text()
BLOCKS = "\n".join(re.findall(r"```sh\n(.*?)```", README, re.DOTALL))
LINES = [line.split("#")[0].strip() for line in BLOCKS.splitlines() if line.strip()]
LINES += re.findall(r"`(python \w+\.py [^`]*data_dir[^`]*)`", README)
COMMANDS = [line for line in LINES if line.startswith("python ")]
TARGETS = [line.split()[1] for line in LINES if line.startswith("make ")]


def test_the_readme_stays_short():
    assert len(README.splitlines()) <= 150


def test_every_make_target_exists():
    makefile = (ROOT / "Makefile").read_text()
    assert set(TARGETS) == {"train", "test", "ui"}
    for target in (*TARGETS, "setup", "lint", "types", "sweep", "bench"):
        assert re.search(rf"^{target}:.*## ", makefile, re.MULTILINE)


@pytest.fixture(scope="module")
def folder(tmp_path_factory, tiny_encoder):
    folder: Path = tmp_path_factory.mktemp("readme")
    write_ncbi(folder / "data")
    write(folder / "notes" / "a.txt", "Known MS, with fever.")
    done = run_entry(
        "train.py", f"model.encoder={tiny_encoder}", "limit_documents=4", "trainer.max_epochs=1",
        f"hydra.run.dir={folder / 'run'}", folder=folder,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    return folder


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_runs(command, folder, tiny_encoder, tmp_path):
    command = command.replace("runs/<day>/<time>", str(folder / "run"))
    command = command.replace("/path/to/data", str(folder / "data"))
    command = command.replace("/path/to/model_pack", str(folder / "run" / "pack"))
    command = command.replace("/path/to/notes", str(folder / "notes"))
    script, *overrides = shlex.split(command)[1:]
    if script == "train.py":
        overrides += [
            f"model.encoder={tiny_encoder}", "limit_documents=4", "trainer.max_epochs=1",
            "pack=false", f"hydra.sweep.dir={tmp_path / 'sweep'}",
        ]  # fmt: skip
        if "-m" in overrides:  # Each member is the job above.
            overrides += ["detection=variants", "baselines=[]"]
    if script == "prepare.py":
        overrides.append("download=false")
    if script == "export.py":
        overrides.append(f"output={tmp_path / 'exported'}")
    if script == "annotate.py":
        overrides[-1] = f"output={tmp_path / 'links'}"
    overrides.append(f"hydra.run.dir={tmp_path / 'run'}")
    done = run_entry(script, *overrides, folder=folder)
    assert done.returncode == 0, done.stderr[-2000:]
