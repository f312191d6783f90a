"""The log: few lines, the phrases that operators grep, and no secrets."""
import json
import re
import threading

import pytest

import provider as p
from callreel import eventually

pytestmark = pytest.mark.sanitized
MEDIA = {"Range": "bytes=0-"}


def begin(world, provider, **settings):
    server = world.server(**settings)
    business = world.business(provider)
    return server, business


def info_lines(server):
    return [line for line in server.log_lines() if "level=debug" not in line]


def test_a_recordings_life_is_four_lines_and_a_playback_one(world, provider):
    server, business = begin(world, provider)
    first = len(info_lines(server))
    tapes = [provider.tape(seconds=1) for _ in range(20)]
    for tape in tapes:
        business.webhook_add_call(server, tape.call_sid)
        business.tell(server, tape, "in-progress")
        business.tell(server, tape)
        world.wait_state(tape.sid)
    server.wait_lines("Recording saved", len(tapes))
    life = info_lines(server)[first:]
    assert len(life) <= 4 * len(tapes), "\n".join(life[:8])
    for phrase in ("downloading from Twilio", "Recording saved"):
        assert sum(phrase in line for line in life) == len(tapes), phrase
    saved = next(line for line in life if "Recording saved" in line and tapes[0].sid in line)
    assert f"bytes={len(tapes[0].mp3)}" in saved and "seconds=" in saved
    # one playback: many requests of one key within ten minutes
    viewer, agent = business.viewer, business.key("agent")
    first = len(info_lines(server))
    for n in range(30):
        assert server.get(f"/api/recordings/{tapes[0].sid}/stream", viewer, {"Range": f"bytes={n}-"}).status == 206
    for n in range(5):
        server.get(f"/api/recordings/{tapes[0].call_sid}/stream", business.viewer)
    lines = info_lines(server)[first:]
    assert len(lines) == 1 and "Cache HIT" in lines[0] and "via=own" in lines[0], lines
    assert re.search(r"by=\"?key:\d+", lines[0]), lines[0]
    server.get(f"/api/recordings/{tapes[0].sid}/stream", business.key("agent"))  # another subject
    assert len(info_lines(server)[first:]) == 2
    # looks and lists: none
    first = len(info_lines(server))
    for _ in range(30):
        server.get("/api/calls", business.viewer)
        server.get(f"/api/calls/{tapes[1].call_sid}", business.viewer)
        server.get(f"/api/recordings/{tapes[1].sid}/status", business.viewer)
        server.get("/healthz")
        server.get("/api/nothing", business.viewer)
        server.get("/api/calls", "cr_wrong")
    lines = info_lines(server)[first:]  # one for the wrong key, however often it comes
    assert len(lines) <= 1 and all('msg="Credentials refused" reason=key' in line for line in lines), lines


def test_a_hit_tells_over_which_leg_it_was_found(world, provider):
    server, business = begin(world, provider)
    parents, childs = provider.tape(seconds=1), provider.tape(seconds=1)
    child, parent = p.sid("CA"), p.sid("CA")
    business.webhook_add_call(server, parents.call_sid)
    business.webhook_add_call(server, child, ParentCallSid=parents.call_sid)
    business.webhook_add_call(server, parent)
    business.webhook_add_call(server, childs.call_sid, ParentCallSid=parent)
    for tape in (parents, childs):
        business.tell(server, tape)
        world.wait_state(tape.sid)
    server.wait_lines("Recording saved", 2)
    for asked, via in ((child, "parent"), (parent, "child")):
        first = len(info_lines(server))
        assert server.get(f"/api/recordings/{asked}/stream", business.viewer).status == 200
        lines = [line for line in info_lines(server)[first:] if "Cache HIT" in line]
        assert len(lines) == 1 and f"via={via}" in lines[0], lines


def test_debug_tells_why_nothing_was_enqueued(world, provider):
    server, business = begin(world, provider, LOG_LEVEL="debug")
    tape = provider.tape(seconds=5)
    gate = threading.Event()
    tape.default = p.hold(gate)
    business.tell(server, tape, "in-progress")
    url = f"/api/recordings/{tape.sid}"
    assert server.get(url + "/stream", business.viewer).status == 202
    eventually(lambda: tape.asks)
    for _ in range(3):
        server.get(url + "/stream", business.viewer)
        server.post(url + "/prepare", business.viewer)
    assert "Cache miss" in server.log() and "Priority download job enqueued" in server.log()
    eventually(lambda: [line for line in server.log_lines("Deduplication skip") if "reason=" in line])
    gate.set()
    world.wait_state(tape.sid)
    server.get(url + "/stream", business.viewer)
    server.get(url + "/stream", business.viewer, MEDIA)
    assert server.log_lines("Cache HIT")


def test_a_slow_download_is_noticed(world, provider):
    server, business = begin(world, provider)
    tape = provider.tape(seconds=5)
    gate = threading.Event()
    tape.default = p.pause_at(8000, gate)
    business.tell(server, tape)
    eventually(lambda: world.state(tape.sid) == "downloading")
    assert not server.log_lines("Slow download detected")
    world.pass_time(11)
    lines = server.wait_lines("Slow download detected")  # while it still arrives
    assert "level=warn" in lines[0] and tape.sid in lines[0] and f"call={tape.call_sid}" in lines[0]
    assert world.state(tape.sid) == "downloading"
    gate.set()
    world.wait_state(tape.sid)
    server.wait_lines("Recording saved")
    assert len(server.log_lines("Slow download detected")) == 1


