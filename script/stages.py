"""The stages of script/test: each builds what it needs, runs, and counts single tests from TAP or JUnit results.

Quiet where all is well: a line a stage. What failed is shown with its output. The last line sums up."""
import argparse
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import xml.etree.ElementTree as xml
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TAIL_LINES = 150
COMMAND_SECONDS = 2400
LONG = False  # --long: with what takes minutes
SANITIZERS = {
    "ASAN_OPTIONS": "detect_stack_use_after_return=1:strict_string_checks=1",
    "UBSAN_OPTIONS": "halt_on_error=1:print_stacktrace=1",
    "TSAN_OPTIONS": f"halt_on_error=1:second_deadlock_stack=1:suppressions={ROOT}/tests/tsan.supp",
}


class Unable(Exception):
    """A stage could not run; says why."""


class Tally:
    def __init__(self, passed=0, failed=0, skipped=0):
        self.passed, self.failed, self.skipped = passed, failed, skipped
        self.shown = []  # what is printed of failures

    def __str__(self):
        return f"{self.passed} passed, {self.failed} failed, {self.skipped} skipped"

    def add(self, other):
        self.passed += other.passed
        self.failed += other.failed
        self.skipped += other.skipped

    def join(self, other):
        """With what it shows."""
        self.add(other)
        self.shown += other.shown


def tail(text):
    lines = text.rstrip().splitlines()
    return "\n".join(lines[-TAIL_LINES:])


def run(*command, cwd=ROOT, env=None):
    """The exit code and what was said. A command that hangs is ended with all that it started."""
    child = subprocess.Popen(command, cwd=cwd, env=os.environ | (env or {}), stdin=subprocess.DEVNULL,
                             stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace",
                             start_new_session=True)
    try:
        said, _ = child.communicate(timeout=COMMAND_SECONDS)
    except BaseException as why:
        os.killpg(child.pid, signal.SIGKILL)
        said, _ = child.communicate()
        if not isinstance(why, subprocess.TimeoutExpired):
            raise
        raise Unable(f"{' '.join(map(str, command))} did not end within {COMMAND_SECONDS} s\n{tail(said)}") from None
    return child.returncode, said


def must(*command, **more):
    code, said = run(*command, **more)
    if code != 0:
        raise Unable(f"{' '.join(map(str, command))} ended with {code}\n{tail(said)}")


def configured(directory, *options):
    if not (ROOT / directory / "build.ninja").exists():
        must("meson", "setup", directory, "-Dtest_hooks=true", *options)


def count_tap(text):
    """cmocka's: 'ok 1 - name', 'not ok 2 - name', 'ok 3 # SKIP'."""
    tally = Tally()
    for line in text.splitlines():
        if match := re.match(r"\s*(not )?ok\b(.*)", line):
            if re.search(r"#\s*skip", match[2], re.IGNORECASE):
                tally.skipped += 1
            elif match[1]:
                tally.failed += 1
            else:
                tally.passed += 1
    return tally


def count_junit(path):
    tally = Tally()
    if not path.exists():
        raise Unable(f"no results in {path}")
    for case in xml.parse(path).getroot().iter("testcase"):
        trouble = [part for part in case if part.tag in ("failure", "error")]
        if trouble:
            tally.failed += 1
            name = f"{case.get('classname', '')} {case.get('name', '')}".strip()
            said = "\n".join(filter(None, ((part.text or part.get("message")) for part in trouble)))
            kept = "\n".join(part.text for part in case if part.tag in ("system-out", "system-err") and part.text)
            tally.shown.append(f"FAILED {name}\n{tail(said)}\n{tail(kept)}".rstrip())
        elif case.find("skipped") is not None:
            tally.skipped += 1
        else:
            tally.passed += 1
    return tally


def count_meson(log):
    """From the test runner's log; a program that died or never said a result is one failure."""
    tally = Tally()
    for line in log.read_text().splitlines():
        test = json.loads(line)
        own = count_tap(test.get("stdout") or "")
        if test["result"] == "SKIP" and own.passed + own.failed + own.skipped == 0:
            own.skipped = 1
        elif test["result"] not in ("OK", "SKIP", "EXPECTEDFAIL") and own.failed == 0:
            # cmocka tells a skipped test as "not ok # SKIP", which meson takes for a failure
            only_skipped = test["result"] == "FAIL" and test.get("returncode") == 0 and own.skipped
            own.failed = 0 if only_skipped else 1
        elif test["result"] in ("OK", "EXPECTEDFAIL") and own.passed + own.skipped == 0:
            own.passed = 1
        tally.add(own)
        if own.failed:
            said = (test.get("stdout") or "") + (test.get("stderr") or "")
            tally.shown.append(f"FAILED {test['name']} ({test['result']})\n{tail(said)}")
    return tally


def unit_tests(directory, sanitize):
    configured(directory, f"-Db_sanitize={sanitize}")
    must("ninja", "-C", directory)
    log = ROOT / directory / "meson-logs/testlog.json"
    log.unlink(missing_ok=True)
    code, said = run("meson", "test", "-C", directory, "--no-rebuild", "-t", "4", env=SANITIZERS)
    if not log.exists():
        if "No tests defined" in said:
            return Tally()
        raise Unable(f"meson test ended with {code}\n{tail(said)}")
    return count_meson(log)


def stories(directory, marks=()):
    """The stories that carry all these marks; those marked `long` only with --long."""
    results = ROOT / directory / "stories.xml"
    results.unlink(missing_ok=True)
    wanted = " and ".join([*marks, *([] if LONG else ["not long"])])
    code, said = run("/usr/bin/python3", "-m", "pytest", "-q", f"--junitxml={results}", "-m", wanted, "tests/story",
                     env={"CALLREEL_BUILD": str(ROOT / directory), "PYTHONDONTWRITEBYTECODE": "1"} | SANITIZERS)
    if code not in (0, 1, 5):  # all passed, some failed, none chosen
        raise Unable(f"pytest ended with {code}\n{tail(said)}")
    return count_junit(results)


