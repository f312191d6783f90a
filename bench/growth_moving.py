"""Cases of moving in: the files of an earlier system, and the lists of a provider that has stored recordings for months."""
import json
import os
import resource
import statistics
import subprocess
import time

import wire
from ground import Neighbour, Row, a_world, count, cpu_s, refused, serve

from stage import CLIENT_CORES, CORES

from callreel import CALLREEL
from sound import mp3

IMPORT_RATE = 2_000  # files a second
RATIO = 2  # times quiet that a neighbour's p99 may reach
WINDOW_S = 5  # a neighbour's p99 is the median of the p99 of such windows: other work on the machine spoils single ones
QUIET_S = {True: 10, False: 30}  # True: a quick run
AGO = "2026-01-01T08:00:00Z"


def write_files(directory, n):
    """Files of an earlier system, each other bytes: the tag at the end of each is its own."""
    sound = mp3(2)
    for i in range(n):
        place = directory / f"{i % 40:02d}"
        place.mkdir(parents=True, exist_ok=True)
        (place / f"CA{i:032x}.mp3").write_bytes(sound + b"TAG" + f"{i:0125d}".encode())
    os.sync()


def run_import(world, directory):
    """The report, and the seconds and processor seconds of the command."""
    os.sched_setaffinity(0, CORES)
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    done = subprocess.run([CALLREEL, "import", directory, "--business", str(world.busy.id), "--link", "--json"],
                          env=world.environment(), capture_output=True, text=True)
    os.sched_setaffinity(0, CLIENT_CORES)
    took, after = time.monotonic() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return json.loads(done.stdout), took, cpu


def import_files(quick):
    n = 10_000 if quick else 100_000
    with a_world() as world:
        old = world.directory / "old"
        write_files(old, n)
        load = os.getloadavg()[0]
        report, took, cpu = run_import(world, old)
        again, took_again, _ = run_import(world, old)
        ready = count(world, "recordings where status = 'ready'")
    right = report["linked"] == again["already"] == ready == n and not report["refused_count"]
    return [Row(f"import of {n:,} files by links", f"≥ {IMPORT_RATE:,} files/s, nothing refused; again: nothing to do",
                f"{n / took:,.0f} files/s ({took:.1f} s, {1000 * cpu / n:.2f} ms of the processor a file; load average {load:.1f});"
                f" again: {took_again:.1f} s{'' if right else f', WRONG: {report}, {again}, {ready} ready'}",
                right and n / took >= IMPORT_RATE, files=n, took_s=took, cpu_s=cpu, again_s=took_again, load=load)]


def windows(neighbours, is_over):
    """Figures of each neighbour, a window after the other, until is_over()."""
    found = [[] for _ in neighbours]
    for neighbour in neighbours:
        neighbour.mark()
    while True:
        until = time.monotonic() + WINDOW_S
        while time.monotonic() < until and not is_over():
            time.sleep(0.2)
        for each, neighbour in zip(found, neighbours):
            each.append(neighbour.mark())
        if is_over():
            return found


def felt(name, quiet, during):
    """The times of a neighbour as text, times quiet, and whether none of its requests was refused."""
    was, now = (statistics.median(each["p99_ms"] for each in all_of) for all_of in (quiet, during))
    missed = sum(map(refused, during))
    asked = sum(each["count"] for each in during)
    return f"{name}: {missed} of {asked} refused, p99 {now:.1f} ms = {now / was:.1f} × quiet ({was:.1f})", now / was, missed == 0


def make_calls(simulator, n):
    for done in range(0, n, 10_000):
        answer = wire.call(simulator.port, "POST", "/sim/calls", {},
                           json.dumps({"count": min(10_000, n - done), "start_time": AGO, "seconds": 1}).encode(), timeout=120)
        assert answer.status == 201, answer


def backfill(quick):
    """The recordings are found, not fetched: the server is a web process."""
    n, within = (5_000, 30) if quick else (100_000, 200)
    with a_world() as world:
        server = serve(world)
        tape = world.other.at.tape(seconds=20)
        world.other.tell(server, tape)
        world.wait_state(tape.sid, business_id=world.other.id)
        server.stop()
        simulator = world.simulator()
        world.business(simulator, "Moved")
        make_calls(simulator, n)
        server = serve(world, role="web")
        with Neighbour(server) as webhooks, Neighbour(server, "play", id=tape.sid) as plays:
            time.sleep(2)
            ends = time.monotonic() + QUIET_S[quick]
            quiet = windows((webhooks, plays), lambda: time.monotonic() >= ends)
            load, began = os.getloadavg()[0], time.monotonic()
            child = subprocess.Popen([CALLREEL, "backfill", "--since", "2025-12-01", "--business", "3", "--json"],
                                     env=world.environment(), stdout=subprocess.PIPE, text=True)
            used, ended = [0.0], []

            def is_over():
                if child.poll() is None:
                    used[0] = max(used[0], cpu_s(child.pid))
                elif not ended:
                    ended.append(time.monotonic() - began)
                return bool(ended)
            during = windows((webhooks, plays), is_over)
        report, took = json.loads(child.stdout.read()), ended[0]
        known = count(world, "recordings where business_id = 3 and status = 'queued'")
    told = [felt(name, a, b) for name, a, b in zip(("webhooks", "plays"), quiet, during)]
    right = report["recordings"] == report["calls"] == known == n and not report["failed"] and not report["refused"]
    return [Row(f"backfill of {n:,} calls and their recordings; another's webhooks and plays",
                f"within {within} s, nothing left out; p99 ≤ {RATIO} × quiet",
                f"{took:.0f} s ({2 * n / took:,.0f} entries/s; {1000 * used[0] / n / 2:.2f} ms of the processor an entry; load average"
                f" {load:.1f}){'' if right else f', WRONG: {report}, {known} queued'}; {told[0][0]}; {told[1][0]}",
                right and took <= within and all(ratio <= RATIO and whole for _, ratio, whole in told), entries=2 * n, took_s=took,
                cpu_s=used[0], load=load, ratios=[ratio for _, ratio, _ in told])]


CASES = {"import": import_files, "backfill": backfill}
