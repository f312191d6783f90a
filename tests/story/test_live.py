"""A recording is heard while it is still arriving."""
import threading

import pytest

import provider as p
from callreel import eventually
from wire import Connection, at_once

MEDIA = {"Range": "bytes=0-"}


class Stage:
    def __init__(self, world, provider, **settings):
        self.world, self.provider = world, provider
        self.server = world.server(**settings)
        self.business = world.business(provider)
        self.auth = {"Authorization": f"Bearer {self.business.viewer}"}
        eventually(lambda: self.server.get("/api/calls", self.business.viewer).status == 200)

    def cold(self, seconds=5, acts=(), default=p.whole):
        """A tape that is known, and not here until somebody plays it."""
        tape = self.provider.tape(seconds=seconds)
        tape.acts, tape.default = list(acts), default
        self.business.tell(self.server, tape, "in-progress", RecordingDuration="-1")
        return tape

    def stream(self, tape, **headers):
        """A request that was sent, not yet answered."""
        connection = Connection(self.server.port, timeout=60)
        connection.ask("GET", f"/api/recordings/{tape.sid}/stream",
                       {**self.auth, **{k.replace("_", "-"): v for k, v in headers.items()}})
        return connection

    def play(self, tape, **headers):
        connection = self.stream(tape, **(headers or MEDIA))
        try:
            return connection.read()
        finally:
            connection.close()

    def status(self, tape):
        return self.server.get(f"/api/recordings/{tape.sid}/status", self.business.viewer).json()


@pytest.fixture
def stage(world, provider):
    return Stage(world, provider)


@pytest.mark.sanitized
def test_the_first_bytes_are_heard_before_the_provider_sent_the_last(world, stage):
    gate = threading.Event()
    tape = stage.cold(acts=[p.pause_at(8000, gate)])
    n = len(tape.mp3)
    first = stage.stream(tape, **MEDIA)
    head = first.read_head()
    assert head.status == 206 and head.header("content-range") == f"bytes 0-{n - 1}/{n}"
    assert head.header("content-length") == str(n)
    assert head.header("cache-status") == "callreel; fwd=miss"
    assert head.header("x-accel-buffering") == "no"
    assert head.header("accept-ranges") == "bytes" and head.header("content-type") == "audio/mpeg"
    assert head.header("cache-control") == "private, no-cache"
    assert first.read_some(8000) == tape.mp3[:8000]
    status = eventually(lambda: (lambda s: s if s["progress"]["bytes"] else None)(stage.status(tape)))
    assert status["status"] == "downloading" and status["progress"]["total"] == n
    assert 1 <= status["retry_after"] <= 8

    second = stage.stream(tape, **MEDIA)
    joined = second.read_head()
    assert joined.header("cache-status") == "callreel; fwd=miss; collapsed"
    assert second.read_some(8000) == tape.mp3[:8000]
    assert not gate.is_set()
    gate.set()
    for connection in (first, second):
        assert connection.read_some(n - 8000) == tape.mp3[8000:]
    world.wait_state(tape.sid)
    after = stage.play(tape)
    assert after.body == tape.mp3 and after.header("cache-status") == "callreel; hit"
    for name in ("etag", "last-modified", "content-type"):
        assert head.header(name) == joined.header(name) == after.header(name), name
    assert len(tape.asks) == 1


@pytest.mark.sanitized
def test_ranges_and_conditions_are_answered_while_it_arrives(world, stage):
    gate = threading.Event()
    tape = stage.cold(acts=[p.pause_at(8000, gate)])
    n = len(tape.mp3)
    first = stage.stream(tape, **MEDIA)
    etag = first.read_head().header("etag")
    first.read_some(8000)
    assert stage.play(tape, Range="bytes=10-19").body == tape.mp3[10:20]
    for headers, status in (({"If-None-Match": etag}, 304), ({"If-Match": '"x"'}, 412), ({"Range": f"bytes={n}-"}, 416)):
        answer = stage.play(tape, **{"Range": "bytes=0-", **headers})
        assert answer.status == status, (headers, answer)
        if status == 416:
            assert answer.header("content-range") == f"bytes */{n}"
    with Connection(stage.server.port) as connection:
        head = connection.call("HEAD", f"/api/recordings/{tape.sid}/stream", {**stage.auth, "Accept": "audio/*"})
        assert head.status == 200 and head.header("content-length") == str(n) and head.header("etag") == etag
    late = stage.stream(tape, Range="bytes=9000-9099")
    tail = stage.stream(tape, Range="bytes=-300")
    for waiting, first_byte in ((late, 9000), (tail, n - 300)):
        answer = waiting.read_head()  # goes out although not a byte of it is here
        assert answer.status == 206 and answer.header("content-range").startswith(f"bytes {first_byte}-")
    gate.set()
    assert late.read_some(100) == tape.mp3[9000:9100]
    assert tail.read_some(300) == tape.mp3[-300:]


