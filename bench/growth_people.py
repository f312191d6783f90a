"""Cases of requests: slow peers, long lists, many businesses, a volume that hangs."""
import contextlib
import json
import os
import random
import re
import resource
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

from ground import (QUIET_S, Neighbour, Row, a_volume, a_world, add_calls, add_recordings, close, cpu_s, database, felt, refused, serve,
                    wait_until)
from stage import ROOT, Failed
from who import sign_in  # found as ground.py says
import callreel
import standing
import wire

RATIO = 3  # times quiet that a neighbour's p99 may reach


# ---- peers that never finish ----

@contextlib.contextmanager
def slow_peers(server, many, part):
    target = f"/webhooks/twilio/{server.world.busy.id}/call"
    argv = [sys.executable, str(ROOT / "bench/slow_peers.py"), str(server.port), str(many), part, target]
    child = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        yield child
    finally:
        child.stdin.close()
        child.wait(30)


def beside_slow_peers(many, part, seconds, **settings):
    with a_world(**settings) as world:
        server = serve(world)
        with (slow_peers(server, many, part), Neighbour(server, fresh=True, gap_ms=50) as webhooks,
              Neighbour(server, "health", fresh=True, gap_ms=50) as health):
            time.sleep(2 + many / 2000)
            webhooks.mark(), health.mark()
            time.sleep(seconds)
            seen = webhooks.mark(), health.mark()
    missed = sum(map(refused, seen))
    text = " and ".join(f"{report['count'] - refused(report)} of {report['count']} {name}"
                        for name, report in zip(("webhooks", "health"), seen))
    at = f"CONNECTIONS={settings['CONNECTIONS']}" if settings else "the default of CONNECTIONS"
    return Row(f"{many:,} slow {'heads' if part == 'head' else 'bodies'} at {at}", "webhooks and health all answered",
               f"{text} answered", missed == 0 and all(report["count"] for report in seen), many=many,
               webhooks=seen[0], health=seen[1])


def slow(quick):
    seconds = 4 if quick else 20
    most = min(16384, resource.getrlimit(resource.RLIMIT_NOFILE)[1] - 1024)
    return [beside_slow_peers(320, "head", seconds, CONNECTIONS=300), beside_slow_peers(320, "body", seconds, CONNECTIONS=300),
            beside_slow_peers(most, "head", seconds), beside_slow_peers(most, "body", seconds)]


# ---- long lists ----

def cpu_of(server, target, key, asks):
    """Processor milliseconds of the process for each response."""
    with server.connect() as connection:
        headers = [("Authorization", f"Bearer {key}")]
        for i in range(asks + 2):
            if i == 2:  # the first ones make what is kept
                before = cpu_s(server.pid)
            answer = connection.call("GET", target, headers)
            if answer.status != 200:
                raise Failed(f"{target}: {answer}")
        return 1000 * (cpu_s(server.pid) - before) / asks


def many_legs(quick):
    tops, legs, asks = 100, 19, 10 if quick else 50
    with a_world() as world:
        with database(world) as db:
            calls = add_calls(db, world.busy, tops, legs - 1)
            add_recordings(db, world.busy, calls, "ready", bytes=480000, total=480000)
            crowd = add_calls(db, world.other, 1, 999, letter="e")
            add_recordings(db, world.other, crowd, "ready", bytes=480000, total=480000)
        server = serve(world)
        page_ms = cpu_of(server, "/api/calls?limit=100", world.busy.viewer, asks)
        one_ms = cpu_of(server, f"/api/calls/{crowd[0]}", world.other.viewer, asks)
    return [Row(f"{tops} rows of {legs} legs each", "≤ 50 ms CPU for the page",
                f"{page_ms:.1f} ms; one call of 1,000 legs and recordings {one_ms:.1f} ms", page_ms <= 50,
                page_ms=page_ms, one_call_ms=one_ms)]


# ---- many calls ----

LINE = re.compile(r"calls\s+(\S.*?)\s+\d+ requests\s+median\s+[\d.]+\s+p99\s+([\d.]+)")
GOALS_MS = {"first page": 20, "search, last 7 digits": 100, "search, last 4 digits": 100, "search, name": 100}


def lists_of(calls, users, seconds, data, only=""):
    """{kind of request: milliseconds at p99}; the database stays in data."""
    argv = [sys.executable, ROOT / "bench/catalog.py", "--calls", calls, "--users", users, "--seconds", seconds, "--data", data,
            "--only", only]
    done = subprocess.run(list(map(str, argv)), capture_output=True, text=True)
    if done.returncode:
        raise Failed(f"catalog.py: {done.stderr[-2000:]}")
    return {kind: float(p99) for kind, p99 in LINE.findall(done.stdout)}


