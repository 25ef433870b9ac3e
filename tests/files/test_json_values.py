import io
import json
import math

import pytest

from embedlink.files.json_values import _BLOCK, MOST_NESTED, JSONFault, JSONValues


def items(text: str) -> list[object]:
    values = JSONValues(io.BytesIO(text.encode("utf-8", "surrogatepass")))
    found = [values.value() for _ in values.items()]
    values.end()
    return found


@pytest.mark.parametrize("filler", [0, 10, _BLOCK - 9, _BLOCK - 4, _BLOCK - 1, _BLOCK, 3 * _BLOCK])
def test_values_are_those_of_json(filler: int) -> None:
    written = ["x" * filler, {"a": [1, 'b"{\\', None]}, 1.5, True, "é𝄞\ud83d", [], {}]
    assert items(json.dumps(written)) == written
    assert items(json.dumps(written[:-3], ensure_ascii=False)) == written[:-3]


def test_numbers_that_python_writes_or_refuses() -> None:
    found = items(f"[NaN, Infinity, {'9' * 5000}, [{'1' * 5000}]]")
    assert math.isnan(found[0])  # type: ignore[arg-type]
    assert found[1:] == [math.inf, math.inf, [math.inf]]


@pytest.mark.parametrize(
    ("text", "line", "reason"),
    [
        ("[1,\n2 3]", 2, "',' missing"),
        ("[1,\n]", 2, "a comma without a value"),
        ("[1,\n", 2, "the file ends early"),
        ('[1,\n"a', 2, "the file ends early"),
        ("[1,\ntru]", 2, "malformed JSON"),
        ('[{"a" 1}]', 1, "malformed JSON"),
        ("[1]\n]", 2, "content behind the end"),
        ("{}", 1, "'[' missing"),
        ("", 1, "the file ends early"),
        ("[" * 60_000, 1, f"nested more than {MOST_NESTED} deep"),
        ('[{"a":' * 60_000, 1, f"nested more than {MOST_NESTED} deep"),
    ],
)
def test_faults_name_their_place(text: str, line: int, reason: str) -> None:
    with pytest.raises(JSONFault) as caught:
        items(text)
    assert (caught.value.line, caught.value.reason) == (line, reason)


def test_keys_and_skipped_values() -> None:
    values = JSONValues(io.BytesIO(b' {"a": {"b": [1]}, "c": 2, "d": 3}'))
    found = []
    for key in values.members():
        found.append((key, values.skip() if key == "a" else values.value()))
    assert found == [("a", None), ("c", 2), ("d", 3)]