def test_what_has_no_length_is_played_at_once_and_by_range_at_its_end(world, stage):
    gate = threading.Event()
    tape = stage.cold(acts=[p.unknown_length((8000, gate))])
    n = len(tape.mp3)
    live = stage.stream(tape, **MEDIA)
    head = live.read_head()
    assert head.status == 200 and head.header("content-length") is None
    assert head.header("transfer-encoding") == "chunked"
    waits = stage.stream(tape, Range="bytes=100-199")
    old = Connection(stage.server.port, timeout=60)
    old.send(f"GET /api/recordings/{tape.sid}/stream HTTP/1.0\r\nAccept: audio/mpeg\r\n"
             f"Authorization: {stage.auth['Authorization']}\r\n\r\n".encode())
    gate.set()
    assert live.read_body(head).body == tape.mp3 and head.complete
    ranged = waits.read()
    assert (ranged.status, ranged.body) == (206, tape.mp3[100:200])
    assert ranged.header("content-range") == f"bytes 100-199/{n}"
    answer = old.read()
    assert (answer.status, answer.body) == (200, tape.mp3) and answer.header("content-length") == str(n)
    world.wait_state(tape.sid)
    assert len(tape.asks) == 1


def test_an_old_client_waits_for_an_unknown_length_and_is_then_told_to_come_back(world, provider):
    stage = Stage(world, provider, PLAY_WAIT=1)
    gate = threading.Event()
    tape = stage.cold(acts=[p.unknown_length((8000, gate))])
    with Connection(stage.server.port, timeout=60) as old:
        old.send(f"GET /api/recordings/{tape.sid}/stream HTTP/1.0\r\nAccept: audio/mpeg\r\n"
                 f"Authorization: {stage.auth['Authorization']}\r\n\r\n".encode())
        assert old.read().status == 202
    # Another range of it: after PLAY_WAIT all of it, from the first byte.
    ranged = stage.stream(tape, Range="bytes=100-199")
    head = ranged.read_head()
    assert head.status == 200 and ranged.method == "GET"
    gate.set()
    assert ranged.read_body(head).body == tape.mp3
    world.wait_state(tape.sid)


def test_who_does_not_ask_for_media_is_told_to_come_back(world, stage):
    gate = threading.Event()
    tape = stage.cold(default=p.hold(gate))
    url = f"/api/recordings/{tape.sid}/stream"
    for headers in ({}, {"Accept": "*/*"}, {"Accept": "application/json"}, {"Prefer": "respond-async", **MEDIA},
                    {"Prefer": "respond-async, wait=20", "Accept": "audio/mpeg"}, {"Sec-Fetch-Dest": "document"}):
        answer = stage.server.get(url, stage.business.viewer, headers)
        assert answer.status == 202, headers
        body = answer.json()
        assert body["status"] in ("queued", "downloading") and body["message"]
        assert 1 <= int(answer.header("retry-after")) <= 8 and body["retry_after"] == int(answer.header("retry-after"))
        assert answer.header("location").endswith(f"/api/recordings/{tape.sid}/status")
        assert answer.header("cache-control") == "no-store"
    waiting = [stage.stream(tape, **headers) for headers in (
        {"Accept": "text/html, audio/mpeg;q=0.5"}, {"Sec-Fetch-Dest": "audio"}, {"Sec-Fetch-Dest": "video"},
        {"Prefer": "wait=30"}, {"Range": "bytes=0-"})]
    gate.set()
    for connection in waiting:
        answer = connection.read()
        assert answer.status in (200, 206) and answer.body == tape.mp3
    assert len(tape.asks) == 1


