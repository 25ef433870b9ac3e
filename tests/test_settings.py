"""A setting is added in one place and found wherever settings are read."""

from dataclasses import dataclass, replace

import pytest

from embedlink.experiment.registry import _node, settings_by_key, settings_table
from embedlink.experiment.settings import GROUPS
from embedlink.experiment.settings_table import README, TABLE, write
from embedlink.linking.settings import LinkerSettings
from embedlink.medcat.config import EmbedLinkLinking, with_settings
from embedlink.settings import SettingError, faults, near_miss, setting, settings_of


@dataclass(frozen=True)
class WiderSettings(LinkerSettings):
    margin: float = setting(0.25, ge=0, le=2, help="how far apart two concepts are kept")


def test_a_setting_is_validated_with_its_key_and_range():
    with pytest.raises(SettingError, match=r"margin=3 is not allowed; it takes a number from 0 to"):
        WiderSettings("encoder", margin=3)
    assert WiderSettings("encoder").margin == 0.25
    assert faults(WiderSettings, {"margin": -1}, "model.") == [
        "model.margin=-1 is not allowed; it takes a number from 0 to 2"
    ]


def test_a_setting_is_in_conf_and_in_the_table_that_help_and_readme_show():
    group = next(group for group in GROUPS if group.group == "model")
    wider = replace(group, settings=WiderSettings)
    assert _node(wider)["margin"] == 0.25
    table = settings_table(settings_by_key([wider]))
    assert (
        "| `model.margin` | how far apart two concepts are kept (a number from 0 to 2) | `0.25` |"
        in table
    )


def test_a_setting_is_a_field_of_the_component_in_medcat():
    config = with_settings(EmbedLinkLinking, WiderSettings)()
    assert config.settings() == WiderSettings(config.embedding_model_name, projection=True)
    config.margin = 1.5
    assert config.settings().margin == 1.5
    with pytest.raises(ValueError, match="margin"):
        config.margin = 3


def test_every_setting_has_a_sentence_of_help_and_says_what_it_takes():
    for key, declared in settings_by_key().items():
        assert len(declared.help) > 8, key
        assert declared.allowed != "a value", key


@pytest.mark.parametrize(
    ("value", "fits"),
    [(0, True), (2, True), (True, False), (2.5, False), ("2", False), (-1, False)],
)
def test_a_whole_number_is_no_truth_value_and_no_text(value, fits):
    assert (settings_of(LinkerSettings)["context_window"].fault(value) is None) == fits


def test_the_written_tables_are_those_of_the_typed_settings(tmp_path):
    readme, table = tmp_path / "README.md", tmp_path / "table.md"
    readme.write_text(README.read_text())
    write(table, readme)
    assert table.read_text() == TABLE.read_text()
    assert readme.read_text() == README.read_text()


def test_a_near_miss_is_named():
    assert near_miss("unfreze", ["unfreeze", "seed"]) == "; did you mean unfreeze?"
    assert near_miss("another", ["unfreeze", "seed"]) == ""
