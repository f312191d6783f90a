"""The limits of a process, and how it drains and ends."""
import resource
import socket
import sqlite3
import threading
import time

import pytest

import callreel
import provider as p
from callreel import eventually
from wire import Connection


@pytest.mark.sanitized
@pytest.mark.threads
def test_nobody_holds_the_reserve_by_doing_nothing(world, provider):
    server = world.server(CONNECTIONS=40, ADMIN_LISTEN="127.0.0.1:0")
    business = world.business(provider)
    auth = {"Authorization": f"Bearer {business.viewer}"}
    idle = [Connection(server.port, timeout=20) for _ in range(60)]
    try:
        for _ in range(5):
            assert business.webhook(server, "call", business.call_fields(p.sid("CA"))).status == 204
            assert server.get("/healthz").status == 200
            assert server.get("/metrics", world.platform_key).status == 200
            answer = server.get("/api/calls", business.viewer)
            assert answer.status == 503 and answer.code() == "busy" and int(answer.header("retry-after")) >= 1
        figures = server.figures()
        assert figures["callreel_http_connections_max"] == 40 >= figures["callreel_http_connections"] >= 36
        assert figures['callreel_http_limited_total{limit="connections"}'] >= 5
    finally:
        for connection in idle:
            connection.close()
    eventually(lambda: server.get("/api/calls", business.viewer).status == 200)


SLOW = {
    "heads": b"GET / HTTP/1.1\r\nX-A: ",
    "unsigned bodies": b"POST /webhooks/twilio/1/call HTTP/1.1\r\nHost: a\r\n"
                       b"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 60000\r\n\r\na",
    "bodies": b"POST /webhooks/twilio/1/call HTTP/1.1\r\nHost: a\r\nX-Twilio-Signature: x\r\n"
              b"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 60000\r\n\r\na",
    "bodies of pages": b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 60000\r\n\r\na",
}


def hold_by_slow_requests(server, business, count, text):
    """Opens as many slow requests and leaves them; all of forty webhooks and forty looks at health are answered."""
    slow = []
    try:
        for _ in range(count):
            slow.append(socket.create_connection(("127.0.0.1", server.port)))
            slow[-1].sendall(text)
        webhooks = [business.webhook(server, "call", business.call_fields(p.sid("CA"))).status for _ in range(40)]
        health = [server.get("/healthz").status for _ in range(40)]
        assert (webhooks, health) == ([204] * 40, [200] * 40)
    finally:
        for connection in slow:
            connection.close()


@pytest.mark.sanitized
@pytest.mark.threads
@pytest.mark.parametrize("what", SLOW)
def test_nobody_holds_the_reserve_by_slow_requests(world, provider, what):
    server = world.server(CONNECTIONS=300)
    business = world.business(provider)
    hold_by_slow_requests(server, business, 320, SLOW[what])


