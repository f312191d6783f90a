"""Back-off and cooldown: which recordings wait, and which requests may enqueue them earlier."""
import json
import threading

import pytest

import provider as p
from callreel import eventually

pytestmark = pytest.mark.sanitized
MEDIA = {"Range": "bytes=0-"}
ATTEMPT = 4  # requests of one attempt: a 500 is asked again three times


@pytest.fixture
def failing(world, provider):
    server = world.server()
    business = world.business(provider)
    tape = provider.tape()
    tape.default = p.status(500)
    business.tell(server, tape)
    world.wait_state(tape.sid, "failed")
    return server, business, tape


def test_in_back_off_every_door_says_so(world, failing):
    server, business, tape = failing
    url = f"/api/recordings/{tape.sid}"
    row = world.row(tape.sid)
    for method, target, headers in (("GET", "/stream", MEDIA), ("GET", "/stream", {}), ("GET", "/download", {}),
                                    ("GET", "/stream", {"Prefer": "respond-async"}), ("POST", "/prepare", {}),
                                    ("GET", "/stream", {"Prefer": "wait=5", **MEDIA})):
        answer = server.call(method, url + target, headers, b"" if method == "POST" else None, business.viewer)
        assert (answer.status, answer.code()) == (503, "provider_error"), (target, answer)
        assert 1 <= int(answer.header("retry-after")) <= 40, target
    status = server.get(url + "/status", business.viewer).json()
    assert status["status"] == "failed" and status["fail_count"] == 1 and status["retry_after"] is None
    assert status["next_retry_at"].endswith("Z") and status["error"]["code"] == "provider_error"
    assert len(tape.asks) == ATTEMPT and world.row(tape.sid) == row


def test_back_offs_double_up_to_twenty_minutes_and_survive_a_restart(world, failing):
    server, business, tape = failing
    waits = []
    for n in range(1, 9):
        row = world.wait_state(tape.sid, "failed")
        assert row["fail_count"] == n and row["for_good"] == 0
        wait = (row["next_retry_at"] - row["failed_at"]) / 1000
        waits.append(wait)
        expected = min(30 * 2 ** (n - 1), 1200)
        assert expected * 0.79 <= wait <= min(expected * 1.21, 1200.1), (n, wait)
        if n == 3:
            server.kill()
            server = world.again(server)
            assert world.row(tape.sid)["next_retry_at"] == row["next_retry_at"]
        world.pass_time(wait - 3)
        assert len(tape.asks) == ATTEMPT * n
        world.pass_time_until(lambda: len(tape.asks) == ATTEMPT * (n + 1), step=2, within=20)
        eventually(lambda: world.row(tape.sid)["fail_count"] == n + 1)
    assert len(set(waits[:6])) == 6  # jitter; from the seventh on many are at the cap


@pytest.mark.threads
def test_a_play_after_the_back_off_is_a_new_try(world, failing):
    server, business, tape = failing
    tape.default = p.whole
    world.pass_time_until(lambda: world.state(tape.sid) == "ready", step=5, within=60)
    assert world.row(tape.sid)["fail_count"] == 0
    assert server.get(f"/api/recordings/{tape.sid}/stream", business.viewer).body == tape.mp3


def test_a_person_may_retry_three_times_in_ten_minutes(world, failing):
    server, business, tape = failing
    url, agent = f"/api/recordings/{tape.sid}/retry", business.key("agent")
    for n in range(3):
        answer = server.post(url, agent)
        assert answer.status == 202 and answer.json()["status"] in ("queued", "downloading", "failed"), answer
        assert answer.json()["recording_sid"] == tape.sid
        eventually(lambda: len(tape.asks) == ATTEMPT * (n + 2))
        eventually(lambda: world.row(tape.sid)["fail_count"] == n + 2)
        world.wait_state(tape.sid, "failed")
    answer = server.post(url, agent)
    assert answer.status == 429 and int(answer.header("retry-after")) >= 1
    assert answer.header("content-type") == "application/problem+json"
    assert len(tape.asks) == ATTEMPT * 4
    tape.default = p.whole
    for _ in range(10):
        world.pass_time(61)
    world.pass_time_until(lambda: world.state(tape.sid) == "ready", step=10, within=60 * 25)
    assert server.post(url, agent).status == 200  # ready: nothing to do
    assert server.post(url, agent).json()["status"] == "ready"


def test_a_retry_revives_what_failed_for_good(world, provider, failing):
    server, business, _ = failing
    tape = provider.tape()
    tape.acts = [p.status(404)]
    business.tell(server, tape, RecordingStartTime="Thu, 01 Aug 2024 04:20:56 +0000")
    assert world.wait_state(tape.sid, "failed")["for_good"] == 1
    answer = server.post(f"/api/recordings/{tape.call_sid}/retry", business.key("agent"))
    assert answer.status == 202 and tape.sid in answer.header("content-location")
    world.wait_state(tape.sid)
    assert len(tape.asks) == 2


def test_what_is_absent_is_retried_only_by_force(world, provider, failing):
    server, business, _ = failing
    tape, agent = provider.tape(), business.key("agent")
    business.tell(server, tape, "absent", ErrorCode="16102")
    row = world.wait_state(tape.sid, "failed")
    url = f"/api/recordings/{tape.sid}/retry"
    for query in ("", "?force=0"):
        answer = server.post(url + query, agent)
        assert (answer.status, answer.code()) == (409, "conflict") and "force=1" in answer.json()["detail"], answer
    for wrong in ("", "yes"):
        assert server.post(f"{url}?force={wrong}", agent).status == 400
    done = world.run("fetch", tape.sid)
    assert done.returncode == 1 and "--force" in done.stderr and not done.stdout
    assert world.row(tape.sid) == row and not tape.asks
    answer = server.post(url + "?force=1", agent)
    assert answer.status == 202 and answer.json()["error"] is None
    world.wait_state(tape.sid)
    assert len(tape.asks) == 1 and world.row(tape.sid)["error_code"] is None