def figures_of(data):
    """Milliseconds of processor for an answer with the business's stats, and for one look of the command `status`."""
    with tempfile.TemporaryDirectory() as scratch:
        world = callreel.World(scratch)
        world.data_dir = Path(data)
        try:
            server = serve(world)
            stats = cpu_of(server, "/api/stats", world.make_key("--business", 1, "--role", "admin"), 20)
            before = resource.getrusage(resource.RUSAGE_CHILDREN)
            for _ in range(10):
                world.done("status", "--json")
            after = resource.getrusage(resource.RUSAGE_CHILDREN)
        finally:
            close(world)
    return {"stats_ms": stats, "status_ms": 100 * (after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)}


def many_calls(quick):
    few, many, users, seconds = (2_000, 200_000, 50, 2) if quick else (10_000, 10_000_000, 50, 10)
    with tempfile.TemporaryDirectory(prefix="callreel-calls-", dir="/var/tmp") as directory:
        sides = [Path(directory) / str(calls) for calls in (few, many)]
        for side in sides:
            side.mkdir()
        lists_of(few, 1, 1, sides[0], "first page")
        p99 = lists_of(many, users, seconds, sides[1])
        small, large = map(figures_of, sides)
    short = [kind for kind, goal in GOALS_MS.items() if p99.get(kind, goal + 1) > goal]
    ratio = max(large[name] / small[name] for name in small)
    return [Row(f"{many:,} calls, {users} users: lists", "first page p99 ≤ 20 ms; search by part of a number or name p99 ≤ 100 ms",
                ", ".join(f"{kind} {p99.get(kind, float('nan')):.0f} ms" for kind in GOALS_MS), not short, p99_ms=p99),
            Row(f"{few:,} and {many:,} calls: stats and status", "do not grow with the table",
                f"stats {small['stats_ms']:.2f} and {large['stats_ms']:.2f} ms, status {small['status_ms']:.1f} and"
                f" {large['status_ms']:.1f} ms of processor", ratio <= 1.5, small=small, large=large)]


# ---- many businesses ----

def add_crowd(db, businesses, keys):
    now = round(time.time() * 1000)
    first = db.execute("select max(business_id) from businesses").fetchone()[0] + 1
    db.executemany("insert into businesses (business_id, name, created_at) values (?, ?, ?)",
                   [(first + i, f"Business {i}", now) for i in range(businesses)])
    db.executemany("insert into keys (business_id, role, digest, created_at) values (?, 'viewer', ?, ?)",
                   [(first + i % businesses, random.randbytes(32), now) for i in range(keys)])


def reads(server):
    return server.figures()["callreel_database_read_seconds_count"]


def ask_who(visitors):
    for connection, cookie in visitors:
        answer = connection.call("GET", "/api/session", cookie)
        if answer.status != 200:
            raise Failed(f"a session ended: {answer}")


def many_keys(quick):
    businesses, keys, sessions = 50_000, 200_000, 30
    with a_world() as world:
        with database(world) as db:
            add_crowd(db, businesses, keys)
        servers = [serve(world, name) for name in ("one", "two")]
        with contextlib.ExitStack() as stack:
            visitors = [(stack.enter_context(servers[0].connect()), sign_in(servers[0], world.other.viewer))
                        for _ in range(sessions)]
            ask_who(visitors)
            ask_who(visitors)
            time.sleep(2)
            idle_ms = cpu_while(servers, lambda: time.sleep(3))
            made_ms = cpu_while(servers, lambda: (make_key(world), time.sleep(3 - 0.1)))
            if any(server.get("/api/calls", key).status != 200 for server in servers for key in world.made):
                raise Failed("the key that was made opens nothing")
            before = reads(servers[0])
            ask_who(visitors)
            anew = reads(servers[0]) - before
    cost = [max(0.0, made - idle) for made, idle in zip(made_ms, idle_ms)]
    return [Row(f"{businesses:,} businesses, {keys:,} keys, one key made",
                "≤ 5 ms CPU in each process; no other business's session looked up anew",
                f"{' and '.join(f'{ms:.1f}' for ms in cost)} ms; {anew:.0f} of {sessions} sessions looked up anew",
                max(cost) <= 5 and anew <= 1, cost_ms=cost, idle_ms=idle_ms, looked_up=anew)]  # 1: the process's own look


def make_key(world):
    made = world.done("key", "create", "--business", world.busy.id, "--role", "viewer", "--json")
    world.made = [json.loads(made)["key"]]


def cpu_while(servers, act):
    before = [cpu_s(server.pid) for server in servers]
    act()
    return [1000 * (cpu_s(server.pid) - then) for server, then in zip(servers, before)]


# ---- a volume that hangs ----

