"""Real engines for the tests of this folder. What can't be had here skips a test with one sentence."""
import os
import selectors
import subprocess
import time
from pathlib import Path

import pytest

import callreel
import calls
import whisper_install

ROOT = Path(__file__).resolve().parents[2]
WHISPER = ROOT / "script/whisper"
STARTS_WITHIN = 60.0


class Running:
    """A child that prints its URL as its first line."""

    def __init__(self, *argv):
        self.child = subprocess.Popen([str(a) for a in argv], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.url = self._first_line()

    def _first_line(self):
        waiting = selectors.DefaultSelector()
        waiting.register(self.child.stdout, selectors.EVENT_READ)
        if not waiting.select(STARTS_WITHIN * callreel.PATIENCE):
            self.stop()
            raise AssertionError("the engine did not answer in time")
        line = self.child.stdout.readline().decode().strip()
        if not line:
            _, said = self.child.communicate(timeout=30)
            raise AssertionError(f"the engine ended with {self.child.returncode}: {said.decode()}")
        return line

    @property
    def port(self):
        return int(self.url.rpartition(":")[2])

    def stop(self):
        self.child.terminate()
        self.child.communicate(timeout=30)
        return self.child.returncode


@pytest.fixture(scope="session")
def engines():
    """Starts engines by model, each once."""
    running = {}

    def start(model, threads=1):
        if model not in running:
            try:
                whisper_install.install_engine()
                whisper_install.install_model(model)
            except whisper_install.Unable as why:
                pytest.skip(f"no engine: {why}")
            running[model] = Running(WHISPER, "serve", "--model", model, "--threads", threads)
        return running[model]

    yield start
    for engine in running.values():
        engine.stop()


@pytest.fixture(scope="session")
def scoring():
    try:
        import score
        return whisper_install.python_with(*score.PINS)
    except whisper_install.Unable as why:
        pytest.skip(f"nothing to score with: {why}")


@pytest.fixture
def voices():
    """Skips where the voices are not installed."""
    if said := calls.missing():
        pytest.skip(said)


@pytest.fixture
def world(tmp_path):
    if not callreel.CALLREEL.exists():
        pytest.skip(f"{callreel.CALLREEL} is not built")
    os.umask(0o022)
    world = callreel.World(tmp_path)
    yield world
    world.close()


def cpu_seconds(pid):
    """Processor time of a process and its children."""
    total = 0.0
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(path.parent.name) == pid or int(fields[1]) == pid:
            total += (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return total


def wait_until(look, within):
    until = time.monotonic() + within
    while not (value := look()):
        assert time.monotonic() < until, f"not within {within} s"
        time.sleep(0.05)
    return value
