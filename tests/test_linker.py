"""What a linker's folder keeps; see also `test_train.py`."""

import torch
from safetensors.torch import load_file, save_file

from embedlink.linker import WEIGHTS, Linker
from embedlink.names import concept_names

OF_CALIBRATION = ("scale", "tagged", "shift")


def test_calibration_and_threshold_are_kept(linker, cdb, tmp_path):
    names = concept_names(cdb)
    linker.decision.calibrate(0.5, 0.125, -0.25)
    linker.decision.threshold.fill_(0.3)
    linker.save(tmp_path / "linker", names, linker.build_index(names, progress=None))
    again = Linker.load(tmp_path / "linker").decision
    assert (again.scale, again.tagged, again.shift) == (0.5, 0.125, -0.25)
    assert torch.equal(again.threshold, linker.decision.threshold)


def test_a_linker_from_before_calibration_loads_without_one(linker, cdb, tmp_path):
    names = concept_names(cdb)
    linker.save(tmp_path / "linker", names, linker.build_index(names, progress=None))
    path = tmp_path / "linker" / WEIGHTS
    weights = load_file(path)
    save_file({k: t for k, t in weights.items() if k.split(".")[-1] not in OF_CALIBRATION}, path)
    again = Linker.load(tmp_path / "linker").decision
    assert (again.scale, again.tagged, again.shift) == (1, 0, 0)
