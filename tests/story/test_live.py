"""Live playback: a recording is played while it is still being downloaded."""
import json
import signal
import threading

import pytest

import provider as p
from callreel import eventually
from test_plays import MEDIA, Stage
from wire import Connection, at_once

PLAIN = {"Range": "bytes=0-"}
FIRST = 8000  # bytes that the provider sends before a story's first gate


@pytest.fixture
def stage(world, provider):
    return Stage(world, provider)


def begun(world, stage, tape):
    """The fill has begun: its row says how far it is."""
    eventually(lambda: (world.row(tape.sid)["got"] or 0) > 0, what="the fill has begun")


def half_here(stage, world, seconds=20, **more):
    """A recording of which FIRST bytes are here; the gate lets the rest come."""
    gate = threading.Event()
    tape = stage.cold(seconds=seconds, acts=[p.pause_at(FIRST, gate, **more)])
    first, head = join(stage, tape)
    return tape, gate, first, head


def ask(stage, tape, what="stream", headers=None, server=None, method="GET", **options):
    """A request that was sent, the last on its connection: its body lasts until the connection ends."""
    connection = Connection((server or stage.server).port, timeout=20, **options)
    connection.ask(method, f"/api/recordings/{tape.sid}/{what}",
                   {**stage.auth, "Connection": "close", **(PLAIN if headers is None else headers)})
    return connection


def join(*args, **options):
    connection = ask(*args, **options)
    return connection, connection.read_head()


def total(tape):
    return len(tape.mp3)


# ---- one fill, many listeners ----


@pytest.mark.sanitized
@pytest.mark.threads
def test_it_plays_before_it_is_here(world, stage):
    tape, gate, listener, head = half_here(stage, world)
    assert head.status == 206 and head.header("content-range") == f"bytes 0-{total(tape) - 1}/{total(tape)}"
    assert head.header("cache-status") == "callreel; fwd=miss" and head.header("x-accel-buffering") == "no"
    assert head.header("accept-ranges") == "bytes" and head.header("content-type") == "audio/mpeg"
    assert head.header("cache-control") == "private, no-cache" and head.header("etag")[0] == '"'
    assert listener.read_some(FIRST) == tape.mp3[:FIRST]
    assert world.state(tape.sid) == "downloading"
    gate.set()
    assert listener.read_some(total(tape)) == tape.mp3[FIRST:]
    world.wait_state(tape.sid)
    after = stage.play(tape, **PLAIN)
    assert after.header("cache-status") == "callreel; hit" and after.body == tape.mp3
    for name in ("etag", "last-modified", "content-type", "content-range", "content-length", "accept-ranges"):
        assert after.header(name) == head.header(name), name
    assert len(tape.asks) == 1


@pytest.mark.sanitized
@pytest.mark.threads
def test_a_herd_hears_one_fill(world, stage):
    gate, rest = threading.Event(), threading.Event()
    tape = stage.cold(seconds=20, acts=[p.hold(gate, then=p.pause_at(FIRST, rest))])

    def play(i, ready):
        connection = ask(stage, tape)
        ready()
        if i == 0:
            gate.set()
        head = connection.read_head()
        start = connection.read_some(FIRST)
        ready()
        rest.set()
        return head, start + connection.read_some(total(tape))

    answers = at_once(100, play)
    assert all(head.status == 206 and body == tape.mp3 for head, body in answers)
    assert len({head.header("etag") for head, _ in answers}) == 1
    kinds = [head.header("cache-status") for head, _ in answers]
    assert kinds.count("callreel; fwd=miss") == 1 and kinds.count("callreel; fwd=miss; collapsed") == 99
    assert len(tape.asks) == 1


def test_a_late_joiner_gets_what_is_here_at_once(world, stage):
    tape, gate, first, _ = half_here(stage, world)
    late, head = join(stage, tape)
    assert head.header("cache-status") == "callreel; fwd=miss; collapsed"
    assert late.read_some(FIRST) == tape.mp3[:FIRST] and not gate.is_set()
    gate.set()
    assert late.read_some(total(tape)) == first.read_some(total(tape))[FIRST:] == tape.mp3[FIRST:]


