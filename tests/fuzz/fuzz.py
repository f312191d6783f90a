"""Builds the fuzz targets with clang and runs each for a while, one on each core, from the kept corpus and the inputs that earlier
runs found. --tap prints a TAP line for each target, for script/test."""
import argparse
import os
import re
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BUILD = ROOT / "build-fuzz"
CLANG = "clang-14"
CORPUS = ROOT / "tests/fuzz/corpus"
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
    grown, kept = BUILD / "corpus" / name, CORPUS / name
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


def main():
    options = argparse.ArgumentParser(prog="script/fuzz")
    options.add_argument("--seconds", type=int, default=60)
    options.add_argument("--tap", action="store_true")
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