def test_a_play_waits_no_longer_than_it_may(world, provider):
    stage = Stage(world, provider, PLAY_WAIT=1)
    tape = stage.cold(default=p.hang)
    answer = stage.play(tape)
    assert answer.status == 202 and answer.json()["status"] == "queued"
    assert stage.play(tape, Prefer="wait=0").status == 202
    download = stage.server.get(f"/api/recordings/{tape.sid}/download", stage.business.viewer)
    assert download.status == 503 and int(download.header("retry-after")) >= 1
    assert len(tape.asks) == 1


@pytest.mark.sanitized
def test_a_cut_is_resumed_and_the_listener_hears_it_whole(world, stage):
    tape = stage.cold(acts=[p.cut_at(8000), p.cut_at(2000)])
    answer = stage.play(tape)
    assert answer.complete and answer.body == tape.mp3
    assert tape.asks[1].headers.get("range") == "bytes=8000-"
    assert tape.asks[1].headers.get("if-range") == tape.etag
    row = world.wait_state(tape.sid)
    assert row["fail_count"] == 0 and len(tape.asks) == 3
    assert world.file_of(tape.sid).read_bytes() == tape.mp3
    assert stage.play(tape).header("etag") == answer.header("etag")


def test_a_provider_without_ranges_is_asked_for_the_whole_again(world, stage):
    tape = stage.cold()
    tape.acts = [p.cut_at(8000), p.content(tape.mp3)]
    answer = stage.play(tape)
    assert answer.complete and answer.body == tape.mp3
    assert world.wait_state(tape.sid)["fail_count"] == 0


def test_other_bytes_at_the_second_try_never_reach_who_heard_the_first(world, stage):
    tape = stage.cold(seconds=8)
    other = stage.provider.tape(seconds=8)
    gate = threading.Event()
    tape.acts = [p.pause_at(8000, gate, then=p.Ask.reset)]
    tape.default = p.content(other.mp3, {"ETag": '"other"'})
    listener = stage.stream(tape, **MEDIA)
    head = listener.read_head()
    heard = listener.read_some(8000)
    gate.set()
    heard += listener.read_to_end()
    assert len(heard) < len(tape.mp3) and heard == tape.mp3[:len(heard)]
    world.wait_state(tape.sid)
    after = stage.play(tape)
    assert after.body == other.mp3 and after.header("etag") != head.header("etag")


def test_a_partial_answer_that_does_not_fit_is_not_pasted_on(world, stage):
    tape = stage.cold(seconds=8)
    other = stage.provider.tape(seconds=8)
    n = len(tape.mp3)

    def wrong_start(ask):
        ask.head(206, ask.media_headers(tape.mp3, **{"Content-Length": n - 4000, "Content-Range": f"bytes 4000-{n - 1}/{n}"}))
        ask.send(other.mp3[4000:])

    def wrong_total(ask):
        ask.head(206, ask.media_headers(tape.mp3, **{"Content-Length": n - 8000, "Content-Range": f"bytes 8000-{n - 1}/{n + 5}"}))
        ask.send(other.mp3[8000:])

    def wrong_validator(ask):
        ask.head(206, ask.media_headers(tape.mp3, **{
            "Content-Length": n - 8000, "Content-Range": f"bytes 8000-{n - 1}/{n}", "ETag": '"other"'}))
        ask.send(other.mp3[8000:])

    for wrong in (wrong_start, wrong_total, wrong_validator):
        tape = stage.cold(seconds=8)
        tape.acts = [p.cut_at(8000), wrong]
        answer = stage.play(tape)
        world.wait_state(tape.sid)
        assert world.file_of(tape.sid).read_bytes() == tape.mp3, wrong.__name__
        assert answer.body == tape.mp3[:len(answer.body)], wrong.__name__


