from embedlink.experiment.description import describe, size_in_megabytes


def test_a_run_is_described_by_its_result_gain_and_cost():
    metrics = {
        "test/f1": 0.76, "test/f1_low": 0.7, "test/f1_high": 0.8, "test/precision": 0.8,
        "test/recall": 0.72, "baseline/f1": 0.71,
    }  # fmt: skip
    text = describe("demo", metrics, dictionary=0.8, minutes=2.6, megabytes=91.4)
    assert text.split("\n\n") == [
        "Data: demo.",
        "F1 0.760 (95 % interval 0.700 to 0.800), precision 0.800, recall 0.720 on test documents.",
        "Gain: +0.050 over the untrained linker, -0.040 over the dictionary.",
        "Cost: 3 minutes; what ships takes 91 MB.",
    ]


def test_without_intervals_and_baselines_the_rest_is_said():
    metrics = {"test/f1": 0.5, "test/precision": 0.5, "test/recall": 0.5}
    text = describe("demo", metrics, minutes=1.0, megabytes=1.0)
    assert "interval" not in text
    assert "Gain" not in text


def test_a_folder_is_as_large_as_its_files(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "b").write_bytes(b"0" * 3_000_000)
    assert size_in_megabytes(tmp_path) == 3.0
