"""A checkpoint is there whole, or the earlier one stays."""

import os
import resource
import stat

import lightning as L
import pytest
import torch

from embedlink.problems import EmbedLinkError
from embedlink.training.checkpoint_io import AtomicCheckpointIO


def test_a_checkpoint_is_read_back_and_is_its_owners_alone(tmp_path):
    io = AtomicCheckpointIO()
    io.save_checkpoint({"state": torch.arange(3)}, tmp_path / "sub" / "last.ckpt")
    assert io.load_checkpoint(tmp_path / "sub" / "last.ckpt")["state"].tolist() == [0, 1, 2]
    assert os.listdir(tmp_path / "sub") == ["last.ckpt"]
    assert stat.S_IMODE((tmp_path / "sub" / "last.ckpt").stat().st_mode) == 0o600


def test_a_full_disk_leaves_the_earlier_checkpoint_whole(tmp_path):
    io, path = AtomicCheckpointIO(), tmp_path / "last.ckpt"
    io.save_checkpoint({"epoch": 1}, path)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 16, limits[1]))
    try:
        with pytest.raises(EmbedLinkError, match=r"last\.ckpt: cannot be written .*MB free"):
            io.save_checkpoint({"state": torch.zeros(1 << 20)}, path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert io.load_checkpoint(path) == {"epoch": 1}
    assert os.listdir(tmp_path) == ["last.ckpt"]


def test_nothing_passes_through_the_temporary_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path / "none"))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "none"))
    trainer = L.Trainer(
        plugins=[AtomicCheckpointIO()], logger=False, accelerator="cpu", default_root_dir=tmp_path,
        enable_model_summary=False,
    )  # fmt: skip
    trainer.strategy.connect(L.LightningModule())
    trainer.save_checkpoint(tmp_path / "last.ckpt")
    assert (tmp_path / "last.ckpt").is_file()
