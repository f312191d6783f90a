"""Builds the fuzz targets with clang and runs each for a while, one on each core, from the kept corpus and the inputs that earlier
runs found. --tap prints a TAP line for each target, for script/test.

--day SECONDS fuzzes until all targets together have had that much, over as many runs as that takes: each run goes on with those
that have had the least, in pieces of --seconds, for --budget seconds. What they had, and what they found, is kept in
CALLREEL_FUZZ_CACHE (default build-fuzz)."""
import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BUILD = ROOT / "build-fuzz"
CLANG = "clang-14"
CORPUS = ROOT / "tests/fuzz/corpus"
CACHE = Path(os.environ.get("CALLREEL_FUZZ_CACHE", BUILD))
SPENT = CACHE / "spent.json"  # seconds of each target towards --day
TAIL_LINES, INPUT_SECONDS, RSS_MB, KEPT_BYTES = 60, 10, 2048, 1024


def must(*command, env=None):
    done = subprocess.run(command, cwd=ROOT, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode:
        sys.exit(f"{done.stdout}\ntests/fuzz: {' '.join(map(str, command))} ended with {done.returncode}")


def names():
    return sorted(path.stem for path in (ROOT / "tests/fuzz").glob("*.c"))


def build(targets):
    if not (BUILD / "build.ninja").exists():
        compiler = f"ccache {CLANG}" if shutil.which("ccache") else CLANG
        must("meson", "setup", BUILD, "-Dfuzz=true", env=os.environ | {"CC": compiler})
    must("ninja", "-C", BUILD, *(f"tests/fuzz/fuzz_{name}" for name in targets))


def places(name):
    """Where its inputs are: those that runs found, those that are kept."""
    grown, kept = CACHE / "corpus" / name, CORPUS / name
    for directory in (grown, kept, BUILD / "findings"):
        directory.mkdir(parents=True, exist_ok=True)
    return grown, kept


def ran(name, *options):
    """None, or what was found."""
    command = [BUILD / f"tests/fuzz/fuzz_{name}", f"-timeout={INPUT_SECONDS}", f"-rss_limit_mb={RSS_MB}",
               f"-artifact_prefix={BUILD}/findings/{name}-", *options]
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace",
                          env=os.environ | {"ASAN_OPTIONS": "detect_leaks=1", "UBSAN_OPTIONS": "print_stacktrace=1"})
    told = [line for line in done.stdout.splitlines() if not re.match(r"#\d+\s", line)]  # without how it went on
    return None if done.returncode == 0 else "\n".join(told[-TAIL_LINES:])


def fuzz(name, seconds):
    return ran(name, f"-max_total_time={seconds}", *places(name))


def keep(name):
    """Puts what reaches code that the kept corpus does not into it, in short inputs."""
    grown, kept = places(name)
    return ran(name, "-merge=1", "-use_counters=0", f"-max_len={KEPT_BYTES}", kept, grown)


def spent_so_far(targets):
    try:
        had = json.loads(SPENT.read_text())
    except (OSError, ValueError):
        had = {}
    return {name: float(had.get(name, 0)) for name in targets}


def fuzz_a_day(targets, day, piece, budget, pool):
    """The finding of each target, None if there is none, after budget seconds or when each has had its share of the day."""
    cores, share, began = len(os.sched_getaffinity(0)), day / len(targets), time.monotonic()
    spent, found = spent_so_far(targets), dict.fromkeys(targets)
    while time.monotonic() - began < budget:
        due = sorted((name for name in targets if spent[name] < share and not found[name]), key=spent.get)[:cores]
        if not due:
            break
        for name, what in zip(due, pool.map(lambda name: fuzz(name, piece), due)):
            found[name] = what
            spent[name] += piece
        if min(spent.values()) >= share:
            spent = dict.fromkeys(spent, 0.0)  # the next day begins with the next run
            SPENT.write_text(json.dumps(spent))
            break
        SPENT.write_text(json.dumps(spent))
    return [found[name] for name in targets]


def main():
    options = argparse.ArgumentParser(prog="script/fuzz")
    options.add_argument("--seconds", type=int, default=60)
    options.add_argument("--tap", action="store_true")
    options.add_argument("--day", type=int, metavar="SECONDS", help="go on with a day's worth of fuzzing, in pieces of --seconds")
    options.add_argument("--budget", type=int, default=3600, metavar="SECONDS", help="with --day: how long this run may take (3600)")
    options.add_argument("--keep", action="store_true", help="no fuzzing: add to the kept corpus what earlier runs found")
    options.add_argument("targets", nargs="*", metavar="TARGET")
    chosen = options.parse_args()
    targets = chosen.targets or names()
    unknown = [name for name in targets if name not in names()]
    if unknown:
        options.error(f"no such target: {', '.join(unknown)}; there are {', '.join(names())}")
    build(targets)
    failed = 0
    with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        if chosen.day:
            results = fuzz_a_day(targets, chosen.day, chosen.seconds, chosen.budget, pool)
        else:
            results = pool.map(keep if chosen.keep else lambda name: fuzz(name, chosen.seconds), targets)
        for i, (name, found) in enumerate(zip(targets, results), 1):
            failed += found is not None
            if chosen.tap:
                print(f"{'not ok' if found else 'ok'} {i} - {name}", flush=True)
            if found:
                print(found if not chosen.tap else "\n".join(f"# {line}" for line in found.splitlines()), flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