@pytest.mark.long
@pytest.mark.parametrize("what", ["heads", "bodies"])
def test_nobody_holds_the_reserve_by_slow_requests_at_the_default_size(world, provider, what):
    server = world.server(ADMIN_LISTEN="127.0.0.1:0")
    business = world.business(provider)
    most = int(server.figures()["callreel_http_connections_max"])
    own = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (own[1], own[1]))
    try:
        hold_by_slow_requests(server, business, min(most + most // 15, own[1] - 500), SLOW[what])
        assert server.figures()["callreel_http_connections"] <= most
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, own)


def test_health_has_connections_of_its_own(world, provider):
    """All connections wait for a database that does not answer; more connections get only health checks."""
    server = world.server(CONNECTIONS=20, ADMIN_LISTEN="127.0.0.1:0")
    business = world.business(provider)
    key = world.platform_key
    waiting, database = [], sqlite3.connect(world.database, timeout=20)
    database.execute("begin immediate")
    try:
        for _ in range(20):
            target, headers, body = business.signed(server.port, "call", business.call_fields(p.sid("CA")))
            waiting.append(server.connect())
            waiting[-1].ask("POST", target, headers, body)
        eventually(lambda: server.figures()["callreel_http_connections"] == 20)
        for _ in range(40):
            assert server.get("/healthz").status == 200
            assert server.get("/readyz").status in (200, 503)
            assert server.get("/metrics", key).status == 200
        answer = business.webhook(server, "call", business.call_fields(p.sid("CA")))
        assert answer.status == 503 and answer.code() == "busy" and int(answer.header("retry-after")) >= 1
    finally:
        database.rollback()
        database.close()
        for connection in waiting:
            connection.close()


def test_a_webhook_that_its_head_refuses_is_answered_before_its_body(world, provider):
    server = world.server()
    business = world.business(provider)
    form, signed = "application/x-www-form-urlencoded", "X-Twilio-Signature: AAAA\r\n"
    for status, target_id, content_type, length, mark in [
            (413, business.id, "text/plain", 70_000, ""), (415, business.id, "text/plain", 60_000, ""),
            (401, 999, form, 60_000, ""), (404, 999, form, 60_000, signed), (404, "x", form, 60_000, signed)]:
        with server.connect() as connection:
            connection.send(f"POST /webhooks/twilio/{target_id}/call HTTP/1.1\r\nHost: a\r\n{mark}"
                            f"Content-Type: {content_type}\r\nContent-Length: {length}\r\n\r\n".encode())
            assert connection.read_head().status == status


def test_fewer_connections_where_the_file_limit_is_lower_and_it_says_so(world, provider, monkeypatch):
    narrow = world.directory / "narrow"  # the hard limit too: a server takes what it may have
    narrow.write_text(f'#!/bin/sh\nulimit -n 1024\nexec "{callreel.CALLREEL}" "$@"\n')
    narrow.chmod(0o755)
    with monkeypatch.context() as patch:
        patch.setattr(callreel, "CALLREEL", narrow)
        server = world.server(ADMIN_LISTEN="127.0.0.1:0")
    [line] = [line for line in server.log_lines("CONNECTIONS") if "level=warn" in line]
    most = server.figures()["callreel_http_connections_max"]
    assert f"connections={most:.0f} " in line and "wanted=16384" in line and 100 < most < 1024
    crowd = []
    try:
        for _ in range(1100):
            crowd.append(socket.create_connection(("127.0.0.1", server.port)))
            crowd[-1].sendall(b"GET /")
        assert server.figures()["callreel_ready"] == 1
    finally:
        for connection in crowd:
            connection.close()


@pytest.mark.sanitized
@pytest.mark.threads
def test_a_list_that_takes_too_long_is_stopped(world, provider):
    server = world.server()
    business = world.business(provider)
    business.webhook_add_call(server, p.sid("CA"))
    insert(world, 150_000)
    answers = []

    def ask():
        answers.append(server.get("/api/calls?direction=inbound&limit=1", business.viewer))
    # Its time is the clock's. One step of 3 s falls into each request, a little later than in the one before: into its head
    # or behind its end first, which it survives, and sooner or later into the middle of the list.
    for n in range(200):
        person = threading.Thread(target=ask)
        person.start()
        time.sleep(n % 40 * 0.002)
        world.clock.advance(3)
        person.join()
        if answers[-1].status == 503:
            break
    assert [answer.status for answer in answers[:-1]] == [200] * (len(answers) - 1)
    assert answers[-1].status == 503, answers[-1]
    assert answers[-1].code() == "too_slow" and int(answers[-1].header("retry-after")) >= 1
    assert server.get("/api/calls?limit=1", business.viewer).status == 200


def insert(world, count, metadata_bytes=0):
    """Outbound calls, as many as a list for inbound ones has to look through."""
    with sqlite3.connect(world.database, timeout=20) as db:
        db.execute("""
            with recursive n(i) as (select 1 union all select i + 1 from n where i < ?)
            insert into calls (business_id, call_sid, top_sid, direction, status, first_seen_at, sort_at,
                               metadata)
            select 1, printf('CA%032x', i), printf('CA%032x', i), 'outbound', 'completed', 1, 1000000 + i,
                   case when ?2 then json_object('a', hex(zeroblob(?2 / 2))) end from n""", (count, metadata_bytes))
    db.close()


def test_listeners_who_take_nothing_for_a_minute_make_room(world, provider):
    """Of a recording that is here, and of one that arrives."""
    server = world.server(LISTENERS_PER_BUSINESS=2, ADMIN_LISTEN="127.0.0.1:0")
    business = world.business(provider)
    ready, live = provider.tape(seconds=2000), provider.tape(seconds=2000)
    gate = threading.Event()
    live.acts = [p.pause_at(len(live.mp3) - 1000, gate)]
    business.tell(server, ready)
    world.wait_state(ready.sid)
    business.tell(server, live)
    eventually(lambda: world.state(live.sid) == "downloading")
    auth, listeners = {"Authorization": f"Bearer {business.viewer}", "Range": "bytes=0-"}, []
    try:
        for tape in (ready, live):
            listeners.append(Connection(server.port, timeout=30, receive_buffer=4096))
            listeners[-1].ask("GET", f"/api/recordings/{tape.sid}/stream", auth)
            assert listeners[-1].read_head().status == 206
        assert server.get(f"/api/recordings/{ready.sid}/stream", business.viewer).status == 429
        eventually(lambda: world.parts() and world.parts()[0].stat().st_size > len(live.mp3) - 2000)
        for _ in range(13):
            world.clock.advance(5)
            assert server.get("/healthz").status == 200
        eventually(lambda: server.figures()["callreel_listeners"] == 0)
        assert server.figures()["callreel_http_slow_peers_total"] == 2
        assert server.get(f"/api/recordings/{ready.sid}/stream", business.viewer).body == ready.mp3
    finally:
        gate.set()
        for listener in listeners:
            listener.close()


@pytest.mark.sanitized
@pytest.mark.threads
def test_lists_that_nobody_reads_have_a_ceiling_a_business(world, provider):
    """An answer's memory is the business's that it is for, until its reader has it."""
    server = world.server(ADMIN_LISTEN="127.0.0.1:0")
    business, other = world.business(provider), world.business(provider, name="Other", number="+15005550177")
    insert(world, 100, metadata_bytes=3800)
    most, unread, heads = 32 * 1024 * 1024, [], []
    size = len(server.get("/api/calls?limit=100", business.viewer).body)
    assert size > 400_000
    try:
        for _ in range(most // size + 10):
            unread.append(Connection(server.port, timeout=20, receive_buffer=4096))
            unread[-1].ask("GET", "/api/calls?limit=100", {"Authorization": f"Bearer {business.viewer}"})
            heads.append(unread[-1].read_head())  # one by one: many at once would wait for each other beyond their deadline
        assert {head.status for head in heads} == {200, 429}
        assert [head.status for head in heads].count(200) == most // size
        assert all(int(head.header("retry-after")) >= 1 for head in heads if head.status == 429)
        assert server.get("/api/calls?limit=100", business.viewer).status == 429
        assert server.get("/api/calls?limit=1", business.viewer).status == 200
        assert server.get("/api/calls", other.viewer).status == 200
        assert server.figures()['callreel_http_limited_total{limit="answers"}'] == 11
    finally:
        for connection in unread:
            connection.close()
    eventually(lambda: server.get("/api/calls?limit=100", business.viewer).status == 200)


def test_before_it_ends_it_says_so_and_still_takes_connections_for_a_while(world, provider):
    server = world.server(DRAIN_DELAY=15, DRAIN_TIMEOUT=600, ADMIN_LISTEN="127.0.0.1:0")
    business = world.business(provider)
    ready, tape = provider.tape(seconds=1), provider.tape(seconds=10)
    gate = threading.Event()
    tape.acts = [p.pause_at(8000, gate)]
    business.tell(server, ready)
    world.wait_state(ready.sid)
    business.tell(server, tape)
    eventually(lambda: world.state(tape.sid) == "downloading")
    server.terminate()
    eventually(lambda: server.get("/readyz").status == 503)
    answer = server.get("/readyz")
    assert "shutting down" in answer.json()["detail"]
    # the load balancer has not noticed yet: requests are still answered
    assert server.get("/healthz").status == 200 and server.figures()["callreel_ready"] == 0
    assert server.get(f"/api/recordings/{ready.sid}/stream", business.viewer).body == ready.mp3
    late = provider.tape()
    business.tell(server, late)
    # DRAIN_DELAY is over: nobody new, but what is in hand
    world.clock.advance(15)

    def refused():
        try:
            socket.create_connection(("127.0.0.1", server.port)).close()
            return False
        except ConnectionRefusedError:
            return True
    eventually(refused)
    assert server.alive()
    gate.set()
    assert server.wait(20) == 0
    row = world.row(tape.sid)
    assert row["status"] == "ready" and world.file_of(tape.sid).read_bytes() == tape.mp3
    assert world.state(late.sid) in ("queued", "ready")


def test_what_does_not_end_in_time_is_cut_and_its_lease_given_back(world, provider):
    server = world.server(DRAIN_TIMEOUT=1)
    business = world.business(provider)
    big, tape = provider.tape(seconds=2000), provider.tape(seconds=10)
    business.tell(server, big)
    world.wait_state(big.sid)
    tape.acts = [p.pause_at(8000, threading.Event())]
    business.tell(server, tape)
    eventually(lambda: world.state(tape.sid) == "downloading")
    with Connection(server.port, timeout=30, receive_buffer=4096) as listener:
        listener.ask("GET", f"/api/recordings/{big.sid}/stream", {"Authorization": f"Bearer {business.viewer}"})
        assert listener.read_head().status == 200
        server.terminate()
        assert server.wait(10) == 0
        with pytest.raises((OSError, EOFError, AssertionError)):
            assert len(listener.read_some(len(big.mp3))) == len(big.mp3)
    row = world.row(tape.sid)
    assert row["status"] == "queued" and row["lease_until"] is None and row["fail_count"] == 0


def test_a_second_signal_ends_it_in_the_delay_too(world):
    server = world.server(DRAIN_DELAY=3000)
    server.terminate()
    eventually(lambda: server.get("/readyz").status == 503)
    begin = time.monotonic()
    server.terminate()
    assert server.wait(5) != 0 and time.monotonic() - begin < 5


def listen(server, target, count):
    """So many connections that ask for the whole and read nothing but the head; their statuses, and the connections."""
    listeners, told = [], []
    for _ in range(count):
        listeners.append(Connection(server.port, timeout=30, receive_buffer=4096))
        listeners[-1].ask("GET", target, {})
        head = listeners[-1].read_head()
        told.append(head.status)
        if head.status == 429:
            assert int(head.header("retry-after")) > 0
    return told, listeners


def signed(server, business, sid, ttl):
    return server.post(f"/api/recordings/{sid}/url?ttl={ttl}", business.key("agent")).json()["url"]


def test_who_has_a_signed_url_leaves_room_for_others(world, provider):
    """At most 50 by one, at most a quarter of the business's by all; people and other businesses notice nothing."""
    server = world.server(LISTENERS_PER_BUSINESS=240)
    business, other = world.business(provider), world.business(world.provider(), "Other")
    tape = provider.tape(seconds=2000)
    business.tell(server, tape)
    world.wait_state(tape.sid)
    everybody = []
    try:
        told, listeners = listen(server, signed(server, business, tape.sid, 600), 55)
        everybody += listeners
        assert told == [200] * 50 + [429] * 5
        told, listeners = listen(server, signed(server, business, tape.sid, 601), 15)
        everybody += listeners
        assert told == [200] * 10 + [429] * 5
        assert server.get(f"/api/recordings/{tape.sid}/stream", business.viewer).body == tape.mp3
        assert server.get(f"/api/recordings/{tape.sid}/stream", other.viewer).status == 404
        everybody.pop(0).close()
        eventually(lambda: listen_once(server, signed(server, business, tape.sid, 602)) == 200)
    finally:
        for listener in everybody:
            listener.close()


def listen_once(server, target):
    told, listeners = listen(server, target, 1)
    listeners[0].close()
    return told[0]
