from pathlib import Path

import embedlink
from embedlink.files.paths import resolve


def test_package_paths_lead_into_the_package() -> None:
    assert resolve("package://embedlink/types.py") == Path(embedlink.__file__).parent / "types.py"


def test_other_paths_stay() -> None:
    assert resolve("a/b") == Path("a/b")
    assert resolve("~") == Path.home()