def test_the_first_listeners_leaving_stops_nothing(world, stage):
    tape, gate, first, _ = half_here(stage, world)
    late, _ = join(stage, tape)
    first.reset()
    gate.set()
    assert late.read_some(total(tape)) == tape.mp3
    other, gate, alone, _ = half_here(stage, world)
    alone.reset()  # the last one
    gate.set()
    world.wait_state(other.sid)
    assert len(tape.asks) == len(other.asks) == 1


def test_a_slow_listener_holds_up_no_fast_one(world, stage):
    gate = threading.Event()
    tape = stage.cold(seconds=3600, acts=[p.pause_at(FIRST, gate)])  # 14 MB: more than sockets hold
    slow, head = join(stage, tape, receive_buffer=4096)
    fast, _ = join(stage, tape)
    gate.set()
    assert fast.read_some(total(tape)) == tape.mp3
    assert slow.read_body(head).body == tape.mp3 and head.complete
    assert len(tape.asks) == 1


# ---- ranges of what arrives ----


@pytest.mark.sanitized
@pytest.mark.parametrize("wanted, first, last", [
    ("bytes=0-1", 0, 1), ("bytes=100-199", 100, 199), (f"bytes={FIRST - 10}-{FIRST + 9}", FIRST - 10, FIRST + 9),
    ("bytes=40000-", 40000, -1), ("bytes=-500", -500, -1), (f"bytes={FIRST}-{FIRST}", FIRST, FIRST)])
def test_any_range_is_answered_as_if_it_were_here(world, stage, wanted, first, last):
    tape, gate, _, _ = half_here(stage, world)
    first, last = (n + total(tape) if n < 0 else n for n in (first, last))
    listener, head = join(stage, tape, headers={"Range": wanted})
    assert head.status == 206 and head.header("content-range") == f"bytes {first}-{last}/{total(tape)}"
    assert head.header("content-length") == str(last - first + 1)
    here = max(0, min(FIRST, last + 1) - first)
    assert listener.read_some(here) == tape.mp3[first:first + here]
    gate.set()
    assert listener.read_some(last - first + 1 - here) == tape.mp3[first + here:last + 1]


def test_conditions_hold_while_it_arrives(world, stage):
    tape, gate, _, head = half_here(stage, world)
    etag, modified = head.header("etag"), head.header("last-modified")
    for headers, status in (({"If-None-Match": etag}, 304), ({"If-Match": '"another"'}, 412),
                            ({"Range": f"bytes={total(tape)}-"}, 416), ({"If-Modified-Since": modified, "Range": "bytes=0-"}, 304)):
        answer = join(stage, tape, headers={"Accept": "audio/mpeg", **headers})[1]
        assert answer.status == status, headers
        if status == 416:
            assert answer.header("content-range") == f"bytes */{total(tape)}"
        if status == 304:
            assert answer.header("etag") == etag
    other, answer = join(stage, tape, headers={"Range": "bytes=5-", "If-Range": '"another"'})
    assert answer.status == 200 and answer.header("content-length") == str(total(tape))
    same, answer = join(stage, tape, headers={"Range": "bytes=5-", "If-Range": etag})
    assert answer.status == 206
    gate.set()
    assert other.read_some(total(tape)) == tape.mp3 and same.read_some(total(tape)) == tape.mp3[5:]


def test_head_begins_a_fill_and_tells_what_get_would(world, stage):
    gate = threading.Event()
    tape = stage.cold(acts=[p.pause_at(FIRST, gate)])
    _, head = join(stage, tape, headers={"Accept": "audio/*", "Range": "bytes=0-1"}, method="HEAD")
    assert head.status == 200 and head.header("content-length") == str(total(tape)) and len(tape.asks) == 1
    _, head = join(stage, tape, headers={"Range": "bytes=0-1"}, method="HEAD")  # as GET without Range: no player
    assert head.status == 202 and head.header("retry-after")
    gate.set()


def test_a_download_is_played_through_under_its_name(world, stage):
    tape, gate, _, _ = half_here(stage, world)
    download, head = join(stage, tape, what="download", headers={})
    assert head.status == 200 and head.header("content-length") == str(total(tape))
    assert head.header("content-disposition").startswith("attachment;") and ".mp3" in head.header("content-disposition")
    gate.set()
    assert download.read_some(total(tape)) == tape.mp3
    world.wait_state(tape.sid)
    after = stage.server.get(f"/api/recordings/{tape.sid}/download", stage.business.viewer)
    assert after.header("content-disposition") == head.header("content-disposition")


