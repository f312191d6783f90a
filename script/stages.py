"""The stages of script/test. Each builds what it needs, runs its tests, and counts them from TAP or JUnit results.

Prints a line for each stage, a line with the reason for each skipped test, the output of what failed, and a last line with the
counts. HACKING.md says what each stage is for and how long it takes.

Stages run in processes of their own, AT_ONCE at a time, so that one uses the cores while another waits; each prints its lines
when it ends. Those in ALONE run before the others, one by one: they are quick, build what several stages use, or compare times.
A build directory is built by one stage at a time."""
import argparse
import contextlib
import fcntl
import json
import multiprocessing
import os
import re
import resource
import shutil
import signal
import subprocess
import sys
import time
import xml.etree.ElementTree as xml
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor, as_completed
from pathlib import Path

import postgres_server

ROOT = Path(__file__).resolve().parent.parent
TAIL_LINES = 150
SUMMARY_LINES, SUMMARY_WIDTH = 5, 200  # of each failure
COMMAND_SECONDS = 2400
CORES = len(os.sched_getaffinity(0))
TESTS_AT_ONCE = 2 * CORES  # tests wait most of the time
AT_ONCE = 2  # stages
CLANG_FORMAT = "clang-format-14"  # other versions format differently
FUZZ_SECONDS, FUZZ_SECONDS_LONG = 2, 600  # a target
FUZZ_PIECE_SECONDS = 120
FUZZ_DAY_SECONDS = int(os.environ.get("CALLREEL_FUZZ_DAY", 86400))  # of all targets, over several runs of --long
SOAK_MINUTES = 5
MODEL_STEPS, MODEL_STEPS_SANITIZED = 50000, 5000  # without --long; with it 200,000
POSTGRES_STORIES = ["journey", "once", "webhooks", "events", "looks", "postgres", "postgres_failures", "postgres_pooler", "soak_postgres", "move"]
# Of what removes and keeps these few: together they make the server run what holds, retention, prune, erasures and tasks ask of it.
POSTGRES_REMOVALS = ["holds.py::test_what_a_number_held_stays_held_whatever_is_told_of_it",
                     "erasure.py::test_after_an_erasure_a_scan_finds_the_person_nowhere",
                     "erasure.py::test_an_erasure_takes_a_number_out_of_others_transcripts",
                     "erasure.py::test_an_erasure_takes_the_number_out_of_names_that_people_chose",
                     "prune.py::test_a_dry_run_lists_what_then_goes_and_nothing_else",
                     "prune.py::test_calls_go_after_their_recordings_when_their_own_time_is_over",
                     "removal_at_provider.py::test_the_provider_is_told_once_of_what_expired"]
FORBIDDEN_IN_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]|&#(?:x0*(?:[0-8BCEF]|1[0-9A-F])|0*(?:[0-8]|1[124-9]|2[0-9]|3[01]));", re.I)
LONG = False  # --long
SANITIZERS = {
    "ASAN_OPTIONS": "detect_stack_use_after_return=1:strict_string_checks=1:verify_asan_link_order=0",  # for no_sync
    "UBSAN_OPTIONS": "halt_on_error=1:print_stacktrace=1",
    "TSAN_OPTIONS": f"halt_on_error=1:second_deadlock_stack=1:suppressions={ROOT}/tests/tsan.supp",
}


class Unable(Exception):
    """A stage could not run; its text says why."""


class Tally:
    def __init__(self, passed=0, failed=0, skipped=0):
        self.passed, self.failed, self.skipped = passed, failed, skipped
        self.shown = []  # the output of failures; the first line of each names the test
        self.reasons = []  # a line for each skipped test: its name and why

    def __str__(self):
        return f"{self.passed} passed, {self.failed} failed, {self.skipped} skipped"

    def add(self, other):
        self.passed += other.passed
        self.failed += other.failed
        self.skipped += other.skipped

    def join(self, other):
        """Adds the counts and the output of other."""
        self.add(other)
        self.shown += other.shown
        self.reasons += other.reasons


