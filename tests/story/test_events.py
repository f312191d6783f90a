"""Event streams: each change reaches the business's streams once and in order, and no stream after its access has ended."""
import sqlite3
import threading
import time

import pytest

import provider as p
import who
from callreel import PATIENCE, SANITIZED, eventually
from events import Stream


@pytest.mark.sanitized
@pytest.mark.threads
def test_a_recordings_life_is_told_in_order_and_every_process_gives_it_the_same_numbers(world, provider):
    first, second = world.server("first"), world.server("second", role="web")
    business = world.business(provider)
    gate = threading.Event()
    tape = provider.tape()
    tape.acts = [p.hold(gate)]
    with Stream(first, business.viewer) as a, Stream(second, business.viewer) as b:
        assert a.last_id is not None and b.last_id is not None
        business.webhook_add_call(first, tape.call_sid)
        business.tell(first, tape)
        for stream in (a, b):
            call = stream.until(lambda e: e.kind == "call" and e.json()["call_sid"] == tape.call_sid)
            now = first.get(f"/api/calls/{tape.call_sid}", business.viewer).json()
            assert call.json() == now | {name: call.json()[name] for name in ("recordings", "has_recording")}
            stream.status(tape.sid, "queued")
        gate.set()
        ready = [stream.status(tape.sid, "ready") for stream in (a, b)]
        assert ready[0].id == ready[1].id and ready[0].data == ready[1].data
        status = first.get(f"/api/recordings/{tape.sid}/status", business.viewer)
        assert ready[0].json() == status.json()
        for stream in (a, b):
            ids = [e.id for e in stream.seen if e.id is not None]
            assert ids == sorted(set(ids)), stream.seen
            numbered = [e for e in stream.seen if e.id is not None and e.json().get("status") == "downloading"]
            assert len(numbered) <= 1, stream.seen  # the state; further bytes have no number


def test_who_comes_again_is_told_what_it_missed_by_any_process(world, provider):
    first, second = world.server("first"), world.server("second", role="web")
    business = world.business(provider)
    tape, later = provider.tape(), provider.tape()
    with Stream(first, business.viewer) as stream:
        business.tell(first, tape)
        last = stream.status(tape.sid, "ready").id
    business.tell(first, later)
    world.wait_state(later.sid)
    for server in (second, first):
        eventually(lambda: later.sid in server.get("/api/calls", business.viewer).body.decode())
        with Stream(server, business.viewer, last_id=last) as again:
            again.status(later.sid, "ready")
            assert tape.sid not in str([e.data for e in again.seen])
            assert all(e.id > last for e in again.seen if e.id), again.seen
            newest = again.last_id
        with Stream(server, business.viewer, last_id=newest) as current:  # nothing was missed: only what comes now is told
            business.webhook_add_call(first, later.call_sid, CallDuration="7", SequenceNumber=str(10 + server.port % 2))
            event = current.next()
            assert event.kind == "call" and event.id > newest, event


def test_a_list_says_after_which_change_a_stream_misses_nothing(world, provider):
    server = world.server()
    business = world.business(provider)
    tape, later = provider.tape(), provider.tape()
    with Stream(server, business.viewer) as stream:
        business.webhook_add_call(server, tape.call_sid)
        stream.next()
        change = server.get("/api/calls", business.viewer).header("callreel-change")
        business.webhook_add_call(server, later.call_sid)
        told = stream.next()
    with Stream(server, business.viewer, after=change) as after:
        event = after.next()
        assert (event.kind, event.id, event.json()["call_sid"]) == ("call", told.id, later.call_sid)
        assert after.opening_id == int(change)
    with Stream(server, business.viewer, after=change, last_id=told.id) as again:  # the same address, and the newer of the two
        business.webhook_add_call(server, later.call_sid, CallDuration="9", SequenceNumber="12")
        assert again.next().id > told.id
    with Stream(server, business.viewer, after="x") as nonsense:
        assert nonsense.next().kind == "reset"
    assert server.get(f"/api/calls/{later.call_sid}", business.viewer).header("callreel-change") is None


