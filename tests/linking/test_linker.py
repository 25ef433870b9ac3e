"""What a linker's folder keeps; see also `test_train.py`."""

import dataclasses
import json
import math

import pytest
import torch

from embedlink.concepts.names import concept_names
from embedlink.files.manifest import write_manifest
from embedlink.linking.linker import Linker
from embedlink.problems import EmbedLinkError


def test_calibration_and_threshold_are_kept(linker, cdb, tmp_path):
    names = concept_names(cdb)
    linker.decision.calibration.fill_(0.125)
    linker.decision.threshold.fill_(0.3)
    linker.decision.reach.copy_(torch.tensor([2.5, math.inf]))
    linker.save(tmp_path / "linker", names, linker.build_index(names, progress=None))
    again = Linker.load(tmp_path / "linker").decision
    assert torch.equal(again.calibration, linker.decision.calibration)
    assert torch.equal(again.threshold, linker.decision.threshold)
    assert torch.equal(again.reach, linker.decision.reach)


def test_frequencies_become_a_prior(linker, cdb, tmp_path):
    names = concept_names(cdb)
    assert linker.build_index(names, progress=None).prior is None
    settings = dataclasses.replace(linker.settings, frequency_weight=0.5)
    linker = dataclasses.replace(linker, settings=settings, frequencies={"C3": 6, "C99": 2})
    index = linker.build_index(names, progress=None)
    linker.save(tmp_path / "linker", names, index)
    again = Linker.load(tmp_path / "linker")
    stored = again.stored_index(tmp_path / "linker", names)
    expected = torch.zeros(len(names.cuis))
    expected[names.cui_row["C3"]] = 0.5 * math.log(7)
    assert torch.allclose(index.prior, expected)
    assert torch.allclose(stored.prior, expected)


@pytest.mark.parametrize(("name", "value"), [("dtype", "float16"), ("pooling", "cls")])
def test_a_setting_that_no_linker_has_is_named(linker, cdb, tmp_path, name, value):
    names = concept_names(cdb)
    linker.save(tmp_path, names, linker.build_index(names, progress=None))
    described = json.loads((tmp_path / "linker.json").read_text())
    described["settings"][name] = value
    (tmp_path / "linker.json").write_text(json.dumps(described))
    write_manifest(tmp_path, "linker")
    with pytest.raises(EmbedLinkError, match=rf"linker\.json: .*{value}"):
        Linker.load(tmp_path)


def test_a_window_that_mentions_share_is_not_pooled_whole(linker):
    with pytest.raises(EmbedLinkError, match="pooling=mention"):
        dataclasses.replace(linker.settings, reads="note", pooling="window")
