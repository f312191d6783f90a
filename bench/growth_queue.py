"""Cases of writes and fills: one business has many, while another one's webhooks are timed."""
import contextlib
import json
import os
import statistics
import subprocess
import tempfile
import threading
import time
from pathlib import Path

from ground import (Neighbour, Row, a_volume, a_world, add_calls, add_queued, add_recordings, count, cpu_s, database, felt,
                    refused, serve, wait_until)
from provider import hang, status  # found as ground.py says
import wire
from stage import BUILD, Failed

RATIO = 3  # times quiet that a neighbour's p99 may reach


# ---- everything that failed is tried again ----

def still_failed(world):
    return count(world, "recordings where business_id = ? and status = 'failed'", world.busy.id)


def watch_progress(server, seen, over):
    """Polls `failed` of the business's stats."""
    while not over.wait(0.1):
        answer = server.get("/api/stats", server.world.busy.key("admin"))
        if answer.status == 200:
            seen.add(answer.json()["recordings"]["failed"])


def retry_all(quick):
    n, within = (20_000, 60) if quick else (100_000, 600)
    with a_world() as world:
        with database(world) as db:
            calls = add_calls(db, world.busy, n, 0)
            add_recordings(db, world.busy, calls, "failed", fail_count=3, error_code="provider_error", failed_at=1)
        world.busy.at.outage = hang  # downloads meanwhile take no processor time from others
        server = serve(world)
        seen, over = set(), threading.Event()
        watch = threading.Thread(target=watch_progress, args=(server, seen, over))
        with Neighbour(server) as neighbour:
            quiet = neighbour.quiet(quick)
            watch.start()
            began = time.monotonic()
            answer = server.post("/api/recordings/retry", world.busy.key("admin"), timeout=within)
            answered_s = time.monotonic() - began
            left, took = wait_until(lambda: still_failed(world) == 0, within)
            during = neighbour.mark()
            over.set(), watch.join()
    text, ratio = felt(quiet, during)
    done = f"all queued after {took:.1f} s" if took else f"not all queued in {within} s"
    return [Row(f"{n:,} failed recordings of one business, retry all; another's webhooks",
                f"none refused, p99 ≤ {RATIO} × quiet; answered within 1 s; progress is seen",
                f"{text}; answered {answer.status} after {answered_s:.2f} s, {done}, {len(seen)} counts seen on the way",
                left and refused(during) == 0 and ratio <= RATIO and answered_s <= 1 and len(seen) >= 3,
                recordings=n, quiet=quiet, during=during, answered_s=answered_s, took_s=took, counts_seen=len(seen))]


# ---- edits of a call of many legs, and legs that move ----

def send_and_leave(server, target, key, edits):
    """Each on a connection of its own; all are gone before most of the answers."""
    connections = [wire.Connection(server.port) for _ in range(edits)]
    headers = [("Authorization", f"Bearer {key}"), ("Content-Type", "application/json")]
    for i, connection in enumerate(connections):
        connection.ask("PATCH", target, headers, json.dumps({"customer_name": f"Customer number {i}"}).encode())
    time.sleep(0.5)
    for connection in connections:
        connection.close()


AFTERWARDS_S = {True: 10, False: 60}  # that a neighbour is timed for


def edits(quick):
    legs, n = 1_000, 400
    with a_world() as world:
        with database(world, searched=True) as db:
            [top, *_] = add_calls(db, world.busy, 1, legs)
        server = serve(world)
        with Neighbour(server) as neighbour:
            quiet = neighbour.quiet(quick)
            send_and_leave(server, f"/api/calls/{top}", world.busy.key("agent"), n)
            time.sleep(AFTERWARDS_S[quick])
            during = neighbour.mark()
    text, _ = felt(quiet, during)
    return [Row(f"{n} edits of a call of {legs:,} legs, the sender gone; another's webhooks",
                "none refused, longest ≤ 1 s", text, refused(during) == 0 and during["most_ms"] <= 1000,
                edits=n, legs=legs, quiet=quiet, during=during)]