def test_by_its_call_it_is_played_through_too(world, stage):
    tape, gate, _, _ = half_here(stage, world)
    with Connection(stage.server.port) as listener:
        listener.ask("GET", f"/api/recordings/{tape.call_sid}/stream", {**stage.auth, "Connection": "close", **PLAIN})
        head = listener.read_head()
        assert head.status == 206 and head.header("content-location") == f"/api/recordings/{tape.sid}/stream"
        gate.set()
        assert listener.read_some(total(tape)) == tape.mp3


# ---- who is played to ----


@pytest.mark.parametrize("headers", [{"Range": "bytes=0-"}, {"Sec-Fetch-Dest": "audio"}, {"Sec-Fetch-Dest": "video"},
                                     {"Accept": "text/html, audio/webm;q=0.9"}, {"Prefer": "wait=20"}])
def test_who_asks_for_media_is_played_to(world, stage, headers):
    tape, gate, _, _ = half_here(stage, world)
    listener, head = join(stage, tape, headers=headers)
    assert head.status == (206 if "Range" in headers else 200)
    gate.set()
    assert listener.read_some(total(tape)) == tape.mp3


def test_who_does_not_is_told_to_come_back_while_it_arrives(world, stage):
    tape, gate, _, _ = half_here(stage, world)
    begun(world, stage, tape)
    for headers in ({}, {"Accept": "*/*"}, {"Prefer": "respond-async", **PLAIN}):
        connection, head = join(stage, tape, headers=headers)
        answer = connection.read_body(head)
        assert answer.status == 202 and answer.json()["status"] == "downloading" and answer.header("retry-after")
        assert answer.json()["progress"]["total"] == total(tape)
    gate.set()


def test_the_wait_ends_when_it_has_not_begun(world, provider):
    stage = Stage(world, provider, PLAY_WAIT=1)
    gate = threading.Event()
    tape = stage.cold(acts=[p.hold(gate)])
    answer = stage.play(tape, **PLAIN)
    assert answer.status == 202 and answer.json()["status"] == "queued"
    download = stage.server.get(f"/api/recordings/{tape.sid}/download", stage.business.viewer)
    assert download.status == 503 and download.header("retry-after")
    gate.set()
    assert stage.play(tape, **MEDIA).body == tape.mp3 and len(tape.asks) == 1


def test_a_404_and_then_audio_is_one_wait(world, stage):
    tape = stage.provider.tape(seconds=5)
    tape.acts = [p.status(404), p.status(404)]
    listener = threading.Event()

    def third(ask):
        listener.wait(20)
        p.whole(ask)

    tape.default = third
    stage.business.tell(stage.server, tape)
    eventually(lambda: tape.asks)
    with stage.stream(tape, Range="bytes=0-", Prefer="wait=54") as connection:
        world.pass_time_until(lambda: len(tape.asks) >= 3, step=1)
        listener.set()
        answer = connection.read()
    assert answer.status == 206 and answer.body == tape.mp3


def test_a_page_with_status_200_is_heard_by_nobody(world, stage):
    page = b"<?xml version='1.0'?><TwilioResponse><RestException><Code>20404</Code></RestException></TwilioResponse>" * 100
    gate = threading.Event()
    tape = stage.cold(default=p.hold(gate, then=p.content(page)))

    def play(i, ready):
        connection = stage.stream(tape, **MEDIA)
        ready()
        gate.set()
        return connection.read()

    for answer in at_once(10, play):
        assert answer.status == 503 and answer.code() == "not_audio" and page[:30] not in answer.body


# ---- fills that break, and continue ----


@pytest.mark.sanitized
@pytest.mark.threads
def test_a_cut_is_not_heard(world, stage):
    tape = stage.cold(seconds=20, acts=[p.cut_at(FIRST), p.cut_at(4000)])  # resumed twice
    answer = stage.play(tape, **MEDIA)
    assert answer.complete and answer.body == tape.mp3 and len(tape.asks) == 3
    assert world.wait_state(tape.sid)["fail_count"] == 0


def test_a_stall_is_waited_out(world, stage):
    tape, gate, listener, _ = half_here(stage, world)
    assert listener.read_some(FIRST) == tape.mp3[:FIRST]
    world.pass_time(20)  # less than the provider may be silent
    gate.set()
    assert listener.read_some(total(tape)) == tape.mp3[FIRST:] and len(tape.asks) == 1


