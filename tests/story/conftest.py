import os
import resource

import pytest

import callreel


def pytest_sessionstart(session):
    missing = [str(path) for path in (callreel.CALLREEL, callreel.SIMULATOR) if not path.exists()]
    if missing and not session.config.option.collectonly:
        pytest.exit(f"not built: {', '.join(missing)} (set CALLREEL_BUILD)", returncode=2)
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    os.umask(0o022)


def pytest_collection_modifyitems(items):
    """A story that hangs fails by itself (pytest.ini: timeout), before its stage is killed with all results."""
    for item in items:
        if item.get_closest_marker("long"):
            item.add_marker(pytest.mark.timeout(1800))


@pytest.hookimpl(tryfirst=True, hookwrapper=True)
def pytest_runtest_makereport(item, call):
    report = (yield).get_result()
    if report.when == "call" and report.failed and "world" in item.funcargs:
        for process in item.funcargs["world"].processes:
            report.sections.append((f"end of {process.log_path}", process.log()[-3000:]))


@pytest.fixture
def world(tmp_path):
    world = callreel.World(tmp_path)
    yield world
    world.close()


@pytest.fixture
def provider(world):
    return world.provider()