@pytest.mark.parametrize("last_id", [1, 10 ** 15, "x", "-1", "9" * 40])
def test_who_saw_last_what_nobody_remembers_looks_at_everything_again(world, provider, last_id):
    server = world.server()
    business = world.business(provider)
    tape = provider.tape()
    business.tell(server, tape)
    world.wait_state(tape.sid)
    if last_id == 1:
        with sqlite3.connect(world.database, timeout=10) as db:  # as the upkeep does after a while
            db.execute("delete from changes where seq < 4")
        db.close()
    with Stream(server, business.viewer, last_id=last_id) as stream:
        event = stream.next()
        assert event.kind == "reset" and event.json() == {}, event
        assert event.id is not None
        with Stream(server, business.viewer, last_id=event.id) as again:
            business.webhook_add_call(server, tape.call_sid)
            for one in (stream, again):
                assert one.next().kind == "call"


def test_how_far_a_recording_is_is_told_without_a_number_and_not_too_often(world, provider):
    server = world.server()
    business = world.business(provider)
    gates = [threading.Event() for _ in range(3)]
    tape = provider.tape(seconds=20)
    tape.acts = [p.steps((20_000, gates[0]), (40_000, gates[1]), (60_000, gates[2]))]
    with Stream(server, business.viewer) as stream:
        began = time.monotonic()
        business.tell(server, tape)
        seen = 0
        for gate in gates:
            def further(e):
                return e.kind == "recording" and e.json()["status"] == "downloading" and e.json()["progress"]["bytes"] > seen
            event = stream.until(further)
            assert event.id is None or seen == 0  # the first bytes may come with the state, which has a number
            assert event.json()["progress"]["total"] == len(tape.mp3)
            seen = event.json()["progress"]["bytes"]
            gate.set()
        stream.status(tape.sid, "ready")
        told = [e for e in stream.seen if e.id is None]
        assert len(told) <= 4 * (time.monotonic() - began + 1)


@pytest.mark.sanitized
@pytest.mark.threads
def test_nobody_is_told_of_another_business(world, provider):
    server = world.server()
    business, other = world.business(provider), world.business(world.provider(), name="Beta")
    tape = provider.tape()
    with Stream(server, other.viewer) as theirs, Stream(server, business.viewer) as ours, \
            Stream(server, headers={"Authorization": f"Bearer {world.platform_key}", "X-Business-Id": str(business.id)}) as all_:
        business.tell(server, tape)
        ours.status(tape.sid, "ready")
        all_.status(tape.sid, "ready")
        other.webhook_add_call(server, tape.call_sid)  # the same SID, another call
        event = theirs.next()
        assert event.kind == "call" and event.json()["recordings"] == [] and len(theirs.seen) == 1
        before = theirs.last_id
    with Stream(server, other.viewer, last_id=before) as again:
        other.webhook_add_call(server, tape.call_sid, SequenceNumber="9", CallDuration="3")
        assert again.next().json()["duration"] == 3
    for answer in (server.get("/api/events"), server.get("/api/events", "cr_none")):
        assert answer.status == 401
    assert server.get("/api/events", world.platform_key).status == 400


def test_streams_of_a_business_are_counted_and_limited(world, provider):
    server = world.server(EVENTS_PER_BUSINESS=2, ADMIN_LISTEN="127.0.0.1:0")
    business, other = world.business(provider), world.business(world.provider(), name="Beta")
    one, two = Stream(server, business.viewer), Stream(server, business.viewer)
    three = Stream(server, business.viewer)
    assert three.answer.status == 429 and int(three.answer.header("retry-after")) >= 1, three.answer
    assert three.answer.code() == "too_many_requests"
    figures = server.figures()
    assert figures["callreel_event_streams"] == 2 and figures['callreel_http_limited_total{limit="events"}'] == 1
    Stream(server, other.viewer).__exit__()
    assert server.call("HEAD", "/api/events", key=business.viewer).status == 200  # a look: it opens none
    one.__exit__()
    eventually(lambda: server.figures()["callreel_event_streams"] == 1, 3, "who leaves is missed at once")
    with Stream(server, business.viewer) as again:
        assert again.answer.status == 200
    two.__exit__()
    eventually(lambda: server.figures()["callreel_event_streams"] == 0)


