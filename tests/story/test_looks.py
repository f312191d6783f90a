"""Requests that only read change nothing in the database."""
import sqlite3

import pytest

import provider as p
from callreel import eventually

MEDIA = {"Range": "bytes=0-"}


@pytest.mark.sanitized
@pytest.mark.threads
def test_a_thousand_looks_change_no_row_and_ask_no_provider(world, provider):
    server = world.server()
    business = world.business(provider)
    key = business.key("admin")
    eventually(lambda: server.get("/api/calls", key).status == 200)
    tapes = {name: provider.tape() for name in ("ready", "missing", "failed", "absent", "expired", "lost file")}
    business.tell(server, tapes["ready"])
    business.tell(server, tapes["lost file"])
    business.tell(server, tapes["missing"], "in-progress", RecordingDuration="-1")
    business.tell(server, tapes["expired"], "in-progress", RecordingDuration="-1")
    business.tell(server, tapes["absent"], "absent", ErrorCode="16101")
    tapes["failed"].default = p.status(500)
    business.tell(server, tapes["failed"])
    world.wait_state(tapes["ready"].sid)
    world.wait_state(tapes["lost file"].sid)
    world.wait_state(tapes["failed"].sid, "failed")
    world.file_of(tapes["lost file"].sid).unlink()
    with sqlite3.connect(world.database, timeout=10) as db:  # retention's work, which is not there yet
        db.execute("update recordings set status = 'expired' where recording_sid = ?", (tapes["expired"].sid,))
    db.close()

    def everything():
        tables = ("calls", "recordings", "businesses", "keys", "sessions", "changes")
        return {table: world.sql(f"select * from {table}") for table in tables}

    before, asked = everything(), len(provider.asks)
    expected = {"ready": "ready", "missing": "missing", "failed": "failed", "absent": "failed", "expired": "expired",
                "lost file": "ready"}
    with server.connect() as connection:
        auth = {"Authorization": f"Bearer {key}"}
        for n in range(170):
            for name, tape in tapes.items():
                one = tape.sid if n % 2 else tape.call_sid
                answer = connection.call("HEAD" if n % 10 == 9 else "GET", f"/api/recordings/{one}/status", auth)
                assert answer.status == 200, (name, answer)
                if n % 10 != 9:
                    assert answer.json()["status"] == expected[name], name
            if n % 10 == 0:
                for target in ("/api/calls", "/api/calls?legs=all&recording_status=failed", f"/api/calls/{tape.call_sid}",
                               "/api/stats", f"/api/recordings/{tapes['missing'].sid}/waveform"):
                    assert connection.call("GET", target, auth).status in (200, 404), target
    assert everything() == before
    assert len(provider.asks) == asked
    play = server.get(f"/api/recordings/{tapes['expired'].sid}/stream", key, MEDIA)
    assert play.status == 410
    for action in ("retry", "prepare"):
        assert server.post(f"/api/recordings/{tapes['expired'].sid}/{action}", key).status == 410
    assert world.state(tapes["expired"].sid) == "expired" and len(provider.asks) == asked


def test_a_look_at_a_queued_one_does_not_bring_it_forward(world, provider):
    server = world.server()
    business = world.business(provider)
    tape = provider.tape()
    tape.default = p.status(404)
    business.tell(server, tape)
    world.pass_time_until(lambda: len(tape.asks) >= 8, step=2, within=60)  # it is asked every 8 s now
    eventually(lambda: world.row(tape.sid)["lease_until"] in (None, 0))
    for _ in range(10):  # its own time may come meanwhile, but not each time
        row = world.row(tape.sid)
        for _ in range(10):
            assert server.get(f"/api/recordings/{tape.sid}/status", business.viewer).json()["status"] == "queued"
        assert server.post(f"/api/recordings/{tape.sid}/prepare", business.viewer).status == 202
        assert server.get(f"/api/recordings/{tape.sid}/stream", business.viewer).status == 202
        after = world.row(tape.sid)
        if after["asks_404"] == row["asks_404"]:
            break
    assert after["next_ask_at"] == row["next_ask_at"] and after["asks_404"] == row["asks_404"]
    assert after["rank"] == 0  # only the priority rises