def why_of(line):
    return re.search(r'why="?(.*?)"?$', line).group(1)


def test_each_failure_has_a_line_with_its_reason_in_words(world, provider):
    server, business = begin(world, provider)
    gone, failing, absent = provider.tape(), provider.tape(), provider.tape()
    gone.default, failing.default = p.status(404), p.status(429)
    business.tell(server, gone, RecordingStartTime="Thu, 01 Aug 2024 04:20:56 +0000")
    business.tell(server, failing)
    business.tell(server, absent, "absent", ErrorCode="16102")
    business.tell(server, absent, "absent", ErrorCode="16102")  # a repeated webhook is not another failure
    foreign = provider.tape()
    business.tell(server, foreign, RecordingUrl="https://example.com/x")
    for tape, code, level in ((gone, "not_found_at_provider", "error"), (failing, "rate_limited", "warn"),
                              (absent, "absent_silent", "error"), (foreign, "forbidden_url", "error")):
        lines = eventually(lambda: [line for line in server.log_lines("Recording failed") if tape.sid in line])
        assert len(lines) == 1, lines
        assert f"level={level}" in lines[0] and f"code={code}" in lines[0], lines
        assert f"call={tape.call_sid}" in lines[0] and " " in why_of(lines[0]), lines
    assert not server.log_lines("error=ok")


def test_what_recordings_wait_for_is_logged_once(world, provider):
    web = world.server("web", "web")
    business = world.business(provider)
    world.pass_time(31)
    [line] = web.wait_lines("No worker is seen")
    assert "level=error" in line and "code=no_worker" in line and " " in why_of(line)
    provider.outage = p.status(401)
    worker = world.server("worker", "worker")
    tape = provider.tape()
    business.tell(web, tape)
    for server in (web, worker):  # each process says so
        [line] = server.wait_lines("Account stopped")
        assert "level=error" in line and f"business={business.id} code=auth_failed" in line and " " in why_of(line)
    assert web.wait_lines("A worker is seen again")
    provider.outage = None
    world.pass_time_until(lambda: world.state(tape.sid) == "ready", step=10, within=100)
    for server in (web, worker):
        assert len(server.wait_lines("Account goes on")) == 1
        assert len(server.log_lines("No worker is seen")) == (server is web)


def test_a_wait_that_ends_without_a_byte_is_noticed_once_a_minute(world, provider):
    server, business = begin(world, provider)
    tape = provider.tape()
    gate = threading.Event()
    tape.default = p.hold(gate)
    business.tell(server, tape)
    eventually(lambda: tape.asks)
    for _ in range(3):
        answer = server.get(f"/api/recordings/{tape.sid}/stream", business.viewer, {"Prefer": "wait=1", **MEDIA})
        assert answer.status == 202
    lines = server.wait_lines("Could not acquire lock")
    assert len(lines) == 1 and "level=warn" in lines[0] and f"call={tape.call_sid}" in lines[0], lines
    world.pass_time(61)
    server.get(f"/api/recordings/{tape.sid}/stream", business.viewer, {"Prefer": "wait=1", **MEDIA})
    assert len(server.wait_lines("Could not acquire lock", 2)) == 2
    gate.set()
    world.wait_state(tape.sid)


def test_foreign_text_cannot_write_a_line_of_its_own(world, provider):
    server, business = begin(world, provider, LOG_LEVEL="debug")
    evil = 'x"\nts=2020 level=error msg="forged"\r\n\x1b[31mend'
    business.webhook_add_call(server, p.sid("CA"), CallerName=evil, Odd=evil)
    tape = provider.tape()
    business.tell(server, tape, RecordingUrl="http://x/" + evil)
    business.webhook(server, "call", {**business.call_fields(p.sid("CA")), "AccountSid": evil})
    server.get("/api/calls?search=" + "%0ats=2020%20level=error%20msg=forged", business.viewer)
    server.get("/%0alevel=error%20msg=forged", business.viewer, [("User-Agent", "x\" level=error msg=forged")])
    assert not any(re.search(r"^ts=2020|^level=error", line) for line in server.log_lines())
    assert "\x1b" not in server.log() and "\x00" not in server.log()
    for line in server.log_lines():
        assert re.match(r"ts=\S+Z level=(debug|info|warn|error) msg=", line), line


def test_json_lines_are_json(world, provider):
    server = world.launch("json", LOG_FORMAT="json")
    port = server.listening_port(r'"address":"127\.0\.0\.1:(\d+)"')
    server.port = port
    business = world.business(provider)
    tape = provider.tape(seconds=1)
    business.tell(server, tape)
    world.wait_state(tape.sid)
    server.wait_lines("Recording saved")
    lines = [json.loads(line) for line in server.log_lines()]
    saved = next(line for line in lines if line["msg"] == "Recording saved")
    assert saved["level"] == "info" and saved["bytes"] == len(tape.mp3) and saved["recording"] == tape.sid
