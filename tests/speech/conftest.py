"""Real engines for the tests of this folder. What can't be had here skips a test with one sentence."""
import os

import pytest

import callreel
import calls
import engines as engines_module
import score
import whisper_install


@pytest.fixture(scope="session")
def engines():
    """Starts engines by model, each once."""
    running = {}

    def start(model, threads=1):
        if model not in running:
            try:
                running[model] = engines_module.Whisper(model, threads)
            except whisper_install.Unable as why:
                pytest.skip(f"no engine: {why}")
        return running[model]

    yield start
    for engine in running.values():
        engine.stop()


@pytest.fixture(scope="session")
def faster_whisper():
    try:
        engine = engines_module.FasterWhisper("tiny.en")
    except whisper_install.Unable as why:
        pytest.skip(f"no faster-whisper: {why}")
    yield engine
    engine.stop()


@pytest.fixture(scope="session")
def scoring():
    try:
        return whisper_install.python_with(*score.PINS)
    except whisper_install.Unable as why:
        pytest.skip(f"nothing to score with: {why}")


@pytest.fixture(scope="session")
def voices():
    """Skips where the voices are not installed."""
    if said := calls.missing():
        pytest.skip(said)


def made_world(directory):
    if not callreel.CALLREEL.exists():
        pytest.skip(f"{callreel.CALLREEL} is not built")
    os.umask(0o022)
    return callreel.World(directory)


@pytest.fixture
def world(tmp_path):
    world = made_world(tmp_path)
    yield world
    world.close()