@pytest.mark.parametrize("door", ["api", "all", "command", "fetch"])
def test_what_is_absent_keeps_its_reason_whatever_a_forced_retry_ends_with(world, provider, failing, door):
    server, business, _ = failing
    gate = threading.Event()
    acts = [p.status(404), p.status(500), p.status(403), p.content(b"no audio" * 500), p.cut_at(5000), p.status(401)]
    tapes = [provider.tape() for _ in acts]
    for tape, act in zip(tapes, acts):
        tape.default = p.hold(gate, act)
        business.tell(server, tape, "absent", ErrorCode="16102" if tape is tapes[0] else "16101")
    rows = [world.wait_state(tape.sid, "failed") for tape in tapes]
    if door == "all":
        assert server.post("/api/recordings/retry?code=absent_too_short&force=1", business.key("admin")).json() == {"queued": 5}
    elif door == "command":
        assert json.loads(world.done("retry", "--code", "absent_too_short", "--json"))["queued"] == 0
        assert json.loads(world.done("retry", "--code", "absent_too_short", "--force", "--json"))["queued"] == 5
    elif door == "api":
        for tape in tapes[1:]:
            assert server.post(f"/api/recordings/{tape.sid}/retry?force=1", business.key("agent")).status == 202
    if door != "fetch":
        eventually(lambda: any(tape.asks for tape in tapes))
        for tape in tapes[1:]:
            status = server.get(f"/api/recordings/{tape.sid}/status", business.viewer).json()
            assert (status["status"], status["error"]) == ("queued", None)
    gate.set()
    done = world.run("fetch", tapes[0].sid, "--force")
    assert done.returncode == 1 and "silent" in done.stderr, done
    for tape, before in zip(tapes, rows):
        if door == "fetch" and tape is not tapes[0]:
            continue
        world.pass_time_until(lambda: world.state(tape.sid) == "failed", step=1, within=30)
        row = world.row(tape.sid)
        assert tape.asks and (row["error_code"], row["for_good"]) == (before["error_code"], 1)
        play = server.get(f"/api/recordings/{tape.sid}/stream", business.viewer, MEDIA)
        assert (play.status, play.code()) == (404, before["error_code"])


@pytest.mark.threads
def test_prepare_fetches_ahead(world, provider, failing):
    server, business, _ = failing
    tape = provider.tape()
    business.tell(server, tape, "in-progress")
    url = f"/api/recordings/{tape.sid}/prepare"
    answer = server.post(url, business.viewer)
    assert answer.status == 202 and answer.json()["status"] in ("queued", "downloading", "ready")
    assert answer.json()["message"] and answer.header("retry-after")
    assert answer.header("location").endswith(f"/api/recordings/{tape.sid}/status")
    world.wait_state(tape.sid)
    answer = server.post(url, business.viewer)
    assert answer.status == 200 and answer.json()["status"] == "ready"
    assert len(tape.asks) == 1
    assert server.post(f"/api/recordings/{tape.call_sid}/prepare", business.viewer).status == 200


@pytest.mark.threads
def test_all_that_failed_for_one_reason_can_be_retried_at_once(world, provider, failing):
    server, business, tape = failing
    absent = provider.tape()
    business.tell(server, absent, "absent", ErrorCode="16102")
    world.wait_state(absent.sid, "failed")
    admin = business.key("admin")
    assert server.post("/api/recordings/retry?code=timeout", admin).json() == {"queued": 0}
    assert server.post("/api/recordings/retry?code=provider_error&since=2100-01-01", admin).json() == {"queued": 0}
    tape.default = p.whole
    assert server.post("/api/recordings/retry?code=provider_error", admin).json() == {"queued": 1}
    world.wait_state(tape.sid)
    assert world.state(absent.sid) == "failed"


def test_retrying_all_keeps_the_reason_of_what_is_absent(world, provider, failing):
    server, business, tape = failing
    absent = provider.tape()
    business.tell(server, absent, "absent", ErrorCode="16102")
    world.wait_state(absent.sid, "failed")
    row = world.row(absent.sid)
    tape.default = p.whole
    assert server.post("/api/recordings/retry", business.key("admin")).json() == {"queued": 1}
    world.wait_state(tape.sid)
    assert world.row(absent.sid) == row and not absent.asks
    assert server.post("/api/recordings/retry?force=1", business.key("admin")).json() == {"queued": 1}
    world.wait_state(absent.sid)


def test_an_enqueue_cools_down_for_a_minute(world, provider, failing):
    """A play does not enqueue a missing recording that was enqueued less than 60 s ago."""
    server, business, _ = failing
    tape = provider.tape()
    tape.default = p.status(404)
    business.tell(server, tape, "in-progress")
    url = f"/api/recordings/{tape.sid}"
    server.get(url + "/stream", business.viewer, MEDIA)
    eventually(lambda: world.state(tape.sid) == "missing" and len(tape.asks) == 1)
    for _ in range(20):
        assert server.get(url + "/stream", business.viewer, MEDIA).status == 202
        assert server.post(url + "/prepare", business.viewer).status == 202
    assert len(tape.asks) == 1
    world.pass_time(61)
    assert server.post(url + "/prepare", business.viewer).status == 202
    eventually(lambda: len(tape.asks) == 2)