def test_without_ranges_the_whole_comes_again_and_the_listener_goes_on(world, stage):
    tape = stage.cold(seconds=20)
    gate = threading.Event()
    tape.acts = [p.pause_at(FIRST, gate, then=lambda ask: ask.reset()), p.content(tape.mp3)]
    with ask(stage, tape) as listener:
        head = listener.read_head()
        assert listener.read_some(FIRST) == tape.mp3[:FIRST]
        gate.set()
        assert listener.read_some(total(tape)) == tape.mp3[FIRST:]
    world.wait_state(tape.sid)
    assert stage.play(tape).header("etag") == head.header("etag")


@pytest.mark.sanitized
@pytest.mark.threads
@pytest.mark.parametrize("change", ["bytes", "length"])
def test_a_provider_that_changes_its_mind_is_not_pasted_together(world, stage, change):
    tape = stage.cold(seconds=20)
    other = stage.provider.tape(seconds=20 if change == "bytes" else 19)
    gate = threading.Event()
    later = tape.mp3[:4000] + other.mp3[4000:]
    tape.acts = [p.pause_at(FIRST, gate, then=lambda ask: ask.reset())]
    tape.default = p.content(later, {"ETag": '"other"'})
    with ask(stage, tape) as listener:
        head = listener.read_head()
        assert listener.read_some(FIRST) == tape.mp3[:FIRST]
        gate.set()
        rest = listener.read_some(total(tape))
        assert rest == b""  # cut: it has bytes of another answer
    world.wait_state(tape.sid)
    after = stage.play(tape)
    assert after.body == later and after.header("etag") != head.header("etag")
    assert stage.play(tape, Range=f"bytes={FIRST}-", **{"If-Range": head.header("etag")}).status == 200
    assert [world.file_of(tape.sid).read_bytes()] == [later]


def test_what_can_not_be_had_is_cut(world, stage):
    tape = stage.cold(seconds=20, default=p.cut_at(FIRST))
    with ask(stage, tape) as listener:
        head = listener.read_head()
        listener.read_body(head)
    assert not head.complete and head.body == tape.mp3[:FIRST]
    assert world.wait_state(tape.sid, "failed")["fail_count"] == 1


# ---- no length ----


@pytest.mark.sanitized
@pytest.mark.threads
@pytest.mark.parametrize("headers", [PLAIN, {"Sec-Fetch-Dest": "audio"}])
def test_without_a_length_it_is_played_from_its_first_byte(world, stage, headers):
    gate = threading.Event()
    tape = stage.cold(seconds=20, acts=[p.unknown_length((FIRST, gate))])
    listener, head = join(stage, tape, headers=headers)
    assert head.status == 200 and head.header("content-length") is None and head.header("content-range") is None
    assert head.header("transfer-encoding") == "chunked"
    gate.set()
    assert listener.read_body(head).body == tape.mp3 and head.complete
    world.wait_state(tape.sid)
    assert stage.play(tape).header("etag") == head.header("etag")


def test_without_a_length_a_range_waits_for_the_end(world, stage):
    gate = threading.Event()
    tape = stage.cold(seconds=20, acts=[p.unknown_length((FIRST, gate))])
    first, _ = join(stage, tape)
    waits = stage.stream(tape, Range="bytes=100-199", Prefer="wait=54")
    assert first.read_some(1)
    gate.set()
    answer = waits.read()
    assert answer.status == 206 and answer.body == tape.mp3[100:200]
    assert answer.header("content-range") == f"bytes 100-199/{total(tape)}"


def test_without_a_length_a_range_waits_no_longer_than_it_may(world, provider):
    stage = Stage(world, provider, PLAY_WAIT=1)
    gate = threading.Event()
    tape = stage.cold(seconds=20, acts=[p.unknown_length((FIRST, gate))])
    listener, head = join(stage, tape, headers={"Range": "bytes=100-199"})
    assert head.status == 200 and head.header("content-length") is None
    gate.set()
    assert listener.read_body(head).body == tape.mp3