def test_four_cuts_are_a_failure_and_the_listener_sees_an_incomplete_body(world, stage):
    tape = stage.cold(default=p.cut_at(8000))
    answer = stage.play(tape)
    assert answer.status == 206 and not answer.complete
    assert answer.body == tape.mp3[:len(answer.body)] and len(answer.body) <= 8000
    row = world.wait_state(tape.sid, "failed")
    assert row["fail_count"] == 1 and row["error_code"] in ("truncated", "provider_error") and len(tape.asks) == 4
    again = stage.play(tape)
    assert again.status == 503 and again.code() == row["error_code"] and int(again.header("retry-after")) >= 1
    assert len(tape.asks) == 4


def test_an_error_page_is_never_heard(world, stage):
    page = b"<?xml version='1.0'?><TwilioResponse><RestException><Code>20404</Code></RestException></TwilioResponse>" * 40
    for name, bytes_sent in (("xml", page), ("html", b"<!DOCTYPE html><html>" + b"x" * 5000), ("json", b"{" * 4000),
                             ("short", stage.provider.tape().mp3[:900]), ("bare header", p.sound.wav(1)[:44])):
        tape = stage.cold(default=p.content(bytes_sent))
        answer = stage.play(tape)
        assert answer.status == 503 and answer.code() == "not_audio", (name, answer)
        assert bytes_sent[:40] not in answer.body
        assert world.wait_state(tape.sid, "failed")["error_code"] == "not_audio", name
    eventually(lambda: not world.parts())
    assert [f for f in world.recordings().rglob("*.*3")] == []


@pytest.mark.sanitized
def test_a_listener_who_leaves_or_stalls_holds_up_nobody(world, stage):
    gate = threading.Event()
    tape = stage.cold(seconds=600, acts=[p.pause_at(8000, gate)])  # 2.4 MB
    leaves = stage.stream(tape, **MEDIA)
    leaves.read_head()
    stalls = Connection(stage.server.port, timeout=60, receive_buffer=4096)
    stalls.ask("GET", f"/api/recordings/{tape.sid}/stream", {**stage.auth, **MEDIA})
    head = stalls.read_head()
    listens = stage.stream(tape, **MEDIA)
    answer = listens.read_head()
    leaves.reset()
    gate.set()
    assert listens.read_body(answer).body == tape.mp3
    world.wait_state(tape.sid)
    assert len(tape.asks) == 1
    assert stalls.read_body(head).body == tape.mp3 and head.complete  # takes its time, gets it all


def test_the_last_listener_may_leave_and_the_fill_goes_on(world, stage):
    gate = threading.Event()
    tape = stage.cold(acts=[p.pause_at(8000, gate)])
    listener = stage.stream(tape, **MEDIA)
    listener.read_head()
    listener.reset()
    gate.set()
    world.wait_state(tape.sid)
    assert tape.downloads == 1


def test_a_fill_that_fails_answers_everybody_at_once(world, stage):
    gate = threading.Event()
    tape = stage.cold(default=p.hold(gate, then=p.status(500)))

    def play(i, ready):
        ready()
        if i == 0:
            threading.Timer(0.2, gate.set).start()
        return stage.play(tape)

    for answer in at_once(20, play):
        assert answer.status == 503 and answer.code() == "provider_error" and answer.header("retry-after"), answer
    assert len(tape.asks) == 1


def test_a_recording_still_being_made_is_asked_for_once_a_minute(world, stage):
    tape = stage.cold(default=p.status(404))
    answer = stage.play(tape)
    assert answer.status == 202 and answer.header("retry-after") == "8"
    assert answer.json()["status"] == "missing" and answer.json()["error"]["code"] == "not_yet_available"
    asks = len(tape.asks)
    assert asks >= 1
    assert stage.play(tape).status == 202
    assert len(tape.asks) == asks
    world.pass_time(61)
    tape.default = p.whole
    assert stage.play(tape).body == tape.mp3


def test_the_completed_webhook_starts_it_in_spite_of_the_cooldown(world, stage):
    tape = stage.cold(default=p.status(404))
    assert stage.play(tape).status == 202
    tape.default = p.whole
    stage.business.tell(stage.server, tape)
    world.wait_state(tape.sid)
