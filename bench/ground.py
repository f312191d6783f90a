"""Helpers for the cases of growth.py: release programs in a world of their own, a database that is filled directly, a neighbour whose
requests are timed, and the processor time of a process."""
import contextlib
import json
import os
import sqlite3
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from stage import BUILD, CLIENT_CORES, ROOT, SERVER_CORES, Failed

os.environ.setdefault("CALLREEL_BUILD", str(BUILD))
sys.path.insert(0, str(ROOT / "tests/story"))

import callreel  # noqa: E402 - found by the line above

NOW_MS = int(time.time() * 1000)
QUIET_S = {True: 4, False: 20}  # that a neighbour is timed for before anything happens; True: a quick run


class Row:
    """A row of the table: the target and the result."""

    def __init__(self, case, wanted, reached, ok, **figures):
        self.case, self.wanted, self.reached, self.ok, self.figures = case, wanted, reached, bool(ok), figures

    def as_json(self):
        return {"case": self.case, "wanted": self.wanted, "reached": self.reached, "ok": self.ok, "figures": self.figures}


# ---- a world ----

@contextlib.contextmanager
def a_world(**settings):
    """Two businesses, each with its own provider: `busy`, whose data grows, and `other`, which must not get slower.
    No server runs yet."""
    with tempfile.TemporaryDirectory(prefix="callreel-growth-", dir="/var/tmp") as name:
        world = callreel.World(name)
        world.settings.update(settings)
        try:
            world.done("migrate")
            world.busy, world.other = (add_business(world, name) for name in ("Busy", "Other"))
            yield world
        finally:
            close(world)


@contextlib.contextmanager
def a_volume(directory, mib):
    """An ext4 file system that can be frozen."""
    image, place = directory / "volume.img", directory / "volume"
    place.mkdir()
    with open(image, "wb") as f:
        f.truncate(mib << 20)
    subprocess.run(["mkfs.ext4", "-q", "-F", image], check=True)
    subprocess.run(["mount", "-o", "loop", image, place], check=True)
    try:
        yield place
    finally:
        subprocess.run(["fsfreeze", "--unfreeze", place], capture_output=True)  # nothing hangs, also after an error
        subprocess.run(["umount", "-l", place], check=True)


def close(world):
    """Stops all processes. One that does not end in order is reported, but fails no measurement."""
    try:
        world.close()
    except AssertionError as why:
        print(f"afterwards: {why}", file=sys.stderr)


def add_business(world, name):
    at = world.provider()
    business = world.business(at, name)
    business.at = at
    for role in ("viewer", "agent", "admin"):
        business.key(role)
    return business


def serve(world, name="server", **settings):
    """Starts a server on the servers' cores and waits until it has indexed all calls."""
    os.sched_setaffinity(0, SERVER_CORES)
    try:
        server = world.server(name, ADMIN_LISTEN="127.0.0.1:0", **settings)
    finally:
        os.sched_setaffinity(0, CLIENT_CORES)
    if schema_of(world, "call_documents_stale"):
        indexed, _ = wait_until(lambda: count(world, "call_documents_stale") == 0, 300)
        if not indexed:
            raise Failed("the calls are not indexed within 300 s")
    return server


def wait_until(look, within, every=0.05):
    """The last result of look(), and the seconds until it was true; None if it never was."""
    began = time.monotonic()
    while True:
        value = look()
        took = time.monotonic() - began
        if value or took > within:
            return value, took if value else None
        time.sleep(every)


# ---- the database, filled without the programs ----

def schema_of(world, name):
    return world.sql("select sql from sqlite_schema where name = ?", name)


@contextlib.contextmanager
def database(world, searched=False):
    """One transaction. searched: calls that are inserted are to be found by their numbers, so the server that comes next
    indexes them first; else they are left out of the index, which takes no time."""
    marks = "calls_document_missing"  # the trigger that has them indexed
    made = [] if searched else schema_of(world, marks)
    db = sqlite3.connect(world.database, isolation_level=None, timeout=60)
    try:
        db.executescript("pragma synchronous = off; pragma cache_size = -200000; begin immediate")
        for _ in made:
            db.execute(f"drop trigger {marks}")
        yield db
        for trigger in made:
            db.execute(trigger["sql"])
        db.execute("commit")
    finally:
        db.close()


