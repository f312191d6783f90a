"""A failure that passes: the provider is asked again within the same attempt, before it counts as a failure."""
import signal
import socket
from email.utils import formatdate

import pytest

import provider as p
from callreel import eventually

pytestmark = pytest.mark.sanitized
MEDIA = {"Range": "bytes=0-"}
PASSING = [p.status(500), p.status(502), p.status(503), p.status(504), p.Ask.reset, p.Ask.end]


def test_three_failures_that_pass_are_no_failure(world, provider):
    server = world.server()
    business = world.business(provider)
    tapes = [provider.tape() for _ in PASSING]
    for tape, act in zip(tapes, PASSING):
        tape.acts = [act] * 3
        business.tell(server, tape)
    for tape in tapes:
        row = world.wait_state(tape.sid)
        assert (len(tape.asks), row["fail_count"], row["lease_token"]) == (4, 0, 1)
    assert not server.log_lines("Recording failed")


@pytest.mark.parametrize("n", range(2))
def test_the_fourth_in_a_row_is_one_failure_with_back_off(world, provider, n):
    server = world.server()
    business = world.business(provider)
    tapes = [provider.tape() for _ in PASSING[n::2]]  # three: below the errors in a row that slow an account down
    for tape, act in zip(tapes, PASSING[n::2]):
        tape.default = act
        business.tell(server, tape)
    for tape in tapes:
        row = world.wait_state(tape.sid, "failed")
        assert (len(tape.asks), row["error_code"], row["fail_count"], row["lease_token"]) == (4, "provider_error", 1, 1)
        assert 24_000 <= row["next_retry_at"] - row["failed_at"] <= 36_000
    assert len(server.wait_lines("Recording failed", 3)) == 3


def test_a_refused_connection_is_asked_again(world, provider):
    """The port is closed for the first requests and opens while the fill pauses."""
    server = world.server(CALLREEL_TEST_ASK_AGAIN_MS=8000, LOG_LEVEL="debug")
    business = world.business(provider)
    tape = provider.tape()
    provider.listener.shutdown(socket.SHUT_RDWR)
    provider.listener.close()
    business.tell(server, tape)
    server.wait_lines("Fill interrupted")
    provider.listener = socket.create_server(("127.0.0.1", provider.port), backlog=512)
    provider.accept_in_a_thread(provider.listener)
    world.pass_time_until(lambda: world.state(tape.sid) == "ready", step=8, within=60)
    row = world.row(tape.sid)
    assert (row["fail_count"], row["lease_token"]) == (0, 1)


def test_a_name_that_is_not_found_is_asked_four_times_an_attempt(world, provider):
    server = world.server(ADMIN_LISTEN="127.0.0.1:0")
    at = type("At", (), dict(account_sid=provider.account_sid, token=provider.token, base_url="http://nowhere.invalid"))
    business = world.business(at)
    tape = provider.tape()
    fields = business.recording_fields(tape, RecordingUrl=tape.url.replace(provider.base_url, at.base_url))
    assert business.webhook(server, "recording", fields).status == 204
    row = world.wait_state(tape.sid, "failed")
    assert (row["error_code"], row["fail_count"]) == ("provider_error", 1)
    requests = {name: n for name, n in server.figures().items() if name.startswith("callreel_provider_requests_total") and n}
    assert sum(requests.values()) == 4, requests


def test_the_pauses_double_and_the_lease_is_renewed_meanwhile(world, provider):
    server = world.server(CALLREEL_TEST_ASK_AGAIN_MS=10_000)
    business = world.business(provider)
    tape = provider.tape()
    tape.acts = [p.status(503)] * 3
    business.tell(server, tape)
    for n, pauses in ((1, 1), (2, 2), (3, 4)):
        eventually(lambda: len(tape.asks) == n)
        eventually(lambda: world.state(tape.sid) == "queued")
        for _ in range(pauses):
            assert len(tape.asks) == n
            world.pass_time(9)
            eventually(lambda: world.row(tape.sid)["lease_until"] > world.clock.now_ms() + 18_000)
        assert len(tape.asks) == n
        world.pass_time(pauses + 0.1)
    row = world.wait_state(tape.sid)
    assert (len(tape.asks), row["lease_token"], row["fail_count"]) == (4, 1, 0)


@pytest.mark.parametrize("dated", [False, True])
def test_a_longer_retry_after_ends_the_attempt_at_once(world, provider, dated):
    server = world.server()
    business = world.business(provider)
    tape = provider.tape()
    until = formatdate(world.clock.now_ms() / 1000 + 120, usegmt=True) if dated else "120"
    tape.default = p.status(503, {"Retry-After": until})
    business.tell(server, tape)
    row = world.wait_state(tape.sid, "failed")
    assert len(tape.asks) == 1 and 110_000 <= row["next_retry_at"] - row["failed_at"] <= 121_000
    short = provider.tape()
    short.acts = [p.status(503), p.status(503, {"Retry-After": "1"})]
    business.tell(server, short)
    world.wait_state(short.sid)
    assert len(short.asks) == 3


