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
    business.webhook_add_call(server, tape.call_sid)
    business.webhook_add_call(server, child, ParentCallSid=tape.call_sid, Direction="outbound-dial")
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


@pytest.mark.long
def test_four_web_and_four_worker_processes_download_a_thousand_recordings_once(world, provider):
    """Each is wanted by five listeners at once, forty recordings at a time, through all web processes."""
    recordings, listeners, wave = 1000, 5, 40
    webs = [world.server(f"web{i}", role="web") for i in range(4)]
    workers = [world.server(f"worker{i}", role="worker") for i in range(4)]
    business = world.business(provider)
    auth = {"Authorization": f"Bearer {business.viewer}", **MEDIA}
    tapes = [provider.tape(seconds=2) for _ in range(recordings)]
    for i, tape in enumerate(tapes):
        business.tell(webs[i % 4], tape, "in-progress", RecordingDuration="-1")
    assert world.sql("select count(*) as n from recordings where status = 'missing'")[0]["n"] == recordings
    bodies = 0
    for first in range(0, recordings, wave):
        def play(i, ready):
            tape = tapes[first + i % wave]
            with Connection(webs[(first + i) // 7 % 4].port, timeout=120) as connection:
                ready()
                return tape, connection.call("GET", f"/api/recordings/{tape.sid}/stream", auth)
        for tape, answer in at_once(wave * listeners, play):
            assert answer.status == 206 and answer.complete and answer.body == tape.mp3, (tape.sid, answer)
            bodies += 1
    assert bodies == recordings * listeners
    assert [(len(tape.asks), tape.downloads) for tape in tapes] == [(1, 1)] * recordings
    saved = [len(worker.log_lines("Recording saved")) for worker in workers]
    assert sum(saved) == recordings and all(saved), saved
