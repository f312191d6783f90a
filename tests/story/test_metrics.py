"""The metrics: counts of what happened, without SIDs, numbers or names."""
import re
import shutil
import sqlite3
import subprocess
import threading

import pytest

import provider as p
import wire
from callreel import eventually

MEDIA = {"Range": "bytes=0-"}
pytestmark = pytest.mark.sanitized


@pytest.fixture
def server(world):
    return world.server(ADMIN_LISTEN="127.0.0.1:0")


def changed(server, before):
    now = server.figures()
    return {name: now[name] - before.get(name, 0) for name in now if now[name] != before.get(name, 0)}


def alter(world, text):
    db = sqlite3.connect(world.database, timeout=20)
    with db:
        db.execute(text)
    db.close()


def test_without_a_platform_key_there_is_no_such_page(world, provider, server):
    business = world.business(provider)
    unknown = server.get("/nothing")
    for key in (None, "cr_wrong", business.viewer, business.key("admin")):
        answer = server.get("/metrics", key)
        assert (answer.status, answer.body) == (404, unknown.body)
        assert sorted(name.lower() for name, _ in answer.headers) == sorted(name.lower() for name, _ in unknown.headers)
    answer = server.get("/metrics", world.platform_key)
    assert answer.status == 200 and b"callreel_build_info{version=" in answer.body


def test_inside_there_are_figures_and_health_and_nothing_else(world, provider, server):
    business = world.business(provider)
    port = int(re.search(r"admin=127\.0\.0\.1:(\d+)", server.log()).group(1))
    key = [("Authorization", f"Bearer {business.viewer}")]
    for target, status in (("/metrics", 200), ("/healthz", 200), ("/readyz", 200), ("/api/calls", 404), ("/", 404),
                           ("/signin?token=x", 404)):
        assert wire.call(port, "GET", target, key).status == status, target
    assert wire.call(port, "POST", "/metrics", key, b"").status == 405
    assert wire.call(port, "HEAD", "/metrics").status == 200


@pytest.mark.threads
def test_a_recordings_life_and_its_plays_are_counted(world, provider, server):
    business = world.business(provider)
    before = server.figures()
    tape = provider.tape(seconds=3)
    gate = threading.Event()
    tape.acts = [p.status(404), *[p.status(500)] * 4, p.hold(gate)]
    business.webhook_add_call(server, tape.call_sid)
    assert business.webhook(server, "recording", {**business.recording_fields(tape), "AccountSid": p.sid("AC")}).status == 403
    business.tell(server, tape)
    world.pass_time_until(lambda: tape.downloads or len(tape.asks) == 6, within=120)
    url = f"/api/recordings/{tape.sid}"
    assert server.get(url + "/stream", business.viewer).status == 202
    assert server.get(url + "/stream", business.viewer).status == 202
    gate.set()
    world.wait_state(tape.sid)
    for n in range(20):
        assert server.get(url + "/stream", business.viewer, {"Range": f"bytes={n}-99"}).status == 206
    agent = business.key("agent")
    assert server.get(url + "/stream", agent).body == tape.mp3

    expected = {
        'callreel_plays_total{result="wait"}': 1,   # the viewer's playback is that of its first answer
        'callreel_plays_total{result="hit"}': 1,    # the agent's
        'callreel_cache_requests_total{result="hit"}': 21,
        'callreel_cache_requests_total{result="collapsed"}': 2,
        'callreel_fills_total{result="not_yet"}': 1,
        'callreel_fills_total{result="failed"}': 1,
        'callreel_fill_failures_total{code="provider_error"}': 1,
        'callreel_fills_total{result="ready"}': 1,
        'callreel_fill_seconds_count': 1,
        'callreel_fill_bytes_total': len(tape.mp3),
        'callreel_provider_requests_total{code="200"}': 1,
        'callreel_webhooks_total{kind="call",result="taken"}': 1,
        'callreel_webhooks_total{kind="recording",result="taken"}': 1,
        'callreel_webhooks_total{kind="recording",result="other_account"}': 1,
        'callreel_webhook_seconds_count': 2,
        'callreel_media_bytes_total': sum(100 - n for n in range(20)) + len(tape.mp3),
    }
    def counted():  # a fill is counted after its state is seen, an answer after its last byte is
        seen = changed(server, before)
        return {name: seen.get(name, 0) for name in expected}
    eventually(lambda: counted() == expected, 5, lambda: f"{expected}, not {counted()}")
    seen = changed(server, before)
    assert seen['callreel_provider_requests_total{code="404"}'] >= 1
    assert seen['callreel_provider_requests_total{code="500"}'] >= 1
    assert seen['callreel_deduplicated_total{reason="already_queued"}'] >= 1
    assert seen['callreel_log_lines_total{level="info"}'] >= 3
    eventually(lambda: server.figures()["callreel_listeners"] == 0)


