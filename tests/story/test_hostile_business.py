"""One business's script does what it can; another business's plays and webhooks go on."""
import json
import os
import resource
import subprocess
import sys
import time
from pathlib import Path

import provider as p
from callreel import free_environment
from wire import Closed, Connection

# CALLREEL_FULL_SIZE: 20,000 connections and 100,000 asks, for a soak rather than for each change.
FULL = bool(os.environ.get("CALLREEL_FULL_SIZE"))
CONNECTIONS, ASKS, CALLS = (20_000, 100_000, 100_000) if FULL else (2_000, 20_000, 4_000)
LIMIT = CONNECTIONS * 5 // 4  # its last tenth is webhooks' and health's alone
RSS_CEILING_MIB = 512 if FULL else 192
WITHIN_S = 600 if FULL else 60
SAMPLES = 300
TIMES_QUIET = 3
# What a scheduler with fewer processors than threads adds by itself: a quiet 99th percentile below it counts as this.
FLOOR_S = {"play": 0.010, "status": 0.015, "webhook": 0.025}


def many_calls(world, business_id):
    """As many as make a list that looks through all of them long."""
    import sqlite3
    with sqlite3.connect(world.database, timeout=20) as db:
        db.execute("""
            with recursive n(i) as (select 1 union all select i + 1 from n where i < ?)
            insert into calls (business_id, call_sid, top_sid, direction, status, first_seen_at, sort_at)
            select ?, printf('CA%032x', i), printf('CA%032x', i), 'outbound', 'completed', 1, 1000000 + i from n""",
                   (CALLS, business_id))
    db.close()


class Person:
    """The other business's life, each kind over a connection of its own."""

    def __init__(self, server, business, tapes):
        self.server, self.business, self.tapes = server, business, tapes
        self.auth = {"Authorization": f"Bearer {business.viewer}"}
        self.connections = {kind: Connection(server.port) for kind in FLOOR_S}
        self.told, self.reopened = [], 0

    def ask(self, kind, *request):
        """As any client does: a connection that was closed while it was idle is opened anew."""
        try:
            return self.connections[kind].call(*request)
        except (Closed, ConnectionError):
            self.reopened += 1
            self.connections[kind].close()
            self.connections[kind] = Connection(self.server.port)
            return self.connections[kind].call(*request)

    def play(self, n):
        tape = self.tapes[n % len(self.tapes)]
        at = n * 997 % (len(tape.mp3) - 4096)
        wanted = {**self.auth, "Range": f"bytes={at}-{at + 4095}"}
        answer = self.ask("play", "GET", f"/api/recordings/{tape.sid}/stream", wanted)
        assert answer.status == 206 and answer.body == tape.mp3[at:at + 4096], answer

    def status(self, n):
        tape = self.tapes[n % len(self.tapes)]
        answer = self.ask("status", "GET", f"/api/recordings/{tape.sid}/status", self.auth)
        assert answer.status == 200 and answer.json()["status"] == "ready", answer

    def webhook(self, n):
        call = p.sid("CA")
        target, headers, body = self.business.signed(self.server.port, "call", self.business.call_fields(call))
        answer = self.ask("webhook", "POST", target, headers, body)
        assert answer.status == 204, answer
        self.told.append(call)

    def live(self, samples, goes_on=lambda: False):
        """Seconds of each ask, by kind."""
        took = {kind: [] for kind in FLOOR_S}
        while len(took["play"]) < samples or goes_on():
            for kind, seconds in took.items():
                act, began = getattr(self, kind), time.perf_counter()
                act(len(seconds))
                seconds.append(time.perf_counter() - began)
        return took


def percentile(values, share):
    return sorted(values)[min(len(values) - 1, int(len(values) * share))]


def peak_rss_mib(pid):
    [line] = [line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("VmHWM")]
    return int(line.split()[1]) / 1024


def open_the_file_limit():
    wanted = CONNECTIONS + 1000
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    if hard < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, wanted))  # only root may


def test_anothers_plays_and_webhooks_go_on(world, provider):
    open_the_file_limit()
    server = world.server(ADMIN_LISTEN="127.0.0.1:0", CONNECTIONS=LIMIT)
    theirs = world.provider()
    hostile, business = world.business(provider, "Hostile"), world.business(theirs, "Quiet")
    many_calls(world, hostile.id)
    tapes = [theirs.tape(seconds=20) for _ in range(8)]
    for tape in tapes:
        business.tell_call(server, tape.call_sid)
        business.tell(server, tape)
        world.wait_state(tape.sid, business_id=business.id)
    key = hostile.viewer
    person = Person(server, business, tapes)
    quiet = person.live(SAMPLES)

    script = subprocess.Popen([sys.executable, Path(__file__).parent / "hostile.py", str(server.port), key, str(hostile.id),
                               str(CONNECTIONS), str(ASKS)], stdout=subprocess.PIPE, env=free_environment(), text=True)
    try:
        assert script.stdout.readline() == "gathered\n"
        began, late = time.monotonic(), []
        for tape in (theirs.tape(seconds=5) for _ in range(5)):
            late.append(tape)
            business.tell_call(server, tape.call_sid)
            business.tell(server, tape)
        attacked = person.live(SAMPLES, lambda: script.poll() is None and time.monotonic() - began < WITHIN_S)
        seen = json.loads(script.communicate(timeout=30)[0])
    finally:
        script.kill()
        script.wait()

    took = time.monotonic() - began
    figures = {kind: tuple(percentile(of[kind], share) * 1000 for of in (quiet, attacked) for share in (0.5, 0.99))
               for kind in quiet}
    rss = peak_rss_mib(server.pid)
    told = f"{seen} in {took:.1f} s; ms (quiet p50, p99, attacked p50, p99): {figures}; {rss:.0f} MiB"
    print(told)
    # the script was there, and was answered or shown the door
    assert seen.get("connections", 0) + seen.get("refused", 0) == CONNECTIONS, told
    assert sum(n for status, n in seen.items() if status.isdigit()) >= ASKS * 0.9, told
    # nothing is lost
    for tape in late:
        world.wait_state(tape.sid, business_id=business.id)
        assert server.get(f"/api/recordings/{tape.sid}/stream", business.viewer).body == tape.mp3
    known = {row["call_sid"] for row in world.sql("select call_sid from calls where business_id = ?", business.id)}
    assert set(person.told) <= known
    for kind, floor in FLOOR_S.items():
        allowed = TIMES_QUIET * max(percentile(quiet[kind], 0.99), floor)
        assert percentile(attacked[kind], 0.99) <= allowed, (kind, told)
    assert rss <= RSS_CEILING_MIB, told
