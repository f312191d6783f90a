"""Fills: what is taken for the whole recording, what counts as a failure of its own, what ends a fill."""
import os
import threading

import provider as p
from callreel import eventually

MEDIA = {"Range": "bytes=0-", "Prefer": "wait=20"}
FRAME = 1000  # bytes: less than two seconds of any sound here


def begin(world, provider):
    server = world.server()
    return server, world.business(provider)


def test_a_file_that_lost_its_end_is_not_taken_for_the_recording(world, provider):
    """It is still audio, and no more than two seconds shorter: but the catalog knew its length."""
    server, business = begin(world, provider)
    tape = provider.tape(seconds=5)
    business.tell(server, tape, RecordingDuration="5")
    world.wait_state(tape.sid)
    path = world.file_of(tape.sid)
    os.truncate(path, len(tape.mp3) - FRAME)
    url = f"/api/recordings/{tape.sid}/stream"
    world.pass_time(61)  # the cooldown
    eventually(lambda: server.get(url, business.viewer, MEDIA).body == tape.mp3)
    world.wait_state(tape.sid)
    assert world.file_of(tape.sid).read_bytes() == tape.mp3 and tape.downloads == 2


def test_a_reset_right_after_the_head_is_a_break_and_no_failure(world, provider):
    """A reset may overtake the bytes that were sent before it."""
    server, business = begin(world, provider)
    tape = provider.tape(seconds=5)
    tape.acts = [p.cut_at(0)]
    business.tell(server, tape)
    world.wait_state(tape.sid)
    assert len(tape.asks) == 2 and "Recording failed" not in server.log()


def test_a_redirect_target_that_refuses_does_not_stop_the_account(world, provider):
    elsewhere = world.provider()
    server, business = begin(world, provider)
    tape, other = provider.tape(), provider.tape()
    there = elsewhere.tape()
    there.default = p.status(403)
    tape.default = p.redirect(there.url + ".mp3")
    business.tell(server, tape)
    assert world.wait_state(tape.sid, "failed")["error_code"] == "provider_error"
    business.tell(server, other)
    world.wait_state(other.sid)


def test_retry_after_is_for_what_is_queued_or_downloading(world, provider):
    server, business = begin(world, provider)
    tape = provider.tape()
    tape.default = p.status(404)
    business.tell(server, tape, "in-progress", RecordingDuration="-1")
    url = f"/api/recordings/{tape.sid}"
    assert server.get(url + "/status", business.viewer).json()["retry_after"] is None
    answer = server.get(url + "/stream", business.viewer)
    assert (answer.status, answer.header("retry-after")) == (202, "8")
    eventually(lambda: world.state(tape.sid) == "missing" and len(tape.asks) == 1)
    status = server.get(url + "/status", business.viewer)
    assert status.json()["retry_after"] is None and status.header("retry-after") is None
    answer = server.get(url + "/stream", business.viewer)
    assert (answer.status, answer.header("retry-after"), answer.json()["status"]) == (202, "8", "missing")


def test_an_address_told_late_is_not_too_late(world, provider):
    server, business = begin(world, provider)
    tape = provider.tape()
    business.tell(server, tape, RecordingUrl="")
    assert world.wait_state(tape.sid, "failed")["error_code"] == "forbidden_url"
    business.tell(server, tape)
    world.wait_state(tape.sid)
    assert len(tape.asks) == 1


def test_the_fills_of_a_business_end_with_it(world, provider):
    server, business = begin(world, provider)
    tape = provider.tape(seconds=5)
    gate = threading.Event()
    tape.acts = [p.pause_at(3000, gate)]
    business.tell(server, tape)
    world.wait_state(tape.sid, "downloading")
    world.done("business", "remove", str(business.id))
    row = world.wait_state(tape.sid, "queued")
    assert row["lease_until"] is None and row["fail_count"] == 0
    eventually(lambda: not world.parts())
    gate.set()
    world.pass_time(60)
    assert world.state(tape.sid) == "queued" and len(tape.asks) == 1
