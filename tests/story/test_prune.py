"""Recordings that are due: listed and removed on request (callreel prune), counted (callreel status, metrics), and by which clock."""
import datetime
import email.utils
import json
import time
from pathlib import Path

import pytest

import provider as p
from callreel import NO_SYNC, eventually

JSON = {"Content-Type": "application/json"}
FAKETIME = Path("/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1")
DAY = 86400
DAY_MS = 1000 * DAY


def http_date(ms):
    return email.utils.format_datetime(datetime.datetime.fromtimestamp(ms // 1000, datetime.timezone.utc))


def ready_tapes(world, server, business, provider, ages):
    """A ready recording for each age in days."""
    tapes = []
    for days in ages:
        tape = provider.tape()
        at = int(world.clock.now_ms() - days * DAY_MS)
        business.tell(server, tape, RecordingStartTime=http_date(at))
        tapes.append(tape)
    for tape in tapes:
        world.wait_state(tape.sid, business_id=business.id)
    return tapes


def pruned(world, *words, env=None):
    said = json.loads(world.done("prune", "--json", *words, env=env))
    assert said["count"] == len(said["recordings"]) and said["bytes"] == sum(r["bytes"] for r in said["recordings"])
    return said


def sids(said):
    return [r["recording_sid"] for r in said["recordings"]]


def expired(world, business):
    return {row["recording_sid"] for row in world.sql(
        "select recording_sid from recordings where business_id = ? and status = 'expired'", business.id)}


def test_a_dry_run_lists_what_then_goes_and_nothing_else(world, provider):
    server = world.server()
    acme, other = world.business(provider), world.business(world.provider(), "Other")
    old = ready_tapes(world, server, acme, provider, [40, 35, 35, 31])
    young = ready_tapes(world, server, acme, provider, [29, 0])
    others = ready_tapes(world, server, other, world.providers[-1], [90])
    assert sids(pruned(world, "--dry-run")) == [], "they are kept for ever"
    listed = pruned(world, "--dry-run", "--older-than", "30", "--business", acme.id)
    assert listed["dry_run"] and sids(listed)[0] == old[0].sid and set(sids(listed)) == {t.sid for t in old}
    assert listed["bytes"] == sum(world.row(t.sid, acme.id)["bytes"] for t in old) and not expired(world, acme)
    text = world.done("prune", "--dry-run", "--older-than", "30", "--business", acme.id)
    assert "4 recordings" in text and "would expire" in text and all(t.sid in text for t in old)
    gone = pruned(world, "--older-than", "30", "--business", acme.id)
    assert gone["recordings"] == listed["recordings"] and gone["bytes"] == listed["bytes"]
    assert expired(world, acme) == {t.sid for t in old} and not expired(world, other)
    eventually(lambda: not [f for t in old for f in world.recordings().rglob(f"*{t.sid}*")], 5, "the worker removes the files")
    assert sids(pruned(world, "--older-than", "30")) == [others[0].sid]
    for tape in young:
        assert server.get(f"/api/recordings/{tape.sid}/stream", acme.viewer).status == 200
    assert server.get(f"/api/recordings/{old[0].sid}/stream", acme.viewer).status == 410
    rows = world.sql("select expire_reason from recordings where status = 'expired'")
    assert all(row["expire_reason"] == "retention" for row in rows)
    assert world.run("prune", "--older-than", "0").returncode == 2
    assert world.run("prune", "--business", "77").returncode == 1


def test_prune_goes_by_each_business_own_retention(world, provider):
    server = world.server()
    acme, forever = world.business(provider), world.business(world.provider(), "Archive")
    tapes = ready_tapes(world, server, acme, provider, [20, 8])
    ready_tapes(world, server, forever, world.providers[-1], [300])
    server.stop()
    days = {"RETENTION_DAYS": "15"}
    world.done("business", "set", forever.id, "--retention", "never")
    assert sids(pruned(world, "--dry-run", env=days)) == [tapes[0].sid]
    world.done("business", "set", acme.id, "--retention", 7)
    listed = sids(pruned(world, "--dry-run", env=days))
    assert listed == [t.sid for t in tapes]
    assert sids(pruned(world, env=days)) == listed and sids(pruned(world, env=days)) == []
    assert world.sql("select kind, count(*) as n from tasks group by kind") == [{"kind": "remove", "n": 2}]


def test_what_is_due_is_shown_until_it_is_gone(world, provider):
    server = world.server(ADMIN_LISTEN="127.0.0.1:0")
    acme = world.business(provider)
    tapes = ready_tapes(world, server, acme, provider, [12, 11, 1])
    removal = lambda *words: json.loads(world.done("status", "--json", *words))["removal"]
    assert removal() == {"due": 0, "files": 0, "at_provider": 0, "erasures": 0, "oldest_at": None}
    assert "To be removed" not in world.done("status")
    server.stop()
    world.done("business", "set", acme.id, "--retention", 10)
    assert removal()["due"] == 2 and removal("--business", acme.id)["due"] == 2
    assert "2 recordings are due" in world.done("status")
    world.done("prune")
    said = removal()
    assert said["due"] == 0 and said["files"] == 2 and said["oldest_at"]
    assert "files of 2, copies at the provider of 0" in world.done("status")
    world.pass_time(60)
    server = world.again(server, ADMIN_LISTEN="127.0.0.1:0")
    eventually(lambda: removal()["files"] == 0 and removal()["oldest_at"] is None, 10)
    figures = eventually(lambda: "callreel_recordings_due" in server.figures() and server.figures(), 10)
    assert figures["callreel_recordings_due"] == 0 and figures['callreel_removals_waiting{kind="at_provider"}'] == 0
    assert figures['callreel_removals_waiting{kind="files"}'] in (0, 2) and figures["callreel_removals_oldest_seconds"] < 60 * 60
    assert figures['callreel_removals_total{result="removed"}'] == 2
    assert world.state(tapes[2].sid) == "ready"


def test_calls_go_after_their_recordings_when_their_own_time_is_over(world, provider):
    world.main = world.server()
    acme, other = world.business(provider), world.business(provider, "Other")
    admin = acme.key("admin")
    old, held, kept, young = ready_tapes(world, world.main, acme, provider, [40, 40, 12, 1])
    [theirs] = ready_tapes(world, world.main, other, provider, [40])
    for business, tapes, days in ((acme, (old, held), 40), (acme, (kept,), 12), (acme, (young,), 1), (other, (theirs,), 40)):
        for tape in tapes:
            business.webhook_add_call(world.main, tape.call_sid, Timestamp=http_date(int(world.clock.now_ms()) - days * DAY_MS))
    leg = p.sid("CA")
    acme.webhook_add_call(world.main, leg, ParentCallSid=old.call_sid, Timestamp=http_date(int(world.clock.now_ms()) - 40 * DAY_MS))
    assert world.main.call("PUT", f"/api/calls/{held.call_sid}/hold", JSON, b'{"reason":"Case 17"}', admin).status == 204
    world.done("business", "set", acme.id, "--retention", "10", "--retention-metadata", "5")
    world.done("business", "set", other.id, "--retention-metadata", "5")
    assert world.run("business", "set", acme.id, "--retention-metadata", "0").returncode == 2
    business = world.main.get("/api/business", admin).json()
    assert (business["retention_days"], business["retention_metadata_days"]) == (10, 5)
    world.pass_time(65)
    for tape in (old, kept):
        world.wait_state(tape.sid, "expired", 10)
    calls = lambda: {row["call_sid"] for row in world.sql("select call_sid from calls")}
    world.pass_time(11 * 60)
    left = {held.call_sid, young.call_sid, theirs.call_sid}
    eventually(lambda: calls() == left, 10, calls)
    assert {world.state(tape.sid) for tape in (held, young)} == {"ready"} and world.state(theirs.sid, other.id) == "ready"
    assert world.row(old.sid)["expire_reason"] == "call_expired" and world.row(old.sid)["call_sid"] is None
    for sid in (old.call_sid, leg, kept.call_sid):
        assert world.main.get(f"/api/calls/{sid}", admin).status == 404
    [entry] = world.main.get("/api/audit?action=retention", admin).json()["entries"]
    assert (entry["actor"], entry["object"], entry["details"]) == (
        "service", f"business:{acme.id}", {"calls": 3, "recordings": 2, "held": 1})
    acme.webhook_add_call(world.main, old.call_sid)
    acme.tell(world.main, old)
    assert calls() == left and world.state(old.sid) == "expired", "nothing brings it back"
    # Where nothing is left to do, nothing is noted.
    world.pass_time(11 * 60)
    eventually(lambda: not world.sql("select 1 from erasures where ended_at is null"))
    assert len(world.main.get("/api/audit?action=retention", admin).json()["entries"]) == 1
    body = b'{"retention_metadata_days":0}'
    assert world.main.call("PATCH", "/api/business", JSON, body, admin).json()["retention_metadata_days"] == 0
    for wrong in (b'{"retention_metadata_days":-1}', b'{"retention_metadata_days":null}', b'{"retention_metadata_days":36501}'):
        assert world.main.call("PATCH", "/api/business", JSON, wrong, admin).status == 400


def ms_of(text):
    return int(datetime.datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp() * 1000)


@pytest.mark.parametrize("zone", ["America/New_York", "Asia/Jerusalem", "Pacific/Apia"])
def test_retention_counts_days_of_24_hours_in_utc_from_the_calls_start(world, provider, zone):
    """Across a 29th of February, both changes of daylight saving, and an hour that a zone has twice, to the second."""
    server = world.server(TZ=zone)
    acme = world.business(provider)
    starts = {text: provider.tape() for text in ("2028-02-01T00:00:00Z", "2027-02-01T00:00:00Z", "2027-03-13T06:59:00Z",
                                                 "2027-03-25T23:30:00Z", "2027-11-07T05:30:00Z", "2027-12-31T23:59:59Z")}
    world.clock.advance((ms_of("2027-01-15T00:00:00Z") - world.clock.now_ms()) / 1000)
    for text, tape in starts.items():
        start = http_date(ms_of(text))
        acme.webhook_add_call(server, tape.call_sid, status="in-progress", Timestamp=start)
        acme.tell(server, tape, "in-progress", RecordingStartTime=http_date(ms_of(text) + 3_000_000))
        assert world.row(tape.sid)["kept_from"] == ms_of(text), text
    server.stop()
    world.done("business", "set", acme.id, "--retention", 31)
    for text, tape in sorted(starts.items()):
        due = ms_of(text) + 31 * DAY_MS
        for ahead, goes in ((-60, False), (60, True)):
            world.clock.advance((due - world.clock.now_ms()) / 1000 + ahead)
            listed = sids(pruned(world, "--dry-run", env={"TZ": zone}))
            assert (tape.sid in listed) == goes, (text, ahead)


def test_retention_goes_by_the_clock_of_the_machine(world, provider):
    """libfaketime moves it, not the test's own clock: over a 29th of February, both changes of daylight saving, and a year's end."""
    if not FAKETIME.exists():
        pytest.skip("libfaketime is not installed")
    if world.schema:
        pytest.skip("on PostgreSQL retention goes by the server's clock, which libfaketime does not move here")
    moved = world.directory / "moved"
    faked = {"LD_PRELOAD": f"{NO_SYNC}:{FAKETIME}", "FAKETIME_TIMESTAMP_FILE": moved, "FAKETIME_NO_CACHE": "1",
             "FAKETIME_DONT_FAKE_MONOTONIC": "1", "NO_FAKE_STAT": "1", "TZ": "America/New_York"}

    def move_to(ms):
        moved.write_text(f"+{ms / 1000 - time.time():.0f}")

    move_to(world.clock.now_ms())
    server, acme = world.server(**faked), world.business(provider)
    world.done("business", "set", acme.id, "--retention", 31)
    for text in ("2027-03-01T06:59:00Z", "2027-10-25T05:30:00Z", "2027-12-31T23:59:59Z", "2028-02-01T00:00:00Z"):
        start = ms_of(text)
        move_to(start)
        tape = provider.tape()
        acme.webhook_add_call(server, tape.call_sid, Timestamp=http_date(start))
        acme.tell(server, tape, RecordingStartTime=http_date(start + 3_000_000))
        world.wait_state(tape.sid, business_id=acme.id)
        move_to(start + 31 * DAY_MS - 60_000)
        assert tape.sid not in sids(pruned(world, "--dry-run", env=faked)), text
        assert world.state(tape.sid) == "ready"
        move_to(start + 31 * DAY_MS + 60_000)
        world.wait_state(tape.sid, "expired", 20)
        eventually(lambda: not list(world.recordings().rglob(f"*{tape.sid}*")), 20, "its file is gone")