def test_an_old_client_gets_no_body_without_a_length(world, provider):
    stage = Stage(world, provider, PLAY_WAIT=1)
    gate = threading.Event()
    tape = stage.cold(seconds=20, acts=[p.unknown_length((FIRST, gate))])
    request = (f"GET /api/recordings/{tape.sid}/stream HTTP/1.0\r\nAuthorization: {stage.auth['Authorization']}\r\n"
               "Range: bytes=0-\r\n\r\n").encode()
    with Connection(stage.server.port) as old:
        old.send(request)
        answer = old.read()
        assert answer.status == 202 and answer.json()["status"] == "downloading"
    gate.set()
    world.wait_state(tape.sid)
    with Connection(stage.server.port) as old:
        old.send(request)
        assert old.read().body == tape.mp3


def test_without_a_length_what_breaks_is_not_ended_cleanly(world, stage):
    tape = stage.cold(seconds=20, default=p.chunk_cut(FIRST))
    listener, head = join(stage, tape)
    listener.read_body(head)
    assert not head.complete and head.body == tape.mp3[:FIRST]


# ---- who may ----


@pytest.mark.sanitized
@pytest.mark.threads
def test_a_revoked_key_hears_no_more(world, stage):
    gate = threading.Event()
    tape = stage.cold(seconds=20, acts=[p.pause_at(FIRST, gate)])
    key = world.make_key("--business", str(stage.business.id), "--role", "viewer")
    eventually(lambda: stage.server.get("/api/calls", key).status == 200)
    revoked = Connection(stage.server.port)
    revoked.ask("GET", f"/api/recordings/{tape.sid}/stream", {"Authorization": f"Bearer {key}", **PLAIN})
    assert revoked.read_head().status == 206
    keeps, head = join(stage, tape)
    cookie = stage.server.call("POST", "/api/session", {"Authorization": f"Bearer {key}"}, b"").header("set-cookie")
    session = Connection(stage.server.port)
    session.ask("GET", f"/api/recordings/{tape.sid}/stream", {"Cookie": cookie.split(";")[0], **PLAIN})
    assert session.read_head().status == 206
    number = max(each["key_id"] for each in json.loads(world.done("key", "list", "--json")))
    world.done("key", "revoke", str(number))
    for connection in (revoked, session):
        assert connection.read_to_end() == tape.mp3[:FIRST]  # cut, while nothing arrives
    gate.set()
    assert keeps.read_some(total(tape)) == tape.mp3


# ---- several processes ----


class Apart:
    """A web process that plays, and worker processes that fill."""

    def __init__(self, world, provider):
        self.world = world
        self.stage = Stage(world, provider, role="web")
        self.web = self.stage.server
        self.workers = [world.server("worker0", role="worker")]
        self.ready(0)

    def ready(self, count):
        eventually(lambda: len(self.world.live_workers()) > count)
        probe = self.stage.cold(default=p.hang)
        eventually(lambda: self.web.get(f"/api/recordings/{probe.sid}/stream", self.stage.business.viewer).status != 503,
                   2, "the worker is seen")

    def another_worker(self):
        self.workers.append(self.world.server(f"worker{len(self.workers)}", role="worker"))
        eventually(lambda: len(self.world.live_workers()) >= 2)


@pytest.fixture
def apart(world, provider):
    return Apart(world, provider)


@pytest.mark.sanitized
@pytest.mark.threads
def test_another_process_s_fill_is_heard(world, apart):
    stage = apart.stage
    tape, gate, listener, head = half_here(stage, world)
    assert head.status == 206 and head.header("content-range") == f"bytes 0-{total(tape) - 1}/{total(tape)}"
    assert listener.read_some(FIRST) == tape.mp3[:FIRST]
    late, late_head = join(stage, tape, headers={"Range": "bytes=-500"})
    assert late_head.header("etag") == head.header("etag") and late_head.header("last-modified") == head.header("last-modified")
    gate.set()
    assert listener.read_some(total(tape)) == tape.mp3[FIRST:] and late.read_some(500) == tape.mp3[-500:]
    world.wait_state(tape.sid)
    assert stage.play(tape).header("etag") == head.header("etag") and len(tape.asks) == 1


def test_bytes_are_heard_elsewhere_as_they_come(world, apart):
    stage = apart.stage
    gates = [threading.Event() for _ in range(4)]
    tape = stage.cold(seconds=20, acts=[p.steps(*[(FIRST * (n + 1), gate) for n, gate in enumerate(gates)])])
    listener, _ = join(stage, tape)
    for n, gate in enumerate(gates):
        assert listener.read_some(FIRST) == tape.mp3[FIRST * n:FIRST * (n + 1)]
        gate.set()
    assert listener.read_some(total(tape)) == tape.mp3[FIRST * len(gates):]


