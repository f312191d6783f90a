"""Builds the fuzz targets with clang and runs each for a while, from the corpus that is kept and what earlier runs found.

--tap writes a line a target, for script/test; it says "1..0 # SKIP" where there is no clang with libFuzzer."""
import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BUILD = ROOT / "build-fuzz"
CLANG = "clang-14"
TAIL_LINES = 60


def has_fuzzer():
    source = "int LLVMFuzzerTestOneInput(const unsigned char *p, unsigned long n) { return p && n ? 0 : 0; }\n"
    with tempfile.TemporaryDirectory() as directory:
        command = [CLANG, "-fsanitize=fuzzer", "-x", "c", "-", "-o", f"{directory}/try"]
        try:
            return subprocess.run(command, input=source, text=True, capture_output=True).returncode == 0
        except OSError:
            return False


def must(*command, env=None):
    done = subprocess.run(command, cwd=ROOT, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode:
        sys.exit(f"{done.stdout}\ntests/fuzz: {' '.join(map(str, command))} ended with {done.returncode}")


def names():
    return sorted(path.stem for path in (ROOT / "tests/fuzz").glob("*.c"))


def build(targets):
    if not (BUILD / "build.ninja").exists():
        must("meson", "setup", BUILD, "-Dfuzz=true", env=os.environ | {"CC": CLANG})
    must("ninja", "-C", BUILD, *(f"tests/fuzz/fuzz_{name}" for name in targets))


def fuzz(name, seconds):
    """None, or what was found."""
    grown, findings, kept = BUILD / "corpus" / name, BUILD / "findings", ROOT / "tests/fuzz/corpus" / name
    for directory in (grown, findings):
        directory.mkdir(parents=True, exist_ok=True)
    command = [BUILD / f"tests/fuzz/fuzz_{name}", f"-max_total_time={seconds}", "-timeout=10", "-rss_limit_mb=2048",
               f"-artifact_prefix={findings}/{name}-", grown, *([kept] if kept.is_dir() else [])]
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace",
                          env=os.environ | {"ASAN_OPTIONS": "detect_leaks=1", "UBSAN_OPTIONS": "print_stacktrace=1"})
    return None if done.returncode == 0 else "\n".join(done.stdout.splitlines()[-TAIL_LINES:])


def main():
    options = argparse.ArgumentParser(prog="script/fuzz")
    options.add_argument("--seconds", type=int, default=60)
    options.add_argument("--tap", action="store_true")
    options.add_argument("targets", nargs="*", metavar="TARGET")
    chosen = options.parse_args()
    targets = chosen.targets or names()
    unknown = [name for name in targets if name not in names()]
    if unknown:
        options.error(f"no such target: {', '.join(unknown)}; there are {', '.join(names())}")
    if not has_fuzzer():
        print(f"1..0 # SKIP {CLANG} with libFuzzer is not installed: script/fuzz installs it" if chosen.tap
              else f"script/fuzz: {CLANG} can't build with libFuzzer")
        return 0 if chosen.tap else 1
    build(targets)
    failed = 0
    for i, name in enumerate(targets, 1):
        found = fuzz(name, chosen.seconds)
        failed += found is not None
        if chosen.tap:
            print(f"{'not ok' if found else 'ok'} {i} - {name}", flush=True)
        if found:
            print(found if not chosen.tap else "\n".join(f"# {line}" for line in found.splitlines()), flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