def moved_legs(quick):
    legs, within = (20_000, 60)
    with a_world() as world:
        with database(world, searched=True) as db:
            [top, *_] = add_calls(db, world.busy, 1, legs)
            [parent] = add_calls(db, world.busy, 1, 0, letter="b")
        server = serve(world)
        with Neighbour(server) as neighbour:
            quiet = neighbour.quiet(quick)
            began = time.monotonic()
            answer = world.busy.webhook(server, "call", world.busy.call_fields(top, ParentCallSid=parent))
            answered_s = time.monotonic() - began
            _, took = wait_until(lambda: count(world, "calls where business_id = ? and top_sid = ?", world.busy.id, top) == 0,
                                 within)
            time.sleep(2)
            during = neighbour.mark()
    text, _ = felt(quiet, during)
    done = f"all moved after {took:.1f} s" if took else f"not all moved in {within} s"
    return [Row(f"{legs:,} legs moved under another parent; another's webhooks", "none refused, longest ≤ 1 s",
                f"{text}; answered {answer.status} after {answered_s:.2f} s, {done}",
                took is not None and refused(during) == 0 and during["most_ms"] <= 1000,
                legs=legs, quiet=quiet, during=during, answered_s=answered_s, took_s=took)]


# ---- claims beside what is not due ----

def fill_some(world, server, n, name):
    """Fills n recordings at the business's provider, of calls that are told by webhooks. Seconds of the writer's processor, of
    the process's, and by the clock."""
    tapes = [world.busy.at.tape(seconds=1) for _ in range(n)]
    before = cpu_s(server.pid, "db_writer"), cpu_s(server.pid), time.monotonic()
    for tape in tapes:
        world.busy.tell(server, tape)
    ready = f"recordings where business_id = ? and status = 'ready' and recording_sid in ({','.join('?' * n)})"
    done, _ = wait_until(lambda: count(world, ready, world.busy.id, *(tape.sid for tape in tapes)) == n, 120)
    if not done:
        raise Failed(f"{name}: not all {n} recordings were filled")
    return tuple(now - then for now, then in zip((cpu_s(server.pid, "db_writer"), cpu_s(server.pid), time.monotonic()), before))


def claims(quick):
    others, n = ((1_000, 20_000) if quick else (1_000, 20_000, 200_000)), 100
    cost = {}
    for many in others:
        with a_world(DOWNLOADS_PER_BUSINESS=8) as world:
            later = round((time.time() + 900) * 1000)  # nearer than the longest that a row may be made to wait
            add_queued(world, world.busy, many, "c", rank=1, next_ask_at=later, at=later - 3_600_000)
            server = serve(world)
            fill_some(world, server, 20, "warming up")
            writer_s, all_s, took_s = fill_some(world, server, n, f"{many:,} not yet due")
            cost[many] = {"writer_us": 1e6 * writer_s / n, "process_us": 1e6 * all_s / n, "fills_a_second": n / took_s}
    each = [c["writer_us"] for c in cost.values()]
    ratio = max(each) / min(each)
    return [Row(f"claim one recording beside {' / '.join(f'{many:,}' for many in others)} others not yet due",
                "cost within 1.5 × of each other",
                f"{ratio:.2f} ×: {', '.join(f'{us:,.0f}' for us in each)} µs of the writer's processor a fill",
                ratio <= 1.5, cost=cost),
            claims_of_many(quick)]


def claims_of_many(quick):
    """Claims alone, by a program that measures all cases in turns."""
    with tempfile.TemporaryDirectory(prefix="callreel-claims-", dir="/var/tmp") as directory:
        out = subprocess.run([BUILD / "bench/bench_claims", directory, "51" if quick else "501"], check=True,
                             capture_output=True, text=True, timeout=300).stdout
    cost = {name: float(us) for name, us in (line.split("\t") for line in out.splitlines())}
    ratio = max(cost.values()) / min(cost.values())
    return Row(f"claim one recording beside that many businesses: {' / '.join(cost)}", "cost within 1.5 × of each other",
               f"{ratio:.2f} ×: {', '.join(f'{us:,.0f}' for us in cost.values())} µs of the writer's processor a claim",
               ratio <= 1.5, claim_us=cost)


# ---- a month that has many files ----

def make_files(folder, n):
    folder.mkdir(parents=True, exist_ok=True)
    for i in range(n):
        with open(folder / f"RE{i:032x}.mp3", "wb"):
            pass


def filled_month(quick):
    files, n, rounds = (20_000 if quick else 200_000), 40, 3 if quick else 5
    cost = {0: [], files: []}
    with contextlib.ExitStack() as stack:
        sides = {}
        for many in cost:
            world = stack.enter_context(a_world(DOWNLOADS_PER_BUSINESS=8))
            make_files(world.recordings() / str(world.busy.id) / time.strftime("%Y/%m", time.gmtime()), many)
            sides[many] = world, serve(world)
            fill_some(*sides[many], 20, "warming up")
        for _ in range(rounds):  # in turns, so that both have the machine's good and bad moments
            for many, side in sides.items():
                cost[many].append(fill_some(*side, n, f"{many:,} files")[1] / n)
    empty, full = (1e6 * statistics.median(seen) for seen in cost.values())
    return [Row(f"a fill into a month of 0 / {files:,} files", "within 1.2 ×",
                f"{full / empty:.2f} ×: {empty:,.0f} and {full:,.0f} µs of the process's processor a fill",
                full / empty <= 1.2, files=files, empty_us=empty, full_us=full)]


