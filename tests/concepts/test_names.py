import subprocess
import sys

import torch

from embedlink.concepts.database import load_cdb
from embedlink.concepts.names import concept_names
from embedlink.problems import Problems
from embedlink.ragged import Groups


def test_groups_expand_select_and_invert():
    groups = Groups.of([[2, 0], [], [1, 2]])
    position, rows = groups.expand(torch.tensor([2, 0]))
    assert position.tolist() == [0, 0, 1, 1]
    assert rows.tolist() == [1, 2, 2, 0]
    assert [groups.select(torch.tensor([1, 2]))[i].tolist() for i in (0, 1)] == [[], [1, 2]]
    assert [groups.inverted(3)[i].tolist() for i in range(3)] == [[0], [2], [0, 2]]


def test_names_and_concepts_are_sorted_and_related(cdb):
    table = concept_names(cdb)
    assert list(table.names) == sorted(table.names)
    assert table.cuis == ("C1", "C2", "C3", "C4", "C5")
    ms = table.name_row["ms"]
    assert table.concepts_of_name[ms].tolist() == [0, 1]
    names = {table.names[row] for row in table.names_of_concept[2].tolist()}
    assert names == {"fever", "pyrexia"}


def test_representative_is_preferred_or_longest(cdb):
    preferred = concept_names(cdb, "preferred")
    longest = concept_names(cdb, "longest")
    text = {rule: t.texts[t.representative[0]] for rule, t in (("p", preferred), ("l", longest))}
    assert text == {"p": "multiple sclerosis", "l": "disseminated sclerosis"}


def test_shared_names_are_not_distinct_unless_a_concept_has_no_other(cdb):
    table = concept_names(cdb)
    distinct = {table.names[row] for row in table.distinct_names_of_concept[0].tolist()}
    assert "ms" not in distinct
    assert "multiple~sclerosis" in distinct


def test_a_preferred_name_that_is_no_name_gets_a_text_of_its_own(cdb):
    cdb.cui2info["C3"]["preferred_name"] = "Fever (finding)"
    table = concept_names(cdb)
    assert table.texts[table.representative[2]] == "fever (finding)"
    assert len(table.texts) == len(table.names) + 1


def test_the_table_does_not_depend_on_the_hash_seed(concept_table):
    script = (
        "from embedlink.concepts.database import load_cdb;"
        "from embedlink.concepts.names import concept_names;"
        "from embedlink.problems import Problems; import sys;"
        "print(concept_names(load_cdb(sys.argv[1], Problems()), 'longest').digest)"
    )
    other = subprocess.run(
        [sys.executable, "-c", script, str(concept_table)],
        env={"PYTHONHASHSEED": "1", "PATH": ""}, capture_output=True, text=True, check=True,
    )  # fmt: skip
    here = concept_names(load_cdb(concept_table, Problems()), "longest")  # Of the seed of pytest.
    assert other.stdout.strip() == str(here.digest)
