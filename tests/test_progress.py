"""Bars show where someone looks on, with a rate, and only for work that takes long."""

import io

from embedlink.progress import progress_bar, watched


def shown(monkeypatch, delay, description="Working", looked_at=True):
    """What a terminal gets to see of some work."""
    terminal = io.StringIO()
    monkeypatch.setattr(terminal, "isatty", lambda: looked_at)
    monkeypatch.setattr("sys.stderr", terminal)
    monkeypatch.setattr("embedlink.progress.DELAY", delay)
    with progress_bar(2, description, "names") as bar:
        bar.update()
        bar.update()
    assert list(watched([1, 2], "Watching", "names")) == [1, 2]
    return terminal.getvalue()


def test_long_work_shows_with_its_rate(monkeypatch):
    seen = shown(monkeypatch, 0)
    for word in ("Working", "Watching", "names/s"):
        assert word in seen


def test_short_work_does_not(monkeypatch):
    assert "Working" not in shown(monkeypatch, 2)


def test_without_a_description_or_a_terminal_there_is_none(monkeypatch):
    seen = shown(monkeypatch, 0, None)
    assert "Watching" in seen
    assert seen.count(" 0/2 ") == 1  # Of that bar alone.
    assert shown(monkeypatch, 0, looked_at=False) == ""