def tail(text):
    """The last lines of an output, without ninja's progress lines."""
    lines = [line for line in text.rstrip().splitlines() if not re.match(r"\[\d+/\d+\] ", line)]
    return "\n".join(lines[-TAIL_LINES:])


def run(*command, cwd=ROOT, env=None, within=COMMAND_SECONDS):
    """Returns the exit code and the output. A command that hangs is killed with all its children."""
    child = subprocess.Popen(command, cwd=cwd, env=os.environ | (env or {}), stdin=subprocess.DEVNULL,
                             stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace",
                             start_new_session=True)
    try:
        said, _ = child.communicate(timeout=within)
    except BaseException as why:
        os.killpg(child.pid, signal.SIGKILL)
        said, _ = child.communicate()
        if not isinstance(why, subprocess.TimeoutExpired):
            raise
        raise Unable(f"{' '.join(map(str, command))} did not end within {within} s\n{tail(said)}") from None
    return child.returncode, said


def must(*command, **more):
    code, said = run(*command, **more)
    if code != 0:
        raise Unable(f"{' '.join(map(str, command))} ended with {code}\n{tail(said)}")


@contextlib.contextmanager
def held(directory):
    """No other stage builds in that directory meanwhile."""
    (ROOT / directory).mkdir(exist_ok=True)
    with open(ROOT / directory / ".lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def built(directory, *options, targets=()):
    """Configures the directory if that was never done, and builds the targets, or everything."""
    with held(directory):
        if not (ROOT / directory / "build.ninja").exists():
            must("meson", "setup", directory, "-Dtest_hooks=true", *options)
        must("ninja", "-C", directory, *targets)


def count_tap(text, program=""):
    """Lines 'ok 1 - name' and 'not ok 2 - name'. A skipped test is 'ok 4 - name # SKIP why', or 'ok 3 # SKIP name' of a C program
    (tests/unit/tap.c), before which the test prints '# skipped: why'."""
    tally = Tally()
    reason = ""
    for line in text.splitlines():
        if match := re.match(r"#\s*skipped: (.*)", line):
            reason = match[1]
        elif match := re.match(r"\s*(not )?ok\b(.*)", line):
            if skip := re.search(r"^\s*\d*[\s-]*(.*?)\s*#\s*skip\b:?\s*(.*)", match[2], re.IGNORECASE):
                name, why = (skip[2], reason) if reason else (skip[1], skip[2])
                tally.skipped += 1
                tally.reasons.append(f"{program} {name}: {why or 'it does not say why'}")
            elif match[1]:
                tally.failed += 1
            else:
                tally.passed += 1
            reason = ""
    return tally


def count_junit(path):
    """Characters that XML forbids, such as the colours in a failure's text, are left out. A report that can't be read is one failure."""
    tally = Tally()
    if not path.exists():
        raise Unable(f"no results in {path}")
    text = path.read_text(errors="replace")
    try:
        report = xml.fromstring(FORBIDDEN_IN_XML.sub("", text).encode())
    except xml.ParseError as why:
        tally.failed = 1
        tally.shown.append(f"FAILED {path.name}: its report can't be read: {why}\n{tail(text)}")
        return tally
    for case in report.iter("testcase"):
        trouble = [part for part in case if part.tag in ("failure", "error")]
        if trouble:
            tally.failed += 1
            name = f"{case.get('classname', '')} {case.get('name', '')}".strip()
            said = "\n".join(filter(None, ((part.text or part.get("message")) for part in trouble)))
            kept = "\n".join(part.text for part in case if part.tag in ("system-out", "system-err") and part.text)
            tally.shown.append(f"FAILED {name}\n{tail(said)}\n{tail(kept)}".rstrip())
        elif (skipped := case.find("skipped")) is not None:
            tally.skipped += 1
            why = skipped.get("message") or "it does not say why"
            tally.reasons.append(f"{case.get('classname', '')} {case.get('name', '')}: {why}".strip())
        else:
            tally.passed += 1
    return tally


def count_meson(log):
    """Counts meson's log. A program that died or printed no result is one failure."""
    tally = Tally()
    for line in log.read_text().splitlines():
        test = json.loads(line)
        own = count_tap(test.get("stdout") or "", test["name"].split(" / ", 1)[-1])
        if test["result"] == "SKIP" and own.passed + own.failed + own.skipped == 0:
            own.failed = 1  # tests skip one by one; a program that prints no result has run nothing, or prints it in another form
        elif test["result"] not in ("OK", "SKIP", "EXPECTEDFAIL") and own.failed == 0:
            own.failed = 1
        elif test["result"] in ("OK", "EXPECTEDFAIL") and own.passed + own.skipped == 0:
            own.passed = 1
        tally.join(own)
        if own.failed:
            said = (test.get("stdout") or "") + (test.get("stderr") or "")
            tally.shown.append(f"FAILED {test['name']} ({test['result']})\n{tail(said)}")
    return tally


def preloads():
    """The libraries that tests preload, as targets of ninja."""
    return [f"tests/preload/lib{path.stem}.so" for path in sorted((ROOT / "tests/preload").glob("*.c"))]


def unit_tests(directory, sanitize, *options):
    """Builds and runs the tests that the options choose; without options all of them."""
    built(directory, f"-Db_sanitize={sanitize}")
    log = ROOT / directory / "meson-logs/testlog.json"
    log.unlink(missing_ok=True)
    steps = {} if LONG else {"CALLREEL_MODEL_STEPS": str(MODEL_STEPS if sanitize == "none" else MODEL_STEPS_SANITIZED)}
    code, said = run("meson", "test", "-C", directory, "--no-rebuild", "-t", "4", "--num-processes", str(TESTS_AT_ONCE), *options, env=steps | SANITIZERS | {"LD_PRELOAD": str(ROOT / directory / "tests/preload/libno_sync.so")})
    if not log.exists():
        if "No tests defined" in said:
            return Tally()
        raise Unable(f"meson test ended with {code}\n{tail(said)}")
    return count_meson(log)


def some_stories(directory, results, marks, *options):
    """Runs the stories with all these marks; a mark may be 'not X'. Stories marked `long` run only with --long."""
    results = ROOT / directory / results
    results.unlink(missing_ok=True)
    wanted = " and ".join([*marks, *([] if LONG else ["not long"])])
    code, said = run("/usr/bin/python3", "-m", "pytest", "-q", f"--junitxml={results}", "-m", wanted, *options, *([] if any(o.startswith("tests/") for o in options) else ["tests/story"]),
                     env={"CALLREEL_BUILD": str(ROOT / directory), "PYTHONDONTWRITEBYTECODE": "1"} | SANITIZERS)
    if code not in (0, 1, 5):  # all passed, some failed, none chosen
        raise Unable(f"pytest ended with {code}\n{tail(said)}")
    return count_junit(results) if code != 5 else Tally()


def stories(directory, sanitize, *marks):
    """Runs stories in parallel, each with its own servers, ports and directory."""
    built(directory, f"-Db_sanitize={sanitize}", targets=["callreel", "callreel-sim", *preloads()])
    return some_stories(directory, "stories.xml", [*marks, "not alone"], "-n", str(TESTS_AT_ONCE))


def install_packages(section):
    with held("build"):
        must("script/install-packages", section)


def build():
    with held("build"):
        must("script/build")
    built("build-test")
    return Tally()


def check(*command, **more):
    """Counts a command as one test, which fails if its exit code is not 0."""
    code, said = run(*command, **more)
    tally = Tally(passed=int(code == 0), failed=int(code != 0))
    if code:
        tally.shown.append(tail(said))
    return tally


def format_():
    files = [path for folder in ("src", "sim", "tests", "bench") for path in sorted((ROOT / folder).rglob("*.[ch]"))
             if "node_modules" not in path.parts]
    return check(CLANG_FORMAT, "--dry-run", "-Werror", *files)


def layers():
    tally = check("script/check-layers")
    tally.join(check("script/check-banned"))
    tally.join(check("script/check-style"))
    return tally


def unit():
    """Without sanitizers, in the build that the stories use."""
    return unit_tests("build-test", "none", "--no-suite", "postgres")


def unit_asan():
    """Without the suite `postgres`, which runs in the stage of that name, and without `plain`, in which no sanitizer finds anything."""
    return unit_tests("build-asan", "address,undefined", "--no-suite", "postgres", "--no-suite", "plain")


def unit_rest():
    """Runs the tests that unit-asan leaves out: the suite `plain`, and in full size the tests that do less under a sanitizer."""
    return unit_tests("build-test", "none", "--suite", "plain", "--suite", "sized")


def unit_tsan():
    """Without the suite `single`: these tests have one thread, so this sanitizer finds nothing in them, and they are slow under it."""
    return unit_tests("build-tsan", "thread", "--no-suite", "single")


def story():
    return stories("build-test", "none")


def story_rest():
    """The stories that story-asan leaves out, and those that check what a sanitizer hides."""
    return stories("build-test", "none", *([] if LONG else ["(not sanitized or plain)"]))


def story_alone():
    """The stories that compare times, one by one."""
    built("build-test", targets=["callreel", "callreel-sim", *preloads()])
    return some_stories("build-test", "stories-alone.xml", ["alone"])


def postgres():
    """The tests of the ledger that need a server, and the quick stories with it."""
    try:
        with postgres_server.running() as url:
            os.environ["CALLREEL_TEST_POSTGRES"] = url
            tally = unit_tests("build-test", "none", "--suite", "postgres")
            tally.join(some_stories("build-test", "stories-postgres.xml", ["not alone"], "-n", str(TESTS_AT_ONCE),
                                    *(f"tests/story/test_{name}.py" for name in POSTGRES_STORIES),
                                    *(f"tests/story/test_{name}" for name in POSTGRES_REMOVALS)))
            return tally
    except postgres_server.Unable as why:
        raise Unable(str(why)) from None
    finally:
        os.environ.pop("CALLREEL_TEST_POSTGRES", None)


def story_asan():
    return stories("build-asan", "address,undefined", "sanitized")


def story_tsan():
    """The stories in which threads meet as in no other."""
    return stories("build-tsan", "thread", "threads")


def fuzz():
    """Runs each target over its kept corpus and for some seconds more, one on each core. In the long form continues with a
    day's worth of fuzzing, in pieces."""
    install_packages("fuzz")
    seconds = FUZZ_SECONDS_LONG if LONG else FUZZ_SECONDS
    time_in_all = seconds * len(list((ROOT / "tests/fuzz").glob("*.c")))
    options = ["--seconds", str(seconds)]
    if LONG:
        budget = time_in_all // len(os.sched_getaffinity(0))
        options = ["--day", str(FUZZ_DAY_SECONDS), "--seconds", str(FUZZ_PIECE_SECONDS), "--budget", str(budget)]
    code, said = run("/usr/bin/python3", "tests/fuzz/fuzz.py", "--tap", *options, within=COMMAND_SECONDS + time_in_all)
    tally = count_tap(said)
    if code not in (0, 1) or tally.passed + tally.failed == 0:
        raise Unable(f"tests/fuzz/fuzz.py ended with {code}\n{tail(said)}")
    if tally.failed:
        tally.shown.append(tail(said))
    return tally


def speech():
    """Real voices through real speech engines. An engine that can't be fetched is a skipped test."""
    code, said = run("script/install-packages", "speech")
    if code:
        tally = Tally(skipped=1)
        tally.reasons.append(f"speech: Debian's packages for it can't be installed: {said.strip().splitlines()[-1] if said.strip() else code}")
        return tally
    built("build-test", targets=["callreel", "callreel-sim", *preloads()])
    return some_stories("build-test", "stories-speech.xml", [], "tests/speech")


def soak():
    """Runs script/soak on the build without test hooks."""
    return check("script/soak", "--minutes", str(SOAK_MINUTES))


def engine():
    """Builds the image and the package, and brings the compose files up in an engine of its own."""
    must("script/install-packages", "engine")
    must("script/build", "page")
    done = subprocess.run(["/usr/bin/python3", "tests/engine/engine_test.py"], cwd=ROOT, capture_output=True, text=True, timeout=3 * COMMAND_SECONDS)
    tally = count_tap(done.stdout, "engine")
    if tally.failed:
        tally.shown.append(done.stdout + done.stderr)
    return tally


def install_node(folder, section):
    """Installs a folder's node packages, if its lock file has changed since the last time."""
    if not (shutil.which("node") and shutil.which("npm")):
        install_packages(section)
    stamp = folder / "node_modules/.installed"
    lock = folder / "package-lock.json"
    if not stamp.exists() or stamp.stat().st_mtime < lock.stat().st_mtime:
        must("npm", "ci", "--no-audit", "--no-fund", cwd=folder)
        stamp.touch()


def node_file(folder, file):
    """Runs one test file with node's test runner."""
    results = ROOT / f"build-test/{folder.name}-{file.stem}.xml"
    results.parent.mkdir(exist_ok=True)
    results.unlink(missing_ok=True)
    code, said = run("node", "--test", "--test-reporter=junit", f"--test-reporter-destination={results}", file, cwd=folder,
                     env={"CALLREEL_BUILD": str(ROOT / "build-test")})
    tally = count_junit(results)
    if code and not tally.failed:
        raise Unable(f"node --test {file} ended with {code}\n{tail(said)}")
    return tally


def node_tests(folder, at_once=CORES):
    """Runs the folder's test files in parallel; each has its own world. Their packages must be installed."""
    tally = Tally()
    with ThreadPoolExecutor(at_once) as pool:
        for of_file in pool.map(lambda file: node_file(folder, file), sorted(folder.glob("*.test.js"))):
            tally.join(of_file)
    return tally


def peer():
    """The provider's own client against the real programs."""
    folder = ROOT / "tests/peer"
    install_node(folder, "peer")
    tally = node_tests(folder)
    if LONG:
        tally.join(description())
    return tally


def description():
    """Generated requests: whether the server answers as docs/openapi.yaml says."""
    code, said = run("/usr/bin/python3", "tests/peer/description.py", env={"CALLREEL_BUILD": str(ROOT / "build-test")})
    tally = count_tap(said, "description")
    if code and not tally.failed:
        raise Unable(f"tests/peer/description.py ended with {code}\n{tail(said)}")
    if tally.failed:
        tally.shown.append(f"FAILED tests/peer/description.py\n{tail(said)}")
    return tally


def e2e():
    """The page: its types, lint and unit tests, and a real browser with the real programs. In the long form that browser is all of
    Chromium, not only its engine."""
    if LONG:
        os.environ["CHROMIUM"] = "/usr/bin/chromium"
    install_packages("e2e")
    web, folder = ROOT / "web", ROOT / "tests/e2e"
    install_node(web, "web")
    install_node(folder, "e2e")
    tally = check("npm", "run", "check", cwd=web)
    build()
    tally.join(node_tests(web / "test"))
    tally.join(node_tests(folder))
    return tally


# Those that take longest come first, so that none is left over at the end.
STAGES = {"format": format_, "layers": layers, "build": build, "story-alone": story_alone, "unit": unit, "e2e": e2e, "story-tsan": story_tsan,
          "story": story, "story-asan": story_asan, "story-rest": story_rest, "unit-asan": unit_asan, "unit-tsan": unit_tsan, "fuzz": fuzz, "postgres": postgres,
          "speech": speech, "unit-rest": unit_rest, "peer": peer, "soak": soak, "engine": engine}
ALONE = ["format", "layers", "build", "story-alone", "soak", "engine"]
FAST = ["format", "layers", "story-alone", "unit", "story"]
IN_LONG = ["speech", "soak", "engine"]
EVERYTHING = [name for name in STAGES if name not in ("unit", "story", *IN_LONG)]  # the stages -rest and -asan run what these do


def processor_seconds():
    """Processor time of all children that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def perform(name):
    """Runs one stage. Returns its counts and what to print. A stage that could not run counts as one failure."""
    began, used = time.monotonic(), processor_seconds()
    try:
        tally = STAGES[name]()
    except Unable as why:
        tally = Tally(failed=1)
        tally.shown.append(f"could not run: {why}")
    lines = [f"--- {name}\n" + "\n\n".join(tally.shown)] if tally.shown else []
    lines += [f"skipped: {reason}" for reason in tally.reasons]
    counts = "done" if name == "build" and not tally.failed else str(tally)
    lines.append(f"{name:<12}{counts}, {time.monotonic() - began:.0f} s, {processor_seconds() - used:.0f} s of processor time")
    return tally, "\n".join(lines)


def end_stages(*_):
    """On SIGTERM: ends the stages, each of which ends what it started."""
    for child in multiprocessing.active_children():
        child.terminate()
    sys.exit(143)


def telling_lines(said):
    """The few lines of a failure's output that say what was wrong, for the summary."""
    lines = [line.strip() for line in said.splitlines()]
    telling = [line for line in lines[1:] if re.match(r"E  |not ok|# 0x|# \S+:\d+: error|.*(?:Error|ERROR|error:|could not run|Sanitizer)", line)]
    return [line[:SUMMARY_WIDTH] for line in lines[:1] + telling[:SUMMARY_LINES]]


def perform_all(chosen):
    """Runs the stages, and prints what each says when it ends; then a summary of what failed, since a log may be cut in its middle."""
    total = Tally()
    failures = []
    for group, at_once in (([name for name in chosen if name in ALONE], 1), ([name for name in chosen if name not in ALONE], AT_ONCE)):
        with ProcessPoolExecutor(at_once, multiprocessing.get_context("fork"), lambda: signal.signal(signal.SIGTERM, end_stages)) as pool:
            for ended in as_completed([pool.submit(perform, name) for name in group]):
                tally, text = ended.result()
                total.add(tally)
                failures += [line for said in tally.shown for line in telling_lines(said)]
                print(text, flush=True)
    if failures:
        print("\n".join(["--- failed", *failures]))
    return total


def main():
    global LONG
    options = argparse.ArgumentParser(prog="script/test", description="Builds and tests. Without a STAGE: everything.")
    options.add_argument("--long", action="store_true", help="everything in its long form: the stories marked `long`, fuzzing for minutes, a soak")
    options.add_argument("stages", nargs="*", metavar="STAGE",
                         help=f"fast (that is {', '.join(FAST)}), or any of {', '.join(STAGES)}")
    said = options.parse_args()
    LONG = said.long
    everything = EVERYTHING + (IN_LONG if LONG else [])
    chosen = [name for stage in said.stages or everything for name in (FAST if stage == "fast" else [stage])]
    unknown = [name for name in chosen if name not in STAGES]
    if unknown:
        options.error(f"no such stage: {', '.join(unknown)}; there are fast, {', '.join(STAGES)}")
    os.environ.update(CCACHE_BASEDIR=str(ROOT), CCACHE_NOHASHDIR="true")  # the builds share what is the same in them
    signal.signal(signal.SIGTERM, end_stages)
    began = time.monotonic()
    total = perform_all(sorted(dict.fromkeys(chosen), key=list(STAGES).index))
    print(f"{time.monotonic() - began:.0f} s")
    print(total)
    return 1 if total.failed else 0


if __name__ == "__main__":
    sys.exit(main())