@pytest.mark.parametrize("length", ["known", "unknown"])
def test_without_a_length_elsewhere(world, apart, length):
    stage = apart.stage
    gate = threading.Event()
    tape = stage.cold(seconds=20, acts=[p.unknown_length((FIRST, gate)) if length == "unknown" else p.pause_at(FIRST, gate)])
    listener, head = join(stage, tape)
    gate.set()
    assert listener.read_body(head).body == tape.mp3 and head.complete


@pytest.mark.sanitized
@pytest.mark.threads
@pytest.mark.parametrize("end", ["kill", "freeze", "drain"])
def test_whoever_takes_a_fill_over_is_heard_on(world, apart, end):
    stage = apart.stage
    gate, second = threading.Event(), threading.Event()
    tape = stage.cold(seconds=20)
    tape.acts, tape.default = [p.pause_at(FIRST, gate)], p.steps((4000, second))
    listener, head = join(stage, tape)
    assert listener.read_some(FIRST) == tape.mp3[:FIRST]
    first = apart.workers[0]
    apart.another_worker()
    if end == "kill":
        first.kill()
    elif end == "freeze":
        first.freeze()
    else:
        first.signal(signal.SIGTERM)
    world.pass_time_until(lambda: len(tape.asks) == 2, step=6, within=60)
    joins, again = join(stage, tape)  # while the second has less than the first had
    assert again.header("etag") == head.header("etag")
    second.set()
    assert listener.read_some(total(tape)) == tape.mp3[FIRST:]
    assert joins.read_some(total(tape)) == tape.mp3
    if end == "freeze":
        first.signal(signal.SIGCONT)
    gate.set()
    world.wait_state(tape.sid)
    assert stage.play(tape).header("etag") == head.header("etag")
    assert len(tape.asks) == 2
    eventually(lambda: not [part for part in world.parts() if tape.sid in part.name])


def test_whoever_takes_over_may_tell_a_length_that_nobody_told(world, apart):
    stage = apart.stage
    tape = stage.cold(seconds=20, acts=[p.unknown_length((FIRST, threading.Event()))])
    listener, head = join(stage, tape)
    assert head.status == 200 and head.header("content-length") is None
    apart.another_worker()
    eventually(lambda: (world.row(tape.sid)["got"] or 0) == FIRST)
    apart.workers[0].kill()
    world.pass_time_until(lambda: len(tape.asks) == 2, step=6, within=60)
    assert listener.read_body(head).body == tape.mp3 and head.complete
    world.wait_state(tape.sid)
    assert stage.play(tape).header("etag") == head.header("etag")


@pytest.mark.parametrize("change", ["bytes", "length"])
def test_whoever_takes_over_other_bytes_is_not_heard_by_who_heard_the_first(world, apart, change):
    stage = apart.stage
    gate = threading.Event()
    tape, other = stage.cold(seconds=20), stage.provider.tape(seconds=20 if change == "bytes" else 19)
    later = tape.mp3[:6000] + other.mp3[6000:]
    tape.acts, tape.default = [p.pause_at(FIRST, gate)], p.content(later)
    listener, head = join(stage, tape)
    assert listener.read_some(FIRST) == tape.mp3[:FIRST]
    apart.another_worker()
    apart.workers[0].kill()
    world.pass_time_until(lambda: len(tape.asks) == 2, step=6, within=60)
    assert listener.read_some(total(tape)) == b""
    world.wait_state(tape.sid)
    after = stage.play(tape)
    assert after.body == later and after.header("etag") != head.header("etag")


def test_two_processes_play_and_fill_for_each_other(world, provider):
    stage = Stage(world, provider)
    other = world.server("two")
    eventually(lambda: other.get("/api/calls", stage.business.viewer).status == 200)
    gate = threading.Event()
    tape = stage.cold(seconds=20, acts=[p.pause_at(FIRST, gate)])

    def play(i, ready):
        connection, head = join(stage, tape, server=(stage.server, other)[i % 2])
        start = connection.read_some(FIRST)
        ready()
        gate.set()
        return head, start + connection.read_some(total(tape))

    answers = at_once(40, play)
    assert all(body == tape.mp3 and head.status == 206 for head, body in answers)
    assert len({head.header("etag") for head, _ in answers}) == 1 and len(tape.asks) == 1
