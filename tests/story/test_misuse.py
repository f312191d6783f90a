"""Settings, requests and people that do what they should not."""
import json

import pytest

from callreel import eventually
from who import bearer, sign_in

pytestmark = pytest.mark.sanitized

# Settings that only the module that uses them can judge.
UNSERVABLE = [
    ("FRAME_ANCESTORS", "x; script-src *"),
    ("FRAME_ANCESTORS", "'none' https://app.example"),
    ("JWT_PUBLIC_KEY_FILE", "/etc/hostname"),
    ("PUBLIC_BASE_URL", "https://calls.example/a;b"),
    ("PUBLIC_BASE_URL", "https://calls.example/a%20b"),
    ("PUBLIC_BASE_URL", "https://calls.example/a/../b"),
    ("PUBLIC_BASE_URL", "https://calls.example/a//b"),
    ("PUBLIC_BASE_URL", "https://calls.example/" + "a" * 600),
]


def test_the_doctor_finds_every_setting_that_a_server_refuses(world):
    for name, value in UNSERVABLE:
        served = world.run("serve", env={name: value})
        assert served.returncode == 1 and f"{name}: " in served.stderr, (name, value, served)
        looked = world.run("check", "--json", env={name: value})
        findings = [f for f in json.loads(looked.stdout)["findings"] if f["level"] == "FAIL"]
        assert looked.returncode == 1 and findings[0]["about"] == "settings", (name, value, findings)
        assert findings[0]["finding"].startswith(f"{name}: "), (name, value, findings)
    assert not world.database.exists(), "a setting is refused before anything is made"


@pytest.mark.threads
def test_who_signs_in_again_and_again_signs_out_nobody_else(world, provider):
    servers = [world.server("one"), world.server("two", "web")]
    business = world.business(provider)
    admin, first = (sign_in(servers[0], business.key(role)) for role in ("admin", "viewer"))
    assert all(server.get("/api/session", headers=first).status == 200 for server in servers)
    with servers[0].connect() as connection:
        for _ in range(100):
            assert connection.call("POST", "/api/session", bearer(business.viewer)).status == 204
    eventually(lambda: all(server.get("/api/session", headers=first).status == 401 for server in servers), 2,
               "the oldest of its own has ended, in every process")
    assert all(server.get("/api/session", headers=admin).status == 200 for server in servers)


def test_a_parameter_that_is_given_twice_is_refused_by_its_name(world, provider):
    server, business = world.server(), world.business(provider)
    tape = provider.tape()
    business.tell(server, tape)
    world.wait_state(tape.sid)
    admin = business.key("admin")
    recording, call = f"/api/recordings/{tape.sid}", f"/api/calls/{tape.call_sid}"
    twice = [("DELETE", recording, "at_provider", "1", "0"), ("DELETE", call, "at_provider", "0", "0"),
             ("POST", recording + "/retry", "force", "1", ""), ("POST", recording + "/transcribe", "force", "0", "1"),
             ("POST", recording + "/url", "ttl", "60", "86400"), ("POST", "/api/recordings/retry", "code", "timeout", "truncated"),
             ("GET", recording + "/transcript", "format", "txt", "srt"), ("GET", recording + "/transcript", "version", "1", "2"),
             ("GET", "/api/holds", "cursor", "1", "2"), ("GET", "/api/urls", "cursor", "a", "b"),
             ("GET", "/api/audit", "action", "play", "delete"),
             ("GET", "/api/audit.csv", "since", "2026-01-01", "2026-02-01"), ("GET", "/api/events", "after", "1", "2"),
             ("GET", "/api/calls.csv", "ref", "a", "b"), ("GET", "/api/calls", "tag", "a", "b"), ("GET", "/api/calls", "limit", "1", "2")]
    for method, path, name, one, other in twice:
        answer = server.call(method, f"{path}?{name}={one}&x=1&{name}={other}", {}, None, admin)
        assert answer.status == 400 and name in answer.json()["detail"], (method, path, answer, answer.body)
    assert server.get("/api/calls?x=1&x=2&limit=1", admin).status == 200, "unknown ones are ignored"
    assert world.state(tape.sid) == "ready" and server.get(call, admin).status == 200


def test_holds_and_erasures_take_nothing_but_json_and_a_reason_that_says_something(world, provider):
    server, business = world.server(), world.business(provider)
    tape, number = provider.tape(), "+15005550111"
    world.private.add(number)
    business.tell(server, tape)
    world.wait_state(tape.sid)
    holds = [("PUT", f"/api/recordings/{tape.sid}/hold", {}), ("PUT", f"/api/calls/{tape.call_sid}/hold", {}),
             ("POST", "/api/holds", {"number": number})]
    asked = [*[(method, path, {**body, "reason": "Case 17"}) for method, path, body in holds], ("POST", "/api/erasure", {"number": number})]
    ask = lambda method, path, body, type="application/json": server.call(
        method, path, {"Content-Type": type} if type else {}, json.dumps(body).encode(), business.key("admin"))
    for method, path, body in asked:
        for type in ("text/plain", "application/x-www-form-urlencoded", None):
            assert ask(method, path, body, type).status == 415, (path, type)
    for method, path, body in holds:
        for reason in ("", "  ", "\t ", None):
            answer = ask(method, path, {**body, "reason": reason})
            assert answer.status == 400 and "reason" in answer.json()["detail"], (path, reason)
    for wrong in (1, "yes", [], {}):
        assert ask("POST", "/api/erasure", {"number": number, "at_provider": wrong}).status == 400, wrong
    assert not world.sql("select 1 from holds") and not world.sql("select 1 from erasures")
    assert ask("PUT", holds[0][1], {"reason": "Case 17"}, "application/json; charset=utf-8").status == 204