def build():
    must("script/build")
    configured("build-test")
    must("ninja", "-C", "build-test", "callreel", "callreel-sim")
    return Tally()


def layers():
    code, said = run("script/check-layers")
    tally = Tally(passed=int(code == 0), failed=int(code != 0))
    if code:
        tally.shown.append(tail(said))
    return tally


def unit():
    """Without sanitizers, in the build that the stories use."""
    return unit_tests("build-test", "none")


def unit_asan():
    return unit_tests("build-asan", "address,undefined")


def unit_tsan():
    return unit_tests("build-tsan", "thread")


def story():
    configured("build-test")
    must("ninja", "-C", "build-test", "callreel", "callreel-sim")
    return stories("build-test")


def sanitized_stories(directory, sanitize):
    configured(directory, f"-Db_sanitize={sanitize}")
    must("ninja", "-C", directory, "callreel", "callreel-sim")
    return stories(directory, ["sanitized"])


def story_asan():
    return sanitized_stories("build-asan", "address,undefined")


def story_tsan():
    return sanitized_stories("build-tsan", "thread")


def fuzz():
    """Each target for a minute from its kept corpus, as many at once as there are cores."""
    must("script/install-packages", "fuzz")
    code, said = run("/usr/bin/python3", "tests/fuzz/fuzz.py", "--tap", "--seconds", "60")
    tally = count_tap(said)
    if code not in (0, 1) or tally.passed + tally.failed == 0:
        raise Unable(f"tests/fuzz/fuzz.py ended with {code}\n{tail(said)}")
    if tally.failed:
        tally.shown.append(tail(said))
    return tally


def install_node(folder, section):
    """What node needs in a folder, anew where its list changed."""
    if not (shutil.which("node") and shutil.which("npm")):
        must("script/install-packages", section)
    stamp = folder / "node_modules/.installed"
    lock = folder / "package-lock.json"
    if not stamp.exists() or stamp.stat().st_mtime < lock.stat().st_mtime:
        must("npm", "ci", "--no-audit", "--no-fund", cwd=folder)
        stamp.touch()


def node_tests(folder, *files):
    """By node's own test runner, in a folder where all is installed."""
    results = ROOT / f"build-test/{folder.name}.xml"
    results.parent.mkdir(exist_ok=True)
    results.unlink(missing_ok=True)
    code, said = run("node", "--test", "--test-reporter=junit", f"--test-reporter-destination={results}", *files, cwd=folder,
                     env={"CALLREEL_BUILD": str(ROOT / "build-test")})
    tally = count_junit(results)
    if code and not tally.failed:
        raise Unable(f"node --test ended with {code}\n{tail(said)}")
    return tally


def peer():
    """The provider's own client against the real programs."""
    folder = ROOT / "tests/peer"
    install_node(folder, "peer")
    return node_tests(folder)


def e2e():
    """The page: its types and style, its rules, and a real browser in front of the real programs."""
    must("script/install-packages", "e2e")
    web, folder = ROOT / "web", ROOT / "tests/e2e"
    install_node(web, "web")
    install_node(folder, "e2e")
    code, said = run("npm", "run", "check", cwd=web)
    tally = Tally(passed=int(code == 0), failed=int(code != 0))
    if code:
        tally.shown.append(tail(said))
    build()
    tally.join(node_tests(web, *sorted(str(path.relative_to(web)) for path in web.glob("test/*.test.js"))))
    tally.join(node_tests(folder))
    return tally


STAGES = {"build": build, "layers": layers, "unit": unit, "unit-asan": unit_asan, "unit-tsan": unit_tsan, "story": story,
          "story-asan": story_asan, "story-tsan": story_tsan, "fuzz": fuzz, "peer": peer, "e2e": e2e}
EVERYTHING = [name for name in STAGES if name != "unit"]  # unit-asan runs the same tests
FAST = ["layers", "unit", "story"]


def perform(name):
    """One stage: prints its line, and what failed. A stage that could not run counts as one failure."""
    began = time.monotonic()
    try:
        tally = STAGES[name]()
    except Unable as why:
        tally = Tally(failed=1)
        tally.shown.append(f"could not run: {why}")
    if tally is None:
        return Tally()
    if tally.shown:
        print(f"--- {name}\n" + "\n\n".join(tally.shown))
    counts = "done" if name == "build" and not tally.failed else str(tally)
    print(f"{name:<12}{counts}, {time.monotonic() - began:.0f} s", flush=True)
    return tally


def main():
    global LONG
    options = argparse.ArgumentParser(prog="script/test", description="Builds and tests. Without a STAGE: everything.")
    options.add_argument("--long", action="store_true", help="with the stories that take minutes (marked `long`)")
    options.add_argument("stages", nargs="*", metavar="STAGE",
                         help=f"fast (that is {', '.join(FAST)}), or any of {', '.join(STAGES)}")
    said = options.parse_args()
    LONG = said.long
    chosen = [name for stage in said.stages or EVERYTHING for name in (FAST if stage == "fast" else [stage])]
    unknown = [name for name in chosen if name not in STAGES]
    if unknown:
        options.error(f"no such stage: {', '.join(unknown)}; there are fast, {', '.join(STAGES)}")
    total = Tally()
    for name in chosen:
        total.add(perform(name))
    print(total)
    return 1 if total.failed else 0


if __name__ == "__main__":
    sys.exit(main())