def test_a_revocation_ends_the_stream_within_two_seconds_in_every_process(world, provider):
    servers = world.server("first"), world.server("second", role="web")
    business, gone = world.business(provider), world.business(world.provider(), name="Gone")
    revoked, kept = business.key("agent"), business.key("admin")
    key_id = servers[0].get("/api/session", revoked).json()["subject"].partition(":")[2]
    sessions = [who.sign_in(servers[0], kept) for _ in range(2)]
    by_revoked = [Stream(s, revoked) for s in servers] + [Stream(s, headers=who.sign_in(s, revoked)) for s in servers]
    staying = [Stream(s, kept) for s in servers] + [Stream(s, headers=sessions[1]) for s in servers]
    by_session = [Stream(s, headers=sessions[0]) for s in servers]
    of_gone = [Stream(s, gone.viewer) for s in servers]
    world.done("key", "revoke", key_id)
    assert all(stream.ends(2) for stream in by_revoked)
    assert servers[0].call("DELETE", "/api/session", sessions[0]).status == 204
    assert all(stream.ends(2) for stream in by_session)
    world.done("business", "remove", gone.id)
    assert all(stream.ends(2) for stream in of_gone)
    tape = provider.tape()
    business.tell(servers[0], tape)
    for stream in staying:
        stream.status(tape.sid, "ready")
    for stream in by_revoked + staying + by_session + of_gone:
        stream.connection.close()


def test_a_stream_ends_with_its_token_and_lives_by_comments_until_then(world, provider):
    server = world.server(JWT_SECRET=who.SECRET)
    business = world.business(provider)
    token = who.token(who.claims(business.id, lives=40))
    world.secrets.add(token)
    with Stream(server, token) as stream:
        for _ in range(2):
            world.clock.advance(15)
            assert stream.comment()
        world.clock.advance(11)
        assert stream.ends()
    assert server.get("/api/events", token).status in (200, 401)  # 30 s of leeway are the token's, not the stream's


def test_streams_end_in_good_order_when_the_server_is_to_end(world, provider):
    server = world.server(DRAIN_TIMEOUT=20)
    business = world.business(provider)
    streams = [Stream(server, business.viewer) for _ in range(5)]
    began = time.monotonic()
    server.terminate()
    assert all(stream.ends() for stream in streams)
    assert server.wait() == 0 and time.monotonic() - began < 10 * PATIENCE


def test_a_reader_that_does_not_read_costs_a_bounded_queue_and_looks_again(world, provider):
    server = world.server(ADMIN_LISTEN="127.0.0.1:0")
    business = world.business(provider)
    tapes = [provider.tape() for _ in range(40)]
    for tape in tapes:
        business.webhook_add_call(server, tape.call_sid)
    agent = business.key("agent")
    with Stream(server, business.viewer, receive_buffer=4096) as slow, Stream(server, business.viewer) as quick:
        headers = {"Authorization": f"Bearer {agent}", "Content-Type": "application/json"}
        before = server.figures()["callreel_process_resident_memory_bytes"]
        with server.connect(timeout=30) as connection:
            for n in range(1600):
                body = b'{"ref":"%d","metadata":{"filling":"%s"}}' % (n, b"x" * 3900)
                sid = tapes[n % len(tapes)].call_sid
                assert connection.call("PATCH", f"/api/calls/{sid}", headers, body).status == 200
                if n % 40 == 39:  # the quick one reads on
                    quick.until(lambda e: e.kind == "call" and int(e.json()["ref"] or 0) >= n - 39)
        grown = server.figures()["callreel_process_resident_memory_bytes"] - before
        assert SANITIZED or grown < 24 * 1024 * 1024, grown  # sanitizers keep what was freed for a while
        assert not [e for e in quick.seen if e.kind == "reset"]
        reset = slow.until(lambda e: e.kind == "reset", within=30)
        assert reset.id is not None
        business.tell(server, tapes[0])
        slow.status(tapes[0].sid, "ready")


@pytest.mark.sanitized
@pytest.mark.threads
def test_pages_are_told_that_no_worker_runs_and_that_one_is_back(world, provider):
    worker = world.server("worker", role="worker")
    eventually(lambda: world.live_workers())
    server = world.server(role="web")
    business = world.business(provider)
    tape = provider.tape()

    def reason():
        status = server.get(f"/api/recordings/{tape.sid}/status", business.viewer).json()
        [row] = server.get("/api/calls", business.viewer).json()["calls"]
        assert row["recordings"][0]["error"] == status["error"] and status["status"] == "queued"
        return status["error"] and status["error"]["code"]

    with Stream(server, business.viewer) as stream:
        worker.kill()
        business.tell(server, tape)
        assert stream.status(tape.sid, "queued").json()["error"] is None and reason() is None
        world.pass_time(31)
        told = stream.until(lambda e: e.kind == "reset" or e.json().get("error"))
        assert told.kind == "reset" or told.json()["error"]["code"] == "no_worker"
        assert reason() == "no_worker"
        version = world.row(tape.sid)["version"]
        gate = threading.Event()
        tape.acts = [p.hold(gate)]
        world.server("another", role="worker")
        stream.until(lambda e: e.kind == "reset" or e.json().get("error") is None)
        assert reason() is None and world.row(tape.sid)["version"] <= version + 1  # the claim alone wrote to it
        gate.set()
        stream.status(tape.sid, "ready")


