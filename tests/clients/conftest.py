"""One ``tomking emulator`` for the programs of other people's clients: a process, as a user starts it."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Generator

import pytest

from tests.clients.programs import ROOT, WORDS
from tests.wire.emulated import sample


@pytest.fixture(scope="session")
def emulator_line() -> Generator[str]:
    """What the command says when it is ready. It ends by a signal, without another word."""
    sample()  # the market is built once a home, not twice
    words = [sys.executable, "-m", "conf.main", "emulator", *WORDS]
    with subprocess.Popen(words, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as running:
        assert running.stdout is not None
        try:
            yield running.stdout.readline()
        finally:
            running.send_signal(signal.SIGTERM)
            out, errors = running.communicate(timeout=20)
        assert (running.returncode, out, errors) == (0, "", "")