def count(world, text, *values):
    [row] = world.sql(f"select count(*) as n from {text}", *values)
    return row["n"]


def add_calls(db, business, tops, legs, at=NOW_MS, letter="a"):
    """Calls with that many further legs each, every leg completed. letter: a hexadecimal digit, another one each time. Returns
    their SIDs, top legs first."""
    tree = [[f"CA{letter}{i:015x}{k:016x}" for k in range(legs + 1)] for i in range(tops)]
    rows = [(business.id, sid, sids[0] if k else None, sids[0], *[at + i + k] * 3)
            for i, sids in enumerate(tree) for k, sid in enumerate(sids)]
    db.executemany("insert into calls (business_id, call_sid, parent_call_sid, top_sid, started_at, first_seen_at, sort_at,"
                   " direction, from_number, to_number, status, duration_s) values (?, ?, ?, ?, ?, ?, ?, 'inbound',"
                   " '+15005550100', '+15005550199', 'completed', 60)", rows)
    return [sids[0] for sids in tree] + [sid for sids in tree for sid in sids[1:]]


def add_recordings(db, business, call_sids, status="queued", at=NOW_MS, **columns):
    """Inserts one recording for each call, in that state. Returns their SIDs."""
    sids = [f"RE{call_sid[2:]}" for call_sid in call_sids]
    base = f"{business.at.base_url}/2010-04-01/Accounts/{business.account_sid}/Recordings/"
    fixed = {"business_id": business.id, "provider_status": "completed", "told_duration_s": 60, "started_at": at,
             "completed_at": at, "first_seen_at": at, "status": status, "enqueued_at": at if status == "queued" else None,
             **columns}
    names = ", ".join(fixed)
    db.executemany(f"insert into recordings (recording_sid, call_sid, url, {names}) values"
                   f" (?, ?, ?, {', '.join('?' * len(fixed))})",
                   [(sid, call_sid, base + sid, *fixed.values()) for sid, call_sid in zip(sids, call_sids)])
    return sids


def add_queued(world, business, n, letter, **columns):
    with database(world) as db:
        return add_recordings(db, business, add_calls(db, business, n, 0, letter=letter), **columns)


# ---- the processor ----

def cpu_s(pid, thread=""):
    """Processor seconds of the process's threads whose names begin with that."""
    total = 0
    for task in Path(f"/proc/{pid}/task").iterdir():
        with contextlib.suppress(OSError):
            if (task / "comm").read_text().startswith(thread):
                total += int((task / "schedstat").read_text().split()[0])
    return total / 1e9


# ---- the neighbour ----

class Neighbour:
    """Runs neighbour.py as a child process."""

    def __init__(self, server, kind="webhook", gap_ms=20, **more):
        business = server.world.other
        wish = {"kind": kind, "port": server.port, "gap_ms": gap_ms, "business": business.id, "account": business.account_sid,
                "token": business.token, "key": business.viewer, **more}
        self.child = subprocess.Popen([sys.executable, str(ROOT / "bench/neighbour.py"), json.dumps(wish)],
                                      stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.child.stdin.close()
        self.child.wait(60)

    def mark(self):
        """Figures of the requests since the previous mark."""
        self.child.stdin.write("\n")
        self.child.stdin.flush()
        line = self.child.stdout.readline()
        if not line:
            raise Failed("the neighbour ended")
        return json.loads(line)

    def quiet(self, quick):
        """Figures of its requests while nothing else happens."""
        time.sleep(1)
        self.mark()
        time.sleep(QUIET_S[quick])
        return self.mark()


def refused(report):
    return sum(n for status, n in report["statuses"].items() if status not in ("200", "204", "206"))


def felt(quiet, during):
    """A neighbour's figures, as text."""
    ratio = during["p99_ms"] / quiet["p99_ms"] if during["count"] and quiet["count"] else float("inf")
    return (f"{refused(during)} of {during['count']} refused, p99 {during['p99_ms']:.1f} ms = {ratio:.1f} × quiet"
            f" ({quiet['p99_ms']:.1f}), longest {during['most_ms']:.0f} ms"), ratio
