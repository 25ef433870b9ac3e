"""What the package index and MedCAT are told about the package."""

import json
import tomllib

from medcat.plugins.catalog import PluginInfo

from embedlink import __version__
from tests.jobs.command import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def test_the_entry_for_medcats_catalogue_says_what_the_package_says():
    entries = json.loads((ROOT / "plugin_catalog.json").read_text())
    [(name, entry)] = entries.items()
    plugin = PluginInfo.model_validate(entry)
    [fits] = plugin.compatibility
    assert name == plugin.name == plugin.source_spec.source == PROJECT["name"]
    assert plugin.description == PROJECT["description"]
    assert plugin.homepage == PROJECT["urls"]["Homepage"]
    assert fits.plugin_version == __version__
    assert f"medcat{fits.medcat_version}" in PROJECT["dependencies"]


def test_what_medcat_shows_of_a_plugin_is_given():
    [author] = PROJECT["authors"]
    assert author["name"]
    assert "@" in author["email"]
    assert PROJECT["entry-points"]["medcat.plugins"] == {"embedlink": "embedlink.plugin"}


def test_extras_ask_for_the_versions_that_were_tested():
    deployment = (ROOT / "DEPLOYMENT.md").read_text()
    for extra, package in (("ray", "ray[data]=="), ("spark", "pyspark==")):
        [asked] = [each for each in PROJECT["optional-dependencies"][extra] if package in each]
        assert asked.split("==")[1] in deployment