# ---- a full disk ----

VOLUME_MIB, LEAST_FREE, LEFT = 256, 64 << 20, 32 << 20  # left: less than the least that must be free


def full_disk(quick):
    n, seconds = 20_000, 30 if quick else 600
    case, wanted = f"full disk, {n:,} queued", "≤ 1 % CPU, ≤ 1 change a second, recovery ≤ 60 s after there is room"
    if os.geteuid() != 0:
        return [Row(case, wanted, "SKIPPED: a volume can be made only by root", False)]
    with tempfile.TemporaryDirectory(prefix="callreel-volume-", dir="/var/tmp") as directory, contextlib.ExitStack() as stack:
        place = stack.enter_context(a_volume(Path(directory), VOLUME_MIB))  # of its own: nobody else fills it
        world = stack.enter_context(a_world(RECORDINGS_DIR=place / "recordings", MIN_FREE_BYTES=LEAST_FREE))
        ballast, volume = place / "ballast", os.statvfs(place)
        with open(ballast, "wb") as f:
            os.posix_fallocate(f.fileno(), 0, volume.f_bavail * volume.f_frsize - LEFT)
        add_queued(world, world.busy, n, "d", rank=1)
        world.busy.at.outage = status(404)  # to be asked is enough: then there was room
        server = serve(world)
        time.sleep(5)
        cpu, seq, began = cpu_s(server.pid), last_change(world), time.monotonic()
        time.sleep(seconds)
        took = time.monotonic() - began
        percent, changes = 100 * (cpu_s(server.pid) - cpu) / took, (last_change(world) - seq) / took
        asked = len(world.busy.at.asks)
        ballast.unlink()
        _, recovered = wait_until(lambda: len(world.busy.at.asks) > asked, 60)
    again = f"fills again after {recovered:.1f} s" if recovered else "no fill in 60 s"
    return [Row(f"{case}, {took:.0f} s", wanted,
                f"{percent:.2f} % CPU, {changes:.2f} changes a second, {again}",
                percent <= 1 and changes <= 1 and recovered, queued=n, seconds=took, cpu_percent=percent,
                changes_a_second=changes, recovered_s=recovered, asked_while_full=asked)]


# ---- much that changes ----

KEPT = 100_000  # changes.h: CHANGES_KEPT
PACE = 1_000


def last_change(world):
    """The number of changes so far, with trimmed ones."""
    return sum(row["seq"] for row in world.sql("select seq from sqlite_sequence where name = 'changes'"))


def tell_many(world, server, n):
    """Webhooks of n new recordings, from a program that is faster than this one."""
    business = world.busy
    subprocess.run([BUILD / "bench/bench_webhooks", "127.0.0.1", str(server.port), str(business.id), business.account_sid,
                    business.token, str(n), "32"], check=True, capture_output=True, timeout=300)


def many_changes(quick):
    seconds = 15 if quick else 600
    with a_world() as world:
        if quick:  # as if it had gone on for long
            with database(world) as db:
                now = round(time.time() * 1000)
                db.executemany("insert into changes (kind, business_id, id, at_ms) values ('recording', ?, 'RE', ?)",
                               [(world.busy.id, now)] * KEPT)
        server = serve(world)
        began, first, most = time.monotonic(), last_change(world), 0
        while (passed := time.monotonic() - began) < seconds:
            if last_change(world) - first < PACE * passed:
                tell_many(world, server, 400)
            else:
                time.sleep(0.05)
            most = max(most, count(world, "changes"))
        rate = (last_change(world) - first) / (time.monotonic() - began)
    return [Row(f"{rate:,.0f} changes a second for {seconds} s", f"`changes` ≤ {KEPT:,} + 10 %", f"at most {most:,} rows",
                most <= 1.1 * KEPT and rate >= 0.9 * PACE, a_second=rate, seconds=seconds, most=most)]


CASES = {"retry": retry_all, "edits": edits, "moved": moved_legs, "claims": claims, "month": filled_month, "disk": full_disk,
         "changes": many_changes}
