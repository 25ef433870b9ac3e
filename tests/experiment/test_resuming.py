import os
from pathlib import Path

import pytest

from embedlink.experiment.resuming import Resumed
from embedlink.problems import EmbedLinkError


@pytest.fixture
def run_of(tmp_path):
    def make(time: str, *left: str) -> Path:
        folder = tmp_path / "2031-05-06" / time
        (folder / ".hydra").mkdir(parents=True)
        for number, name in enumerate(left):
            path = folder / name
            path.parent.mkdir(exist_ok=True)
            path.write_text("")
            os.utime(path, (int(time), int(time) + number))
        return folder

    return make


def test_a_folder_and_its_checkpoint_mean_the_same_run(run_of):
    folder = run_of("10", "checkpoints/last.ckpt", "tagger/config.json")
    checkpoint = folder / "checkpoints" / "last.ckpt"
    assert Resumed.of(str(folder)) == Resumed(folder, checkpoint, folder / "tagger")
    assert Resumed.of(str(checkpoint)) == Resumed.of(str(folder))
    assert Resumed.of(None) is None


def test_a_run_that_was_killed_early_is_resumed_by_its_tagger(run_of):
    folder = run_of("10", "tagger/config.json")
    assert Resumed.of(folder) == Resumed(folder, None, folder / "tagger")
    assert Resumed.of(run_of("11")) == Resumed(folder.with_name("11"), None, None)


def test_last_is_the_run_that_left_something_last(run_of):
    run_of("10", "checkpoints/last.ckpt")
    latest = run_of("30", "tagger/config.json")
    run_of("20", "checkpoints/last.ckpt")
    own = run_of("40", "checkpoints/last.ckpt")
    assert Resumed.of("last", own).folder == latest


def test_what_is_not_there_is_named(run_of, tmp_path):
    with pytest.raises(EmbedLinkError, match=r"no run below .* has left"):
        Resumed.of("last", run_of("10"))
    with pytest.raises(EmbedLinkError, match="the folder of a run"):
        Resumed.of(tmp_path / "nowhere")