def test_other_answers_are_asked_once_an_attempt(world, provider):
    server = world.server()
    business = world.business(provider)
    hour_ago = formatdate(world.clock.now_ms() / 1000 - 3600, usegmt=True)
    for code in (403, 404, 418, 429, 501, 505):
        tape = provider.tape()
        tape.default = p.status(code)
        business.tell(server, tape, RecordingStartTime=hour_ago)
        world.wait_state(tape.sid, "failed")
        assert len(tape.asks) == 1, code


@pytest.mark.threads
def test_a_listener_waits_over_the_pauses_and_plays(world, provider):
    server = world.server(CALLREEL_TEST_ASK_AGAIN_MS=200)
    business = world.business(provider)
    tape = provider.tape()
    tape.acts = [p.status(503), p.Ask.reset]
    business.tell(server, tape, "in-progress")
    play = server.get(f"/api/recordings/{tape.sid}/stream", business.viewer, MEDIA)
    assert (play.status, play.body) == (206, tape.mp3) and len(tape.asks) == 3


@pytest.mark.threads
def test_a_drain_ends_the_pause_and_gives_the_lease_back(world, provider):
    server = world.server(CALLREEL_TEST_ASK_AGAIN_MS=1_000_000, DRAIN_TIMEOUT=0)
    business = world.business(provider)
    tape = provider.tape()
    tape.acts = [p.status(503)]
    business.tell(server, tape)
    eventually(lambda: len(tape.asks) == 1 and world.row(tape.sid)["lease_until"])
    server.stop()
    row = world.row(tape.sid)
    assert (row["status"], row["fail_count"], row["lease_until"]) == ("queued", 0, None)
    world.again(server)
    world.wait_state(tape.sid)
    assert len(tape.asks) == 2


def test_a_worker_frozen_in_the_pause_changes_nothing_when_it_wakes(world, provider):
    first = world.server(CALLREEL_TEST_ASK_AGAIN_MS=5000)
    business = world.business(provider)
    tape = provider.tape()
    tape.acts = [p.status(503)]
    business.tell(first, tape)
    eventually(lambda: len(tape.asks) == 1)
    first.freeze()
    second = world.server("second")
    world.pass_time_until(lambda: world.state(tape.sid) == "ready", step=10, within=90)
    row = world.row(tape.sid)
    asks = len(tape.asks)
    first.signal(signal.SIGCONT)
    first.wait_lines("Lease lost")
    assert world.row(tape.sid) == row and len(tape.asks) == asks and tape.downloads == 1
    assert second.alive()


def test_a_worker_killed_in_the_pause_is_replaced(world, provider):
    first = world.server(CALLREEL_TEST_ASK_AGAIN_MS=1_000_000)
    business = world.business(provider)
    tape = provider.tape()
    tape.acts = [p.status(503)]
    business.tell(first, tape)
    eventually(lambda: len(tape.asks) == 1)
    first.kill()
    second = world.server("second")
    world.pass_time_until(lambda: world.state(tape.sid) == "ready", step=10, within=90)
    assert world.row(tape.sid)["fail_count"] == 0 and len(tape.asks) == 2
    [line] = second.wait_lines("Expired lease taken back")
    assert f"call={tape.call_sid} recording={tape.sid}" in line


@pytest.mark.threads
def test_new_credentials_come_during_the_pause(world, provider):
    """The first token was refused, the second got 503; meanwhile both were replaced by one that is right."""
    server = world.server(CALLREEL_TEST_ASK_AGAIN_MS=8000)
    business = world.business(provider)
    tape = provider.tape()
    right, provider.token = provider.token, "1" * 32
    for token in ("1" * 32, "2" * 32):
        world.secrets.add(token)
    world.done("business", "set", business.id, "--auth-token-file", world.secret_file(right), "--auth-token-file",
               world.secret_file("1" * 32))
    tape.acts = [p.status(503)]  # of the token that is accepted
    business.tell(server, tape)
    eventually(lambda: len(tape.asks) == 1 and len(provider.asks) == 2)
    provider.token = "2" * 32
    world.done("business", "set", business.id, "--auth-token-file", world.secret_file("2" * 32))
    world.pass_time_until(lambda: world.state(tape.sid) == "ready", step=8, within=60)
    assert world.row(tape.sid)["fail_count"] == 0 and not server.log_lines("Recording failed")


@pytest.mark.threads
def test_sixty_that_answer_503_at_once_are_spread_over_their_back_off(world, provider):
    server = world.server()
    business = world.business(provider)
    provider.outage = p.status(503)
    tapes = [provider.tape() for _ in range(60)]
    for tape in tapes:
        business.tell(server, tape)
    eventually(lambda: world.sql("select count(*) n from recordings where status = 'failed'")[0]["n"] == 60, 40)
    assert len(provider.asks) == 240
    waits = [row["next_retry_at"] - row["failed_at"] for row in world.sql("select * from recordings")]
    assert all(24_000 <= wait <= 36_000 for wait in waits)
    assert min(waits) < 29_000 and max(waits) > 31_000 and len(set(waits)) > 30
