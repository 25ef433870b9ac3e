"""Metrics as tables for the terminal."""

from embedlink.evaluation.summary import results_table, split_summary

COUNTED = {"tp": 9.0, "fp": 3.0, "fn": 1.0, "precision": 0.75, "recall": 0.9, "f1": 9 / 11}
BOUNDED = COUNTED | {"f1_low": 0.7, "f1_high": 0.9, "accuracy_at_1": 0.5}


def test_each_result_has_a_line_with_its_intervals():
    lines = results_table({"untrained": COUNTED, "trained": BOUNDED}).splitlines()
    assert lines[0].split() == ["precision", "recall", "F1", "accuracy@1"]
    assert lines[1].split() == ["untrained", "0.750", "0.900", "0.818"]
    assert lines[2].split() == ["trained", "0.750", "0.900", "0.818", "[0.700,", "0.900]", "0.500"]
    assert lines[1].index("0.750") == lines[2].index("0.750")


def test_a_split_is_told_in_one_screen():
    groups = {"accuracy_at_1/no_name": 0.25, "recall_at_64/no_name": 1.0, "mentions/no_name": 4.0}
    decided = {"threshold": 0.5, "calibration_error": 0.02}
    said = split_summary("linker", BOUNDED | groups | decided)
    assert "9 links are right, 3 wrong, 1 are missing." in said
    assert "Link threshold 0.500, calibration error 0.020." in said
    assert said.splitlines()[-1].split() == ["no", "name", "4", "0.250", "1.000"]
    assert "corpus" not in said


def test_a_baseline_has_no_link_decision():
    assert "threshold" not in split_summary("dictionary", COUNTED)


def test_corpora_stand_apart_if_there_are_several():
    apart = {
        f"{corpus}/{metric}": value
        for corpus, value in (("ncbi", 0.5), ("bc5cdr", 0.25))
        for metric in ("precision", "recall", "f1", "char_iou")
    }
    lines = split_summary("linker", BOUNDED | apart).splitlines()
    assert ["ncbi", "0.500", "0.500", "0.500"] in [line.split() for line in lines]
    assert ["bc5cdr", "0.250", "0.250", "0.250"] in [line.split() for line in lines]
