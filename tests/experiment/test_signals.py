"""A signal ends an entry where it is, with the exit code that a shell expects."""

import signal
import subprocess
import sys

import pytest

from embedlink.experiment.signals import HEARD, Stopped, stoppable

WORK = """
import sys, time
from embedlink.experiment.entry import launch, reported_errors

def main():
    with reported_errors():
        try:
            print("working", flush=True)
            time.sleep(60)
        finally:
            print("tidied up", flush=True)
            time.sleep(float(sys.argv[1]))

launch(main)
"""


def started(tidying: str) -> subprocess.Popen:
    process = subprocess.Popen(
        [sys.executable, "-c", WORK, tidying], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        text=True,
    )  # fmt: skip
    assert process.stdout.readline() == "working\n"
    return process


@pytest.mark.parametrize("name", HEARD)
def test_the_first_signal_tidies_up_and_gives_its_exit_code(name):
    process = started("0")
    process.send_signal(getattr(signal, name))
    out, err = process.communicate(timeout=30)
    assert process.returncode == 128 + getattr(signal, name)
    assert out == "tidied up\n"
    assert err == f"stopped by {name}.\n"


def test_a_second_signal_ends_at_once():
    process = started("60")
    process.send_signal(signal.SIGTERM)
    assert process.stdout.readline() == "tidied up\n"
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=30)
    assert process.returncode == -signal.SIGINT


def test_handlers_are_as_before_after_the_block():
    before = [signal.getsignal(getattr(signal, name)) for name in HEARD]
    with pytest.raises(Stopped) as stopped, stoppable():
        signal.raise_signal(signal.SIGUSR1)
    assert (stopped.value.name, stopped.value.exit_code) == ("SIGUSR1", 128 + signal.SIGUSR1)
    assert [signal.getsignal(getattr(signal, name)) for name in HEARD] == before
