"""What goes on while the PostgreSQL server restarts, stands still, is replaced by its standby, or can't be reached; and what is told
of a commit whose answer was lost. Each story has servers of its own."""
import contextlib
import os
import random
import sys
import threading

import pytest

import callreel
import postgres
from callreel import ROOT, eventually
from events import Stream
from postgres_proxy import Proxy
from provider import Provider, sid

sys.path.insert(0, str(ROOT / "script"))
import postgres_server  # noqa: E402 - found by the line above

# They start a server themselves, so they run once, in the stage of PostgreSQL.
pytestmark = pytest.mark.skipif(not postgres.SERVER, reason="CALLREEL_TEST_POSTGRES names no server (script/test postgres starts one)")
STALE_S = 900  # DATABASE_STALE_MAX


@pytest.fixture
def home():
    with postgres_server.home() as path:
        yield path


def new_server(home, name="primary", **settings):
    server = postgres_server.Server(home / name)
    server.settings |= settings
    server.make()
    server.start()
    server.make_extensions()
    return server


def standby_of(primary, home, through=None):
    """through: the port that it follows the primary by."""
    standby = postgres_server.Server(home / "standby")
    standby.make_standby_of(primary)
    standby.settings["primary_conninfo"] = f"host=127.0.0.1 port={through or primary.port} user=postgres application_name=standby"
    standby.start()
    eventually(lambda: primary.ask("select count(*) from pg_stat_replication where state = 'streaming'") == "1", 20)
    return standby


@contextlib.contextmanager
def one_core():
    """A server that starts here has one loop: each loop remembers for itself what it played."""
    own = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {random.choice(sorted(own))})
    try:
        yield
    finally:
        os.sched_setaffinity(0, own)


class Installation:
    """A world on servers of its own, with a business, and a recording that is ready and hot."""

    def __init__(self, directory, url, ask_url=None):
        self.schema = postgres.Schema(url)
        self.world = callreel.World(directory, self.schema)
        self.provider = self.world.provider()
        with one_core():
            self.server = self.world.server()
        self.business = self.world.business(self.provider)
        self.business.viewer, self.business.key("agent")
        self.tape = self.provider.tape(seconds=3)
        self.business.tell(self.server, self.tape)
        self.world.wait_state(self.tape.sid)
        eventually(lambda: self.play().body == self.tape.mp3)
        self.answered, self.refused = [], []
        self.over, self.threads = threading.Event(), []

    def play(self, tape=None, server=None):
        return (server or self.server).get(f"/api/recordings/{(tape or self.tape).sid}/stream", self.business.viewer)

    def deliver_one(self, server=None):
        call_sid = sid("CA")
        answer = self.business.webhook(server or self.server, "call", self.business.call_fields(call_sid))
        (self.answered if answer.status == 204 else self.refused).append(call_sid)
        return answer

    def deliver(self, senders=3):
        """Sends webhooks until the end."""
        def send():
            while not self.over.is_set():
                self.deliver_one()
        self.threads = [threading.Thread(target=send) for _ in range(senders)]
        for thread in self.threads:
            thread.start()
        self.delivers_on()

    def delivers_on(self, more=5):
        had = len(self.answered)
        eventually(lambda: len(self.answered) > had + more, 30, "webhooks are taken")

    def end(self):
        self.over.set()
        for thread in self.threads:
            thread.join()
        self.threads = []

    def lost(self):
        """The webhooks that were answered 204 and are not in the database."""
        there = {row["call_sid"] for row in self.world.sql("select call_sid from calls")}
        return [call_sid for call_sid in self.answered if call_sid not in there]

    def knows_the_database(self):
        """The process has heard of the server that is back: what it remembered from before is read again from now on."""
        eventually(lambda: not self.server.get("/readyz").json()["degraded"])

    def fetches(self):
        """A recording that is told of now is fetched once."""
        tape = self.provider.tape(seconds=3)
        self.business.tell(self.server, tape)
        self.world.wait_state(tape.sid, within=30)
        assert self.play(tape).body == tape.mp3 and tape.downloads == 1


@pytest.fixture
def installed(tmp_path):
    made = []

    def install(url):
        made.append(Installation(tmp_path, url))
        return made[0]
    yield install
    for installation in made:
        installation.end()
        installation.world.close()


def test_a_server_that_restarts_costs_no_webhook_and_no_play(home, installed):
    server = new_server(home)
    i = installed(server.url)
    i.deliver()
    for mode in ("fast", "immediate"):
        server.stop(mode)
        assert i.play().body == i.tape.mp3
        server.start()
        i.delivers_on()
        i.knows_the_database()
        assert i.play().body == i.tape.mp3
    i.end()
    assert not i.refused and not i.lost()
    i.fetches()