def test_figures_of_the_database_are_fresh_and_left_out_when_they_can_not_be(world, provider, server):
    business = world.business(provider)
    ready, failing, waiting = (provider.tape() for _ in range(3))
    failing.default = p.status(400)
    waiting.default = p.status(404)
    for tape in (ready, failing, waiting):
        business.tell(server, tape)
    world.wait_state(ready.sid)
    world.wait_state(failing.sid, "failed")
    eventually(lambda: waiting.asks)
    expected = {'callreel_recordings{status="ready"}': 1, 'callreel_recordings{status="failed"}': 1,
                'callreel_recordings{status="queued"}': 1, 'callreel_recordings{status="missing"}': 0,
                'callreel_recordings_failed{code="provider_error"}': 1, "callreel_queue_depth": 1, "callreel_workers": 1,
                "callreel_store_bytes": len(ready.mp3), "callreel_accounts_stopped": 0, "callreel_database_up": 1,
                "callreel_ready": 1}

    def agrees():
        figures = server.figures()
        return {name: figures.get(name) for name in expected} == expected
    world.pass_time_until(agrees, step=1, within=20)
    assert server.figures()["callreel_queue_oldest_seconds"] > 0
    assert server.figures()["callreel_store_free_bytes"] > 1e6

    alter(world, "alter table recording_totals rename to hidden")
    world.pass_time_until(lambda: "callreel_queue_depth" not in server.figures(), step=2, within=40)
    assert not [name for name in server.figures() if name.startswith("callreel_recordings{")]
    alter(world, "alter table hidden rename to recording_totals")


def test_counts_of_states_follow_every_write(world, provider, server):
    business = world.business(provider)
    tapes = [provider.tape() for _ in range(12)]
    for n, tape in enumerate(tapes):
        tape.default = [p.whole, p.status(400), p.status(403)][n % 3]
        business.tell(server, tape, "absent" if n == 3 else "completed")
    world.wait_state(tapes[0].sid)
    eventually(lambda: len(tapes[1].asks))
    for tape in tapes:
        server.post(f"/api/recordings/{tape.sid}/retry", business.key("agent"))
    counted = """select status, iif(status = 'failed', coalesce(error_code, ''), ''), count(*),
                 sum(iif(status = 'ready', bytes, 0)) from recordings group by 1, 2 order by 1, 2"""
    kept = "select status, code, sum(n), sum(bytes) from recording_counts where n <> 0 group by 1, 2 order by 1, 2"
    total = "select status, code, n, bytes from recording_totals where n <> 0 order by 1, 2"

    def agree():
        rows = [[tuple(row.values()) for row in world.sql(sql)] for sql in (counted, kept, total)]
        return rows[0] == rows[1] == rows[2]
    eventually(agree, 5)
    server.stop()
    assert agree()
    world.done("business", "remove", str(business.id), "--purge")
    assert agree()


def test_no_figure_tells_of_anybody(world, provider, server):
    business = world.business(provider, name="Quietly & Sons", number="+15005550100")
    tape = provider.tape()
    business.webhook_add_call(server, tape.call_sid)
    business.tell(server, tape)
    world.wait_state(tape.sid)
    server.get(f"/api/recordings/{tape.sid}/stream", business.viewer, MEDIA)
    text = server.get("/metrics", world.platform_key).body.decode()
    assert not re.search(r"\b(CA|RE|AC|SK)[0-9a-f]{32}\b|\+\d{6,}|Quietly|cr_", text)
    for secret in world.secrets:
        assert secret not in text
    if shutil.which("promtool"):
        check = subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True, text=True)
        assert (check.returncode, check.stdout + check.stderr) == (0, "")


@pytest.mark.threads
def test_who_looks_until_the_end_does_not_disturb_it(world):
    """Inside, health is asked for and figures are scraped while the process lets go of what they are read from."""
    for number in range(5):
        server = world.server(f"server{number}", ADMIN_LISTEN="127.0.0.1:0")
        port = int(re.search(r"admin=127\.0\.0\.1:(\d+)", server.log()).group(1))
        begun = threading.Barrier(4, timeout=30)

        def look(target):
            with wire.Connection(port) as connection:
                assert connection.call("GET", target).status == 200
                begun.wait()
                while True:
                    try:
                        connection.call("GET", target)
                    except (OSError, wire.Closed):
                        return  # the end
        lookers = [threading.Thread(target=look, args=(target,), daemon=True) for target in ("/readyz", "/metrics", "/readyz")]
        for looker in lookers:
            looker.start()
        begun.wait()
        server.stop()
        for looker in lookers:
            looker.join(30)
            assert not looker.is_alive()
