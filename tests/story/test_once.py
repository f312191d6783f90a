"""A recording is downloaded exactly once, however many clients request it."""
import threading

import pytest

import provider as p
from callreel import eventually
from wire import Connection, at_once

MEDIA = {"Range": "bytes=0-", "Prefer": "wait=54"}


def cold(world, server, business, tape):
    """A recording that is known and not here: its webhook came while the provider had nothing yet."""
    business.tell(server, tape, "in-progress", RecordingDuration="-1")
    assert world.row(tape.sid)["status"] == "missing"


def test_three_processes_download_a_cold_recording_once(world, provider):
    servers = [world.server(f"server{i}") for i in range(3)]
    business = world.business(provider)
    auth = {"Authorization": f"Bearer {business.viewer}", **MEDIA}
    tape = provider.tape(seconds=20)
    gate = threading.Event()
    tape.default = p.hold(gate)
    cold(world, servers[0], business, tape)

    def play(i, ready):
        with Connection(servers[i % 3].port, timeout=60) as connection:
            ready()
            if i == 299:
                threading.Timer(0.2, gate.set).start()
            return connection.call("GET", f"/api/recordings/{tape.sid if i % 2 else tape.call_sid}/stream", auth)

    answers = at_once(300, play)
    for answer in answers:
        assert answer.status == 206 and answer.complete and answer.body == tape.mp3, answer
    assert {a.header("etag") for a in answers} == {answers[0].header("etag")}
    assert {a.header("last-modified") for a in answers} == {answers[0].header("last-modified")}
    assert {a.header("cache-status") for a in answers} <= {
        "callreel; fwd=miss", "callreel; fwd=miss; collapsed", "callreel; hit"}
    assert len(tape.asks) == 1 and tape.downloads == 1
    world.wait_state(tape.sid)
    after = servers[1].get(f"/api/recordings/{tape.sid}/stream", business.viewer)
    assert after.body == tape.mp3 and after.header("etag") == answers[0].header("etag")
    assert len(tape.asks) == 1


def test_a_restart_of_all_processes_downloads_nothing_again(world, provider):
    servers = [world.server(f"server{i}") for i in range(2)]
    business = world.business(provider)
    key = business.viewer
    tapes = [provider.tape(seconds=1) for _ in range(50)]
    eventually(lambda: servers[0].get("/api/calls", key).status == 200)
    for tape in tapes:
        business.tell(servers[0], tape)
    for tape in tapes:
        world.wait_state(tape.sid, within=30)
    assert [tape.downloads for tape in tapes] == [1] * 50
    servers[0].stop()
    servers[1].kill()
    asked = len(provider.asks)
    servers = [world.again(server) for server in servers]
    for tape in tapes:
        business.tell(servers[1], tape)  # the provider repeats itself
        for server in servers:
            assert server.get(f"/api/recordings/{tape.call_sid}/stream", key).body == tape.mp3
    assert len(provider.asks) == asked


@pytest.mark.sanitized
@pytest.mark.threads
def test_plays_by_the_childs_and_the_parents_sid_are_one_download(world, provider):
    server = world.server()
    business = world.business(provider)
    auth = {"Authorization": f"Bearer {business.viewer}", **MEDIA}
    tape = provider.tape(seconds=5)
    child = p.sid("CA")
    gate = threading.Event()
    tape.default = p.hold(gate)
    business.tell_call(server, tape.call_sid)
    business.tell_call(server, child, ParentCallSid=tape.call_sid, Direction="outbound-dial")
    cold(world, server, business, tape)

    def play(i, ready):
        with Connection(server.port, timeout=60) as connection:
            ready()
            if i == 49:
                threading.Timer(0.2, gate.set).start()
            return connection.call("GET", f"/api/recordings/{child if i % 2 else tape.call_sid}/stream", auth)

    for answer in at_once(50, play):
        assert answer.status == 206 and answer.body == tape.mp3
        assert tape.sid in answer.header("content-location")
    assert len(tape.asks) == 1


def test_a_cold_start_of_many_recordings_asks_once_for_each(world, provider):
    """Webhooks, plays and prepares of the same recordings at the same moment, at two processes."""
    servers = [world.server(f"server{i}") for i in range(2)]
    business = world.business(provider)
    key = business.viewer
    tapes = [provider.tape(seconds=1) for _ in range(12)]

    def touch(i, ready):
        tape, server = tapes[i % 12], servers[i // 12 % 2]
        ready()
        business.tell(server, tape)
        if i // 24 % 2:
            server.post(f"/api/recordings/{tape.sid}/prepare", key)
        answer = server.get(f"/api/recordings/{tape.sid}/stream", key, MEDIA)
        return answer.status, answer.body == tape.mp3

    assert set(at_once(96, touch)) == {(206, True)}
    for tape in tapes:
        world.wait_state(tape.sid)
    assert [len(tape.asks) for tape in tapes] == [1] * 12