@pytest.mark.sanitized
@pytest.mark.threads
def test_a_stopped_account_is_told_to_its_own_pages_alone(world, provider):
    server = world.server()
    elsewhere = world.provider()
    stopped, other = world.business(provider), world.business(elsewhere, "Other")
    provider.outage = p.status(401)
    with Stream(server, stopped.viewer) as a, Stream(server, other.viewer) as b:
        tape = provider.tape()
        stopped.tell(server, tape)
        a.until(lambda e: e.kind == "reset")
        provider.outage = None
        world.pass_time_until(lambda: world.state(tape.sid) == "ready", step=5, within=90)
        a.until(lambda e: e.kind == "reset")
        tape = elsewhere.tape()
        other.tell(server, tape)
        b.status(tape.sid, "ready")
        assert not [e for e in b.seen if e.kind == "reset"]


def status_of(server, business, tape):
    return server.get(f"/api/recordings/{tape.sid}/status", business.viewer).json()


def reload_until(stream, server, business, tape, reason):
    """Loads the status, and again at each reset, until it says why the recording waits."""
    while True:
        error = status_of(server, business, tape)["error"]
        if (error and error["code"]) == reason:
            return
        stream.until(lambda e: e.kind == "reset")


def reasons_of(server, business, tape):
    """Why the recording waits, as a page that loads now sees it: in the status, the list and its call."""
    status = status_of(server, business, tape)
    calls = server.get("/api/calls?limit=100", business.viewer).json()["calls"]
    [row] = [one for call in calls for one in call["recordings"] if one["recording_sid"] == tape.sid]
    call = server.get(f"/api/calls/{tape.call_sid}", business.viewer).json()
    [own] = [one for one in call["recordings"] if one["recording_sid"] == tape.sid]
    assert status["error"] == row["error"] == own["error"], (status, row, own)
    return status["status"], status["error"] and status["error"]["code"]


@pytest.mark.sanitized
@pytest.mark.threads
def test_a_page_that_reloads_at_a_reset_sees_that_a_waiting_recording_waits_for_credentials(world, provider):
    server = world.server(DOWNLOADS_PER_BUSINESS=1)
    business = world.business(provider)
    gate = threading.Event()
    refused, waiting = provider.tape(), provider.tape()
    refused.default = p.hold(gate, then=p.status(401))
    business.tell(server, refused)
    eventually(lambda: refused.asks)
    business.tell(server, waiting)
    with Stream(server, business.viewer) as stream:
        assert reasons_of(server, business, waiting) == ("queued", None)
        gate.set()
        stream.until(lambda e: e.kind == "reset")
        assert reasons_of(server, business, waiting) == ("queued", "auth_failed")
        refused.default = p.content(refused.mp3)
        world.pass_time_until(lambda: world.state(waiting.sid) == "ready", step=5, within=90)
        stream.until(lambda e: e.kind == "reset")
        assert reasons_of(server, business, waiting) == ("ready", None)


def test_a_page_that_reloads_at_a_reset_sees_that_recordings_wait_for_room(world, provider):
    roomy = world.server("roomy", role="worker", DOWNLOADS_PER_BUSINESS=1)
    full = world.server("full", role="worker", MIN_FREE_BYTES=1 << 60)
    eventually(lambda: full.log_lines("Storage is full"))
    eventually(lambda: len(world.live_workers()) == 2)
    web = world.server("web", role="web")
    business = world.business(provider)
    gate = threading.Event()
    hung, waiting = provider.tape(), provider.tape()
    hung.default = p.hold(gate)
    business.tell(web, hung)
    eventually(lambda: hung.asks)
    business.tell(web, waiting)
    with Stream(web, business.viewer) as stream:
        assert reasons_of(web, business, waiting) == ("queued", None)
        roomy.kill()
        world.pass_time(31)
        reload_until(stream, web, business, waiting, "storage_full")  # no worker, until the full one's beat is seen
        assert reasons_of(web, business, waiting) == ("queued", "storage_full")
        world.server("another", role="worker", DOWNLOADS_PER_BUSINESS=1)
        reload_until(stream, web, business, waiting, None)
        assert reasons_of(web, business, waiting)[1] is None
        gate.set()
        world.wait_state(waiting.sid)
