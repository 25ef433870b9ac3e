"""`python prepare.py`: what it reads, reports and refuses."""

from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir
from omegaconf import DictConfig

from embedlink.corpora.report import DataReport
from embedlink.experiment.parts import Inputs
from embedlink.experiment.prepare import prepare, read_all
from embedlink.experiment.resolvers import register_resolvers
from embedlink.problems import EmbedLinkError, Problems
from tests.jobs.command import ROOT, run_entry
from tests.written import (
    published,
    write,
    write_cometa,
    write_distemist,
    write_snomed,
    write_snomed_table,
)

GROUPS = sorted(
    path.stem for path in (ROOT / "conf" / "data").glob("*.yaml") if path.stem != "base"
)


def read(cfg: DictConfig) -> tuple[DataReport, Problems]:
    return read_all(Inputs.of(cfg).data)


def composed(*overrides: str) -> DictConfig:
    register_resolvers()
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        return compose("prepare", list(overrides))


@pytest.fixture
def corpora(tmp_path: Path) -> Path:
    """The three corpora of `data=all` in their true formats, and a concept table."""
    write_snomed(tmp_path / "snomed_benchmark")
    write_distemist(tmp_path / "distemist")
    write_cometa(tmp_path / "cometa")
    write_snomed_table(tmp_path / "concepts.csv")
    return tmp_path


@pytest.mark.parametrize("group", GROUPS)
def test_every_configuration_has_the_same_keys(group: str) -> None:
    data = composed(f"data={group}").data
    keys = {
        "corpora",
        "sources",
        "concepts",
        "language",
        "senses",
        "unlabelled",
        "code_rule",
        "enrich",
        "new_concepts",
        "strict",
    }
    assert set(data) - {"export", "_target_"} == keys


def test_all_three_corpora(corpora: Path) -> None:
    config = composed(
        "data=all", f"data_dir={corpora}", "download=false", f"data.concepts={corpora}/concepts.csv"
    )
    report, problems = read(config)
    assert {name: row.documents for name, row in report.corpora.items()} == {
        "snomed": 12,
        "distemist": 3,
        "cometa": 6,
    }
    assert report.corpora["snomed"].in_database == 24
    assert not problems.rejected
    assert config.split.by == "random"


def test_missing_corpus_says_where_to_ask(tmp_path: Path) -> None:
    for group, address in (("snomed", "physionet.org"), ("cometa", "siphs.org")):
        with pytest.raises(EmbedLinkError, match=address):
            prepare(composed(f"data={group}", f"data_dir={tmp_path}"))


def test_command_line(corpora: Path) -> None:
    overrides = ["data=snomed", f"data_dir={corpora}", f"data.concepts={corpora}/concepts.csv"]
    before = sorted(path.name for path in corpora.iterdir())
    good = run_entry("prepare.py", *overrides, folder=corpora)
    assert good.returncode == 0, good.stderr
    assert ["documents", "12"] in [line.split() for line in good.stdout.splitlines()]
    assert "rows rejected: 0" in good.stdout
    assert sorted(path.name for path in corpora.iterdir()) == before  # no litter

    path = corpora / "snomed_benchmark" / "train_annotations.csv"
    write(path, path.read_text() + "train-0-DS-0,9,2,1\n")
    bad = run_entry("prepare.py", *overrides, folder=corpora)
    assert bad.returncode == 1
    assert "rows rejected: 1" in bad.stdout
    assert "train_annotations.csv:14: end before start" in bad.stderr
    assert "Traceback" not in bad.stderr
    lenient = run_entry("prepare.py", *overrides, "data.strict=false", folder=corpora)
    assert lenient.returncode == 0


@pytest.mark.parametrize(("group", "documents"), [("ncbi", 793), ("distemist", 583)])
def test_published_data_passes_a_strict_run(group: str, documents: int) -> None:
    folder = published("concepts").parent
    report, problems = read(composed(f"data={group}", f"data_dir={folder}", "download=false"))
    assert report.corpora[group].documents == documents
    assert not problems.rejected
