"""The budget of log lines for many recordings, and that no secret is stored in plain text or printed."""
import base64
import re

import pytest

import provider as p
from callreel import eventually
from wire import Connection, at_once

ARRIVE, PEOPLE, RANGES = 25, 50, 20


def shown(server):
    """The lines that an operator sees at info."""
    return [line for line in server.log_lines() if "level=debug" not in line]


def test_arrivals_cost_four_lines_plays_one_and_looks_none(world, provider):
    server = world.server()
    business = world.business(provider)
    keys = [business.key() for _ in range(PEOPLE)]
    tapes = [provider.tape(seconds=1 + n % 3) for n in range(ARRIVE)]

    before = len(shown(server))

    def arrive(n, ready):
        ready()
        business.webhook_add_call(server, tapes[n].call_sid, "ringing")
        business.webhook_add_call(server, tapes[n].call_sid)
        business.tell(server, tapes[n], "in-progress")
        for _ in range(3):
            business.tell(server, tapes[n])
    at_once(ARRIVE, arrive)
    for tape in tapes:
        world.wait_state(tape.sid)
    eventually(lambda: len(server.log_lines("Recording saved")) == ARRIVE)
    arrived = shown(server)[before:]
    for tape in tapes:
        own = [line for line in arrived if tape.sid in line or tape.call_sid in line]
        assert len(own) <= 4, own
    assert len(arrived) <= 4 * ARRIVE

    before = len(shown(server))

    def look(n, ready):
        with Connection(server.port, timeout=60) as person:
            auth = {"Authorization": f"Bearer {keys[n]}"}
            ready()
            assert len(person.call("GET", "/api/calls?limit=100", auth).json()["calls"]) == ARRIVE
            for tape in tapes:
                assert person.call("GET", f"/api/recordings/{tape.sid}/status", auth).json()["status"] == "ready"
                assert person.call("GET", f"/api/calls/{tape.call_sid}", auth).status == 200
    at_once(PEOPLE, look)
    assert shown(server)[before:] == []

    def play(n, ready):
        tape = tapes[n]
        with Connection(server.port, timeout=60) as person:
            auth = {"Authorization": f"Bearer {keys[n]}"}
            ready()
            for i in range(RANGES):
                at = i * len(tape.mp3) // RANGES
                answer = person.call("GET", f"/api/recordings/{tape.sid}/stream", {**auth, "Range": f"bytes={at}-{at + 499}"})
                assert answer.status == 206 and answer.body == tape.mp3[at:at + 500]
    at_once(ARRIVE, play)
    played = shown(server)[before:]
    assert len(played) == ARRIVE, played
    for tape in tapes:
        assert len([line for line in played if "Cache HIT" in line and tape.sid in line]) == 1


def test_refused_webhooks_do_not_flood_the_log(world, provider):
    server = world.server()
    a, b = world.business(provider, "A"), world.business(world.provider(), "B")
    world.pass_time(61)  # a minute later the refusals no longer count
    before = len(shown(server))
    for _ in range(100):
        for business in (a, b):
            fields = business.call_fields(p.sid("CA"))
            target, headers, body = business.signed(server.port, "call", fields, token="0" * 32)
            assert server.call("POST", target, headers, body).status == 403
            assert server.call("POST", target, [("Content-Type", "text/plain"), headers[-1]], body).status == 415
        assert server.call("POST", "/webhooks/twilio/999/call", headers, body).status == 404
    lines = shown(server)[before:]
    assert len(lines) == 5 and all("Webhook refused" in line and "reason=" in line for line in lines), lines
    world.pass_time(61)
    server.call("POST", target, headers, body)
    assert len(shown(server)[before:]) == 6


@pytest.mark.parametrize("level", ["info", "debug"])
def test_no_secret_is_kept_or_shown(world, provider, level):
    jwt_secret = "jwt-secret-of-more-than-thirty-two-bytes-0123456789"
    signing = "url-signing-key-0123456789abcdef0123456789"
    world.secrets |= {jwt_secret, signing}
    server = world.server(LOG_LEVEL=level, JWT_SECRET=jwt_secret, URL_SIGNING_KEY=signing, ADMIN_LISTEN="127.0.0.1:0")
    business = world.business(provider)
    tape, failing = provider.tape(), provider.tape()
    failing.default = p.status(401)
    business.webhook_add_call(server, tape.call_sid)
    for one in (tape, failing):
        business.tell(server, one)
    world.wait_state(tape.sid)
    world.wait_state(failing.sid, "failed")
    sent = {business.viewer, business.key("agent"), world.platform_key}
    signatures, bodies = set(), []
    forged = "eyJhbGciOiJIUzI1NiJ9.eyJidXNpbmVzc19pZCI6MSwiZXhwIjo5OTk5OTk5OTk5fQ.c2lnbmF0dXJlLW9mLW5vYm9keQ"
    for n, credential in enumerate([*sent, forged, "cr_wrong-but-somebodys-secret"]):
        sent.add(credential)
        for target in ("/api/calls", "/api/calls?cursor=%00", f"/api/recordings/{tape.sid}/stream", "/api/recordings/xx/status",
                       f"/api/recordings/{failing.sid}/stream", "/nothing", "/metrics", "/api/calls?limit=x"):
            for headers in ([("Authorization", f"Bearer {credential}")], [("Authorization", f"Bearer {credential} x")],
                            [("Cookie", f"callreel={credential}")], [("Authorization", f"Basic {credential}")]):
                answer = server.get(target, headers=headers)
                bodies.append(repr(answer.headers).encode() + answer.body)
        secret = f"c2lnbmVkLWJ5LW5vYm9keS{n}"
        sent.add(secret)
        bodies.append(server.get(f"/api/recordings/{tape.sid}/stream?sig={secret}&token={secret}&exp=1").body)
        bodies.append(server.get(f"/signin?token={secret}").body)
    made = server.post(f"/api/recordings/{tape.sid}/url", business.key("admin"))
    if made.status == 200:
        query = made.json()["url"].split("?")[1]
        signatures |= {value for value in re.split("[&=]", query) if len(value) >= 20}
        assert server.get(f"/api/recordings/{tape.sid}/stream?{query}").status == 200
    fields = business.call_fields(p.sid("CA"))
    target, headers, body = business.signed(server.port, "call", fields)
    signatures |= {value for name, value in headers if name.lower() == "x-twilio-signature"}
    assert server.call("POST", target, headers, body).status == 204
    bodies.append(server.call("POST", target + "?x", headers, body).body)
    bodies.append(server.get("/metrics", world.platform_key).body)
    world.run("status"), world.run("business", "list", "--json"), world.run("key", "list"), world.run("check")
    server.stop()

    kept = {path.name: path.read_bytes() for path in world.data_dir.rglob("*") if path.is_file() and path.name != "secrets.key"}
    everything = {**kept, "log": server.log().encode(), "answers": b"\n".join(bodies)}
    assert any(name.endswith(".db") for name in kept)
    for secret in world.secrets | sent | signatures:
        forms = {secret.encode(), base64.b64encode(secret.encode()).rstrip(b"=")}
        if re.fullmatch("[0-9a-f]{32,}", secret):
            forms.add(bytes.fromhex(secret))
        for where, text in everything.items():
            for form in forms:
                assert form not in text, f"{secret[:12]}… stands in {where}"
    key = (world.data_dir / "secrets.key").read_bytes()
    assert all(key not in text for text in everything.values())
