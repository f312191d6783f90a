"""Plays of recordings that are not stored: which wait, which are answered 202 or 503, and which bytes are never sent."""
import threading

import pytest

import provider as p
from callreel import eventually
from wire import Connection, at_once

MEDIA = {"Range": "bytes=0-", "Prefer": "wait=54"}  # waits until it can be had


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


def test_who_does_not_ask_for_media_is_told_to_come_back(world, stage):
    gate = threading.Event()
    tape = stage.cold(default=p.hold(gate))
    url = f"/api/recordings/{tape.sid}/stream"
    for headers in ({}, {"Accept": "*/*"}, {"Accept": "application/json"}, {"Prefer": "respond-async", "Range": "bytes=0-"},
                    {"Prefer": "respond-async, wait=20", "Accept": "audio/mpeg"}, {"Sec-Fetch-Dest": "document"}):
        answer = stage.server.get(url, stage.business.viewer, headers)
        assert answer.status == 202, headers
        body = answer.json()
        assert body["status"] in ("queued", "downloading") and body["message"]
        assert 1 <= int(answer.header("retry-after")) <= 8 and body["retry_after"] == int(answer.header("retry-after"))
        assert answer.header("location").endswith(f"/api/recordings/{tape.sid}/status")
        assert answer.header("cache-control") == "no-store"
    waiting = [stage.stream(tape, **headers) for headers in ({"Prefer": "wait=30"}, MEDIA)]
    gate.set()
    for connection in waiting:
        answer = connection.read()
        assert answer.status in (200, 206) and answer.body == tape.mp3
    assert len(tape.asks) == 1


def test_a_play_waits_no_longer_than_it_may(world, provider):
    stage = Stage(world, provider, PLAY_WAIT=1)
    tape = stage.cold(default=p.hang)
    answer = stage.play(tape, Prefer="wait=1")
    assert answer.status == 202 and answer.json()["status"] == "queued"
    assert stage.play(tape, Prefer="wait=0").status == 202
    download = stage.server.get(f"/api/recordings/{tape.sid}/download", stage.business.viewer)
    assert download.status == 503 and int(download.header("retry-after")) >= 1
    assert len(tape.asks) == 1


@pytest.mark.sanitized
@pytest.mark.threads
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
    assert len(tape.asks) == 4  # one attempt


def test_a_recording_still_being_made_is_asked_for_once_a_minute(world, stage):
    tape = stage.cold(default=p.status(404))
    assert stage.play(tape, Range="bytes=0-").status == 202
    eventually(lambda: len(tape.asks) == 1 and world.state(tape.sid) == "missing")
    answer = stage.play(tape, Range="bytes=0-")
    assert answer.status == 202 and answer.header("retry-after") == "8"
    assert answer.json()["status"] == "missing" and answer.json()["error"]["code"] == "not_yet_available"
    assert len(tape.asks) == 1
    world.pass_time(61)
    tape.default = p.whole
    assert stage.play(tape).body == tape.mp3


def test_the_completed_webhook_starts_it_in_spite_of_the_cooldown(world, stage):
    tape = stage.cold(default=p.status(404))
    assert stage.play(tape, Range="bytes=0-").status == 202
    eventually(lambda: len(tape.asks) == 1 and world.state(tape.sid) == "missing")
    tape.default = p.whole
    stage.business.tell(stage.server, tape)
    world.wait_state(tape.sid)


def test_what_has_no_length_is_played_whole(world, stage):
    tape = stage.cold(acts=[p.unknown_length((8000, opened()))])
    answer = stage.play(tape)
    assert answer.complete and answer.body == tape.mp3 and len(tape.asks) == 1
    world.wait_state(tape.sid)
    answer = stage.play(tape)
    assert (answer.status, answer.body) == (206, tape.mp3) and len(tape.asks) == 1
    assert answer.header("content-range") == f"bytes 0-{len(tape.mp3) - 1}/{len(tape.mp3)}"
    cut = stage.cold(acts=[p.chunk_cut(8000)])
    answer = stage.play(cut)
    assert answer.complete and answer.body == cut.mp3
    world.wait_state(cut.sid)
    assert world.file_of(cut.sid).read_bytes() == cut.mp3


def opened():
    gate = threading.Event()
    gate.set()
    return gate


def test_four_cuts_are_a_failure(world, stage):
    tape = stage.cold(default=p.cut_at(8000))
    answer = stage.play(tape)
    row = world.wait_state(tape.sid, "failed")
    assert row["fail_count"] == 1 and row["error_code"] in ("truncated", "provider_error") and len(tape.asks) == 4
    assert answer.status == 206 and not answer.complete and answer.body == tape.mp3[:8000]
    answer = stage.play(tape)
    assert answer.status == 503 and answer.code() == row["error_code"] and int(answer.header("retry-after")) >= 1
    assert len(tape.asks) == 4
    eventually(lambda: not world.parts())


@pytest.mark.sanitized
@pytest.mark.threads
def test_a_listener_who_leaves_or_stalls_holds_up_nobody(world, stage):
    gate = threading.Event()
    tape = stage.cold(seconds=600, acts=[p.pause_at(8000, gate)])  # 2.4 MB
    leaves = stage.stream(tape, **MEDIA)
    eventually(lambda: tape.asks)
    leaves.reset()
    gate.set()
    world.wait_state(tape.sid)
    stalls = Connection(stage.server.port, timeout=60, receive_buffer=4096)
    stalls.ask("GET", f"/api/recordings/{tape.sid}/stream", {**stage.auth, **MEDIA})
    head = stalls.read_head()
    assert stage.play(tape).body == tape.mp3
    assert len(tape.asks) == 1
    assert stalls.read_body(head).body == tape.mp3 and head.complete  # takes its time, gets it all


def test_bytes_that_changed_are_taken_from_one_answer_only(world, stage):
    tape = stage.cold(seconds=8)
    other = stage.provider.tape(seconds=8)
    tape.acts, tape.default = [p.cut_at(8000)], p.content(other.mp3, {"ETag": '"other"'})
    answer = stage.play(tape)
    world.wait_state(tape.sid)
    assert world.file_of(tape.sid).read_bytes() == other.mp3
    assert answer.body in (other.mp3, tape.mp3[:len(answer.body)])