def test_cut_off_for_long_a_process_plays_what_is_hot_and_then_nothing(home, installed):
    server = new_server(home)
    i = installed(server.url)
    server.stop()
    answer = i.deliver_one()
    assert answer.status == 503 and answer.header("retry-after"), answer
    assert i.play().body == i.tape.mp3
    eventually(lambda: i.server.get("/readyz").json()["degraded"] == ["database"])
    i.world.clock.advance(STALE_S - 60)
    assert i.play().body == i.tape.mp3
    i.world.clock.advance(120)
    answer = eventually(lambda: (a := i.play()).status != 200 and a)
    assert answer.status == 503 and answer.header("retry-after") and b"database" in answer.body, answer
    server.start()
    eventually(lambda: i.play().body == i.tape.mp3, 20)
    eventually(lambda: i.deliver_one().status == 204)
    i.fetches()
    assert not i.lost()


def test_a_server_that_stands_still_refuses_webhooks_and_loses_none(home, installed):
    server = new_server(home)
    i = installed(server.url)
    i.deliver()
    server.freeze()
    had = len(i.refused)
    eventually(lambda: len(i.refused) > had, 20, "a webhook is refused")
    assert i.play().body == i.tape.mp3
    server.thaw()
    i.delivers_on()
    i.end()
    assert not i.lost()
    i.fetches()


def both(primary, standby):
    return f"postgresql://postgres@127.0.0.1:{primary.port},127.0.0.1:{standby.port}/postgres"


def test_a_synchronous_standby_takes_over_with_all_that_was_answered(home, installed):
    primary = new_server(home)
    standby = standby_of(primary, home)
    primary.ask("alter system set synchronous_standby_names = 'standby'")
    primary.ask("select pg_reload_conf()")
    eventually(lambda: primary.ask("select sync_state from pg_stat_replication") == "sync")
    i = installed(both(primary, standby))
    assert "1, synchronous" in i.world.run("check").stdout
    i.deliver()
    primary.stop()
    standby.promote()
    i.delivers_on()
    i.end()
    assert not i.lost() and i.play().body == i.tape.mp3
    i.fetches()


def test_an_asynchronous_standby_loses_what_it_has_not_got_and_no_number_comes_twice(home, installed):
    primary = new_server(home)
    replication = Proxy(primary.port)
    standby = standby_of(primary, home, replication.port)
    i = installed(both(primary, standby))
    done = i.world.run("check")
    assert done.returncode == 1 and "no standby of 1 is synchronous" in done.stdout, done.stdout
    stream = Stream(i.server, i.business.viewer)
    i.deliver()
    replication.cut_off()
    i.delivers_on(20)
    primary.stop()
    replication.stop()
    standby.promote()
    i.delivers_on()
    i.end()
    lost = i.lost()
    assert lost  # 204 was said, and it is gone: contract and docs say so
    ids = []
    while True:
        event = stream.next()
        ids += [event.id] if event.id is not None else []
        if event.kind == "reset":
            break
    i.answered = [call_sid for call_sid in i.answered if call_sid not in lost]
    i.deliver_one()
    opening = lambda: Stream(i.server, i.business.viewer).opening_id
    eventually(lambda: (opening() or 0) > max(ids, default=0), what="a stream that begins with a number of the new server")
    assert ids == sorted(ids)
    i.fetches()


def test_a_commit_whose_answer_is_lost_is_told_as_what_it_is(home, installed):
    server = new_server(home)
    proxy = Proxy(server.port)
    i = installed(f"postgresql://postgres@127.0.0.1:{proxy.port}/postgres")
    try:
        for _ in range(3):
            proxy.swallow_commits(1)
            eventually(lambda: i.deliver_one().status == 204 and proxy.commits_left == 0)
        assert proxy.swallowed >= 3 and not i.refused and not i.lost()
        rows = i.world.sql("select call_sid, count(*) as n from calls group by call_sid")
        assert all(row["n"] == 1 for row in rows)
        proxy.swallow_commits(8)  # of workers' claims and reports as well
        tape = i.provider.tape(seconds=3)
        i.business.tell(i.server, tape)
        eventually(lambda: proxy.commits_left == 0, 20)
        i.world.wait_state(tape.sid, within=30)
        assert tape.downloads == 1 and i.play(tape).body == tape.mp3
    finally:
        proxy.heal()
        i.end()
        i.world.close = lambda close=i.world.close: (close(), proxy.stop())


def test_a_process_that_is_cut_off_takes_nothing_and_the_others_go_on(home, installed):
    server = new_server(home)
    i = installed(server.url)
    proxy = Proxy(server.port)
    through = f"postgresql://postgres@127.0.0.1:{proxy.port}/postgres"
    try:
        with one_core():
            apart = i.world.server("apart", DATABASE_URL=through)
        eventually(lambda: i.business.is_known_to(apart))
        eventually(lambda: i.play(server=apart).body == i.tape.mp3)
        proxy.cut_off()
        assert i.deliver_one(apart).status == 503
        assert i.play(server=apart).body == i.tape.mp3
        i.refused.clear()
        i.deliver()
        i.end()
        assert not i.refused and not i.lost()
        i.fetches()
        proxy.heal()
        eventually(lambda: i.deliver_one(apart).status == 204, 20)
        new = eventually(lambda: i.play(server=apart))
        assert new.body == i.tape.mp3
    finally:
        proxy.heal()
        i.world.close = lambda close=i.world.close: (close(), proxy.stop())