class Load:
    """Plays ready recordings, some of which are not in the page cache, and adds new recordings, until it is stopped."""

    def __init__(self, server, tapes):
        self.server, self.tapes, self.over, self.threads = server, tapes, threading.Event(), []
        self.made, self.answers = [], []

    def play(self, tape, timeout):
        business = self.server.world.busy
        return self.server.get(f"/api/recordings/{tape.sid}/stream", business.viewer, {"Range": "bytes=0-"}, timeout)

    def players(self):
        while not self.over.is_set():
            with contextlib.suppress(OSError, wire.Closed):
                self.answers.append(self.play(random.choice(self.tapes), 20).status)
            time.sleep(0.05)

    def callers(self):
        world = self.server.world
        while not self.over.wait(0.5):
            tape = world.busy.at.tape(seconds=2)
            with contextlib.suppress(OSError, wire.Closed, AssertionError):
                world.busy.tell(self.server, tape)
                self.made.append(tape)

    def forgetters(self):
        """Every fifth recording is out of memory, again and again, while the volume answers."""
        for path in list(self.server.world.recordings().rglob("*.mp3"))[::5]:
            standing.drop_pages(path)

    def __enter__(self):
        self.forgetters()
        for act in [self.players] * 8 + [self.callers]:
            self.threads.append(threading.Thread(target=act, daemon=True))
            self.threads[-1].start()
        return self

    def __exit__(self, *_):
        self.over.set()
        for thread in self.threads:
            thread.join(60)


def all_is_well(load, within=30):
    """True if new recordings are fetched and all can be played, without a restart."""
    world = load.server.world
    ready, _ = wait_until(lambda: all(world.state(tape.sid, world.busy.id) == "ready" for tape in load.made), within)
    return ready and all(load.play(tape, 10).status == 206 for tape in load.made[-20:] + load.tapes)


def neighbours(stack, server, tape):
    more = {"webhook": {}, "health": {}, "status": {"id": tape.sid, "key": server.world.busy.viewer}}
    return {kind: stack.enter_context(Neighbour(server, kind, **wish)) for kind, wish in more.items()}


def freeze(place, timed, quick):
    """The neighbours' figures before and while the volume is frozen."""
    time.sleep(2)
    for one in timed.values():
        one.mark()
    time.sleep(QUIET_S[quick])
    quiet = {kind: one.mark() for kind, one in timed.items()}
    subprocess.run(["fsfreeze", "--freeze", place], check=True)
    try:
        time.sleep(15 if quick else 60)
        return quiet, {kind: one.mark() for kind, one in timed.items()}
    finally:
        subprocess.run(["fsfreeze", "--unfreeze", place], check=True)


def frozen_volume(quick):
    seconds = 15 if quick else 60
    case, wanted = f"frozen volume for {seconds} s under load", f"webhooks, status and health p99 ≤ {RATIO} × quiet; then all is well"
    if os.geteuid() != 0:
        return [Row(case, wanted, "SKIPPED: a volume can be made and frozen only by root", False)]
    with tempfile.TemporaryDirectory(prefix="callreel-volume-", dir="/var/tmp") as directory, contextlib.ExitStack() as stack:
        place = stack.enter_context(a_volume(Path(directory), 512))
        world = stack.enter_context(a_world(RECORDINGS_DIR=place / "recordings", DOWNLOADS_PER_BUSINESS=8))
        server = serve(world)
        tapes = [world.busy.at.tape(seconds=20) for _ in range(50)]
        for tape in tapes:
            world.busy.tell(server, tape)
        for tape in tapes:
            world.wait_state(tape.sid, "ready", 30, world.busy.id)
        with Load(server, tapes) as load:
            quiet, during = freeze(place, neighbours(stack, server, tapes[0]), quick)
        well = all_is_well(load)
    felt_by = {kind: felt(quiet[kind], during[kind]) for kind in quiet}
    good = well and all(ratio <= RATIO and refused(during[kind]) == 0 for kind, (_, ratio) in felt_by.items())
    return [Row(case, wanted, "; ".join(f"{kind}: {text}" for kind, (text, _) in felt_by.items()) +
                ("; then all is well" if well else "; then not all is well"), good, quiet=quiet, during=during, well=well)]


# ---- pages that are not in memory ----

def cold_pages(_):
    """standing.py measures them beside nginx, in one run: this is what it found last."""
    wanted = "first byte p99 ≤ nginx's in the same run"
    try:
        found = json.loads((ROOT / "docs/benchmarks.json").read_text())["standing"]["cold_pages"]
    except (OSError, KeyError):
        return [Row("cold pages, 50 at once", wanted, "not measured yet: script/bench standing", False)]
    ours, theirs = found["callreel"]["p99_ms"], found["nginx"]["p99_ms"]
    return [Row("cold pages, 50 at once", wanted, f"{ours:.0f} against {theirs:.0f} ms (script/bench standing)", ours <= theirs,
                callreel_ms=ours, nginx_ms=theirs)]


CASES = {"slow": slow, "calls": many_calls, "legs": many_legs, "keys": many_keys, "frozen": frozen_volume, "cold": cold_pages}
