"""Recordings expire: their files are removed, nothing plays them and nothing brings them back."""
import datetime
import email.utils
import threading

import pytest

import provider as p
from callreel import eventually

MEDIA = {"Range": "bytes=0-"}
DAY_MS = 86_400_000


def http_date(ms):
    return email.utils.format_datetime(datetime.datetime.fromtimestamp(ms // 1000, datetime.timezone.utc))


def files_of(world, tape):
    return [path for path in world.recordings().rglob("*") if tape.sid in path.name]


def is_gone(world, tape):
    return not files_of(world, tape) and not world.sql("select 1 from tasks where recording_sid = ?", tape.sid)


@pytest.fixture
def acme(world, provider):
    world.main = world.server()
    business = world.business(provider)
    business.key("admin")
    return business


def ready(world, acme, provider, **options):
    tape = provider.tape(**options)
    acme.tell(world.main, tape)
    world.wait_state(tape.sid)
    return tape


def delete(world, acme, tape, query=""):
    return world.main.call("DELETE", f"/api/recordings/{tape.sid}{query}", key=acme.key("admin"))


@pytest.mark.sanitized
@pytest.mark.threads
def test_a_deleted_recording_is_gone_and_stays_gone(world, provider, acme):
    server = world.main
    tape = ready(world, acme, provider)
    assert server.get(f"/api/recordings/{tape.sid}/waveform", acme.viewer).status == 200
    url = server.post(f"/api/recordings/{tape.sid}/url", acme.key("admin")).json()["url"]
    assert server.get(f"/api/recordings/{tape.sid}/stream", acme.viewer, MEDIA).status == 206
    assert server.call("DELETE", f"/api/recordings/{tape.sid}", key=acme.viewer).status == 403
    answer = delete(world, acme, tape)
    assert answer.status == 204 and not answer.body
    assert server.get(f"/api/recordings/{tape.sid}/stream", acme.viewer, MEDIA).status == 410
    assert server.get(url[url.index("/api"):], headers=MEDIA).status == 410
    status = server.get(f"/api/recordings/{tape.sid}/status", acme.viewer).json()
    assert status["status"] == "expired" and status["error"] is None and status["expires_at"]
    assert delete(world, acme, tape).status == 204
    eventually(lambda: is_gone(world, tape), 5, "its files are gone")
    assert server.get(f"/api/recordings/{tape.sid}/waveform", acme.viewer).status == 404
    row = world.row(tape.sid)
    assert row["expire_reason"] == "deleted" and row["expired_at"] and row["name"] is None
    asked = len(provider.asks)
    acme.tell(server, tape, RecordingDuration="7")
    acme.tell(server, tape, "absent", ErrorCode="16101")
    for action in ("retry", "prepare"):
        assert server.post(f"/api/recordings/{tape.sid}/{action}", acme.key("admin")).status == 410
    assert server.post("/api/recordings/retry", acme.key("admin")).status == 200
    file = world.recordings() / (row["stem"] + ".mp3")
    file.write_bytes(tape.bytes_for(".mp3"))
    assert server.get(f"/api/recordings/{tape.sid}/stream", acme.viewer, MEDIA).status == 410
    world.run("verify", "--repair")
    world.done("business", "set", acme.id, "--auth-token-file", world.secret_file(acme.token + "x"))
    assert world.state(tape.sid) == "expired" and len(provider.asks) == asked
    call = server.get(f"/api/calls/{tape.call_sid}", acme.viewer).json()
    assert [r["status"] for r in call["recordings"]] == ["expired"], "the call's metadata stays"


def test_answers_under_way_end_when_their_recording_is_deleted(world, provider, acme):
    tape = ready(world, acme, provider, seconds=3000)
    target = f"/api/recordings/{tape.sid}/stream"
    with world.main.connect(receive_buffer=4096) as slow:
        slow.ask("GET", target, {"Authorization": f"Bearer {acme.viewer}"})
        head = slow.read_head()
        assert head.status == 200
        assert delete(world, acme, tape).status == 204
        assert not slow.read_body(head).complete


def test_a_fill_under_way_ends_when_its_recording_is_deleted(world, provider, acme):
    gate = threading.Event()
    tape = provider.tape(seconds=20)
    tape.acts = [p.pause_at(8000, gate)]
    acme.tell(world.main, tape)
    with world.main.connect() as listener:
        listener.ask("GET", f"/api/recordings/{tape.sid}/stream", {"Authorization": f"Bearer {acme.viewer}", **MEDIA})
        head = listener.read_head()
        assert head.status == 206
        assert delete(world, acme, tape).status == 204
        assert not listener.read_body(head).complete
    gate.set()
    world.main.wait_lines("Lease lost")
    eventually(lambda: not files_of(world, tape), 5, "its part is gone")
    world.pass_time(40)
    eventually(lambda: is_gone(world, tape), 5, "nothing is left to do")
    assert world.state(tape.sid) == "expired"


# ---- retention ----

def rfc3339(ms):
    return datetime.datetime.fromtimestamp(ms / 1000, datetime.timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def kept_from(world, tape):
    return world.row(tape.sid)["kept_from"]


def status_of(world, acme, tape):
    return world.main.get(f"/api/recordings/{tape.sid}/status", acme.viewer).json()


def same_time(a, b):
    return datetime.datetime.fromisoformat(a.replace("Z", "+00:00")) == datetime.datetime.fromisoformat(b.replace("Z", "+00:00"))


@pytest.mark.sanitized
@pytest.mark.threads
def test_recordings_expire_so_many_days_after_their_calls_start(world, provider):
    world.main = world.server(RETENTION_DAYS=30)
    acme, other = world.business(provider), world.business(world.provider(), "Other")
    world.done("business", "set", other.id, "--retention", "never")
    start = int(world.clock.now_ms()) - 10 * DAY_MS
    old, new = provider.tape(), provider.tape()
    for tape, at in ((old, start), (new, start + 5 * DAY_MS)):
        acme.webhook_add_call(world.main, tape.call_sid, CallDuration="60", Timestamp=http_date(at + 60_000))
        acme.tell(world.main, tape, RecordingStartTime=http_date(at + 30_000))
        world.wait_state(tape.sid)
    assert kept_from(world, old) == start // 1000 * 1000
    assert same_time(status_of(world, acme, old)["expires_at"], rfc3339(kept_from(world, old) + 30 * DAY_MS))
    world.pass_time(19 * 86400)
    assert world.state(old.sid) == "ready"
    world.pass_time(86400 + 3600)
    world.wait_state(old.sid, "expired", 5)
    eventually(lambda: is_gone(world, old), 5)
    assert world.row(old.sid)["expire_reason"] == "retention" and world.state(new.sid) == "ready"
    world.done("business", "set", acme.id, "--retention", "never")
    eventually(lambda: status_of(world, acme, new)["expires_at"] is None, 2)
    world.pass_time(400 * 86400)
    assert world.state(new.sid) == "ready"
    world.done("business", "set", acme.id, "--retention", 430)  # it is not due yet: else it may expire before anybody looks
    eventually(lambda: status_of(world, acme, new)["expires_at"], 20)  # the year ended waits of the connection to PostgreSQL
    world.pass_time(6 * 86400)
    world.wait_state(new.sid, "expired", 5)
    eventually(lambda: is_gone(world, new), 5)


def test_a_day_of_retention_has_24_hours_whatever_the_calendar_says(world, provider):
    """The 29th of February, and both changes of daylight saving: dates are UTC."""
    world.main = world.server(TZ="America/New_York")
    acme = world.business(provider)
    world.done("business", "set", acme.id, "--retention", 10)
    for text in ("2024-02-25T01:30:00Z", "2026-03-07T06:59:00Z", "2026-10-30T05:30:00Z"):
        at = int(datetime.datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp() * 1000)
        tape = provider.tape()
        acme.tell(world.main, tape, "in-progress", RecordingStartTime=http_date(at))
        status = status_of(world, acme, tape)
        due = status["expires_at"]
        want = datetime.datetime.fromisoformat(text.replace("Z", "+00:00")) + datetime.timedelta(days=10)
        assert same_time(due, want.isoformat()) or status["status"] == "expired", (text, due)


def test_a_deletion_by_a_calls_sid_deletes_no_second_recording_when_it_is_repeated(world, provider, acme):
    tape, other = provider.tape(), provider.tape()
    acme.tell(world.main, tape)
    world.wait_state(tape.sid)
    by_call = lambda: world.main.call("DELETE", f"/api/recordings/{tape.call_sid}", key=acme.key("admin"))
    for _ in range(2):
        assert by_call().status == 204 and world.state(tape.sid) == "expired"
    acme.tell(world.main, other, CallSid=tape.call_sid)
    world.wait_state(other.sid)
    refused = by_call()
    assert refused.status == 409 and refused.json()["code"] == "conflict", refused
    assert world.state(other.sid) == "ready"
    assert delete(world, acme, other).status == 204 and by_call().status == 409
