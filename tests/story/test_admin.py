"""An admin of a business uses the API: finds missing settings, makes keys and sign-in links, changes the business."""
import datetime
import json
import re
import threading

import pytest

import provider as p
from callreel import eventually
from events import Stream
from test_endings import told
from who import SECRET, bearer, cookie_of, problem
from who_stage import MEDIA, Stage, press

JSON = {"Content-Type": "application/json"}


@pytest.fixture
def stage(world):
    return Stage(world)


def ask(s, method, target, body=None, status=200, by=None):
    text = None if body is None else json.dumps(body).encode()
    answer = s.server.call(method, target, {**bearer(by or s.a.key("admin")), **JSON}, text)
    assert answer.status == status, answer
    return answer.json() if answer.body else None


# ---- keys ----

@pytest.mark.sanitized
def test_a_key_is_made_shown_once_listed_used_and_revoked(world):
    s = Stage(world)
    made = ask(s, "POST", "/api/keys", {"role": "agent", "name": "Desk", "expires_at": None}, 201)
    world.secrets.add(made["key"])
    assert set(made) == {"key", "key_id", "role", "business_id", "name", "expires_at"}, made
    assert (made["role"], made["business_id"], made["name"], made["expires_at"]) == ("agent", s.a.id, "Desk", None)
    row = next(row for row in ask(s, "GET", "/api/keys")["keys"] if row["key_id"] == made["key_id"])
    assert set(row) == {"key_id", "role", "name", "made_by", "created_at", "expires_at", "last_used_at"}
    assert re.fullmatch(r"key:\d+", row["made_by"]) and row["last_used_at"] is None
    assert s.get("/api/calls", bearer(made["key"])).status == 200

    def used():
        return next(row for row in ask(s, "GET", "/api/keys")["keys"] if row["key_id"] == made["key_id"])["last_used_at"]
    first = eventually(used, 5)
    world.clock.advance(1800)
    s.get("/api/calls", bearer(made["key"]), 200)
    assert used() == first, "written once an hour"
    world.clock.advance(1900)
    s.get("/api/calls", bearer(made["key"]), 200)
    eventually(lambda: used() > first, 5)
    problem(s.get(f"/api/keys/{made['key_id']}", bearer(s.b.key("admin")), method="DELETE"), 404)
    ask(s, "DELETE", f"/api/keys/{made['key_id']}", None, 204)
    eventually(lambda: s.get("/api/calls", bearer(made["key"])).status == 401, 2)
    problem(s.get(f"/api/keys/{made['key_id']}", bearer(s.a.key("admin")), method="DELETE"), 404)
    assert made["key_id"] not in [row["key_id"] for row in ask(s, "GET", "/api/keys")["keys"]]
    for phrase in ("Key made", "Key revoked"):
        lines = [line for line in s.server.log_lines(f'msg="{phrase}"') if f"key={made['key_id']} " in line]
        assert len(lines) == 1 and re.search(r"by=key:\d+", lines[0]), lines


def test_what_a_key_can_not_be(stage):
    s = stage
    for body, field in (({"role": "platform"}, "role"), ({"role": 7}, "role"), ({"name": "x" * 101}, "name"), ({"a": 1}, "a"),
                        ({"expires_at": "tomorrow"}, "expires_at"), ({"expires_at": "2001-01-01T00:00:00Z"}, "expires_at")):
        answer = s.server.call("POST", "/api/keys", {**bearer(s.a.key("admin")), **JSON}, json.dumps(body).encode())
        assert field in problem(answer, 400)["detail"], answer
    for body in (b"", b"[]", b"{", b'{"role":"viewer","role":"admin"}'):
        problem(s.server.call("POST", "/api/keys", {**bearer(s.a.key("admin")), **JSON}, body), 400)


def key_for_100_s(s, role):
    """A key that ends 100 s from now."""
    soon = datetime.datetime.fromtimestamp(s.world.clock.now_ms() / 1000 + 100, datetime.timezone.utc)
    made = json.loads(s.world.done("key", "create", "--business", s.a.id, "--role", role, "--expires",
                                   soon.strftime("%Y-%m-%dT%H:%M:%SZ"), "--json"))
    s.world.secrets.add(made["key"])
    assert s.get("/api/calls", bearer(made["key"])).status == 200
    return made


def test_a_key_ends_at_its_time_with_its_sessions(world):
    s = Stage(world)
    ends = "2100-01-01T00:00:00Z"
    assert ask(s, "POST", "/api/keys", {"expires_at": ends}, 201)["expires_at"] == ends
    made, others = key_for_100_s(s, "viewer"), s.sign(s.tape.sid)
    cookie = s.session(made["key"])
    world.clock.advance(101)
    problem(s.get("/api/calls", bearer(made["key"])), 401)
    problem(s.get("/api/session", cookie), 401)
    s.get(others, status=200)
    assert world.run("key", "create", "--business", s.a.id, "--expires", "soon").returncode == 2
    listed = json.loads(world.done("key", "list", "--json"))
    assert next(row for row in listed if row["key_id"] == made["key_id"])["expires_at"]


def test_a_key_ends_at_its_time_with_the_links_and_urls_that_it_made(world):
    """Also where a loop remembers them."""
    s = Stage(world)
    own = key_for_100_s(s, "admin")["key"]
    links = [ask(s, "POST", "/api/signin-links", {"role": "agent"}, 201, own)["url"] for _ in range(2)]
    world.secrets.update(link.partition("token=")[2] for link in links)
    cookie = {"Cookie": cookie_of(press(s, links[0]))}
    world.secrets.add(cookie["Cookie"].split("=", 1)[1])
    by_session = s.server.post(f"/api/recordings/{s.tape.sid}/url?ttl=86400", headers=cookie).json()["url"]
    world.secrets.add(by_session.split("sig=")[1])
    urls = [s.sign(s.tape.sid, ttl=86400, key=own), by_session]
    stream = Stream(s.server, headers=cookie)
    for _ in range(8):  # on each loop
        for target, headers in (("/api/session", cookie), (urls[0], {}), (urls[1], {}), (urls[0], MEDIA)):
            assert s.get(target, headers).status in (200, 206)
    world.clock.advance(101)
    for _ in range(8):
        for target, headers in (("/api/session", cookie), (urls[0], {}), (urls[1], {}), (urls[0], MEDIA)):
            problem(s.get(target, headers), 401)
    assert press(s, links[1]).status == 401
    assert stream.ends(2) is not False


# ---- sign-in links ----

def test_an_admin_makes_a_link_that_ends_with_the_key_that_made_it(stage):
    s = stage
    own = json.loads(s.world.done("key", "create", "--json", "--business", s.a.id, "--role", "admin"))
    s.world.secrets.add(own["key"])
    eventually(lambda: s.get("/api/calls", bearer(own["key"])).status == 200, 2)
    made = [ask(s, "POST", "/api/signin-links", {"role": "agent"}, 201, own["key"]) for _ in range(2)]
    for link in made:
        s.world.secrets.add(link["url"].partition("token=")[2])
        assert set(link) == {"url", "role", "expires_at"} and link["role"] == "agent"
    answer = press(s, made[0]["url"])
    cookie = {"Cookie": cookie_of(answer)}
    s.world.secrets.add(cookie["Cookie"].split("=", 1)[1])
    assert s.get("/api/session", cookie, 200).json()["role"] == "agent"
    s.world.done("key", "revoke", own["key_id"])
    eventually(lambda: s.get("/api/session", cookie).status == 401, 2)
    assert press(s, made[1]["url"]).status == 401
    assert f"by=key:{own['key_id']} " in told(s, "Sign-in link made")
    problem(s.server.call("POST", "/api/signin-links", {**bearer(s.a.key("admin")), **JSON}, b'{"role":"owner"}'), 400)


# ---- the business ----

@pytest.mark.sanitized
@pytest.mark.threads
def test_credentials_are_tried_before_they_are_stored(world):
    at = world.simulator()
    server = world.server(JWT_SECRET=SECRET, TWILIO_BASE_URL=at.base_url)
    world.done("business", "add", "--name", "New")
    admin = world.make_key("--business", 1, "--role", "admin")

    def patch(body, status=200):
        answer = server.call("PATCH", "/api/business", {**bearer(admin), **JSON}, json.dumps(body).encode())
        assert answer.status == status, answer
        return answer.json()
    said = server.get("/api/setup", admin).json()
    assert said["credentials"] == "missing" and said["findings"][0]["code"] == "no_credentials", said
    wrong = patch({"credentials": {"account_sid": at.account_sid, "auth_token": "0" * 32}}, 400)
    assert wrong["code"] == "credentials_refused", wrong
    assert server.get("/api/setup", admin).json()["credentials"] == "missing", "nothing was changed"
    made = patch({"name": "Harbour", "numbers": ["+15550100", "+15550101"],
                  "credentials": {"account_sid": at.account_sid, "auth_token": [at.token, "1" * 32]}})
    assert made == {"business_id": 1, "name": "Harbour", "account_sid": at.account_sid, "has_auth_token": True, "api_key": None,
                    "credentials": "ok", "numbers": ["+15550100", "+15550101"], "retention_days": None,
                    "retention_metadata_days": 0, "transcribe": None, "language": None, "vocabulary": None, "default_language": "auto",
                    "transcribes": False,
                    "default_retention_days": 0}
    eventually(lambda: server.get("/api/setup", admin).json()["credentials"] == "ok", 10)
    assert server.get("/api/business", admin).json() == made
    assert patch({"name": "Port", "numbers": []})["numbers"] == []
    assert "business=1 by=key:1" in server.wait_lines('msg="Settings changed"', 2)[-1]
    for bad in ({"name": ""}, {"numbers": ["x"]}, {"numbers": 7}, {"credentials": 7}, {"credentials": {"a": 1}}, {"other": 1},
                {"credentials": {"account_sid": "AC1"}}, {"credentials": {"api_key": "SK" + "0" * 32}},
                {"credentials": {"auth_token": []}}, {"credentials": {"auth_token": ["a", "b", "c"]}}, {"name": 7}):
        patch(bad, 400)
    for days in (30, 0, None):
        said = patch({"retention_days": days})
        assert said["retention_days"] == days and said["default_retention_days"] == 0
    for bad in (-1, 36501, 1.5, "30", True, [30]):
        patch({"retention_days": bad}, 400)
    viewer = world.make_key("--business", 1, "--role", "agent")
    problem(server.call("PATCH", "/api/business", {**bearer(viewer), **JSON}, b"{}"), 403)


# ---- setup ----

def test_setup_says_what_is_missing_and_how_the_last_webhook_went(world):
    s = Stage(world)
    world.done("business", "add", "--name", "Quiet")
    said = ask(s, "GET", "/api/setup", by=world.make_key("--business", 3, "--role", "admin"))
    assert set(said) == {"findings", "webhook_urls", "last_webhook", "credentials"}
    assert said["last_webhook"] is None and said["credentials"] == "missing"
    assert [url.rsplit("/webhooks/", 1)[1] for url in said["webhook_urls"]] == ["twilio/3/call", "twilio/3/recording"]
    for finding in said["findings"]:
        assert set(finding) == {"level", "code", "text", "todo"} and finding["level"] in ("ok", "warn", "fail")
    assert "no_webhook" in [finding["code"] for finding in said["findings"]]

    def last(business):
        return ask(s, "GET", "/api/setup", by=business.key("admin"))["last_webhook"]
    s.b.webhook_add_call(s.server, p.sid("CA"))
    taken = eventually(lambda: last(s.b), 5)
    assert (taken["kind"], taken["result"], taken["reason"]) == ("call", "taken", None) and taken["at"].endswith("Z")
    world.clock.advance(2)
    assert s.b.webhook(s.server, "recording", {"AccountSid": s.b.account_sid, "a": "b"}, token="0" * 32).status == 403
    refused = eventually(lambda: last(s.b)["result"] == "refused" and last(s.b), 5)
    assert (refused["kind"], refused["reason"]) == ("recording", "bad_signature"), refused
    codes = {finding["code"]: finding["level"] for finding in ask(s, "GET", "/api/setup", by=s.b.key("admin"))["findings"]}
    assert codes["webhook_refused"] == "fail" and "no_webhook" not in codes, codes
    assert last(s.a)["result"] == "taken"


def test_a_flood_of_webhooks_writes_its_last_seldom(world, provider):
    server = world.server()
    business = world.business(provider)
    for _ in range(50):
        business.webhook_add_call(server, p.sid("CA"))
    key = business.key("admin")
    eventually(lambda: server.get("/api/setup", key).json()["last_webhook"], 5)
    (row,) = world.sql("select count(*) count from last_webhooks")
    assert row["count"] == 1


def test_stats_of_a_business(stage):
    s = stage
    told = s.get("/api/stats", bearer(s.a.key("admin")), 200).json()
    assert set(told) == {"recordings", "queue_depth", "queue_oldest_seconds", "hit_ratio", "bytes", "failures",
                         "retrying", "store_free_bytes", "store_reserved_bytes"}
    assert told["store_free_bytes"] > 0 and told["store_reserved_bytes"] == 0
    assert told["recordings"] == {"missing": 1, "queued": 0, "downloading": 0, "ready": 2, "failed": 0, "expired": 0}
    assert told["bytes"] == len(s.tape.mp3) + len(s.twin.mp3) and told["failures"] == {}
    assert (told["queue_depth"], told["queue_oldest_seconds"], told["hit_ratio"]) == (0, None, 1)
    lost = p.sid("RE")
    fields = {"AccountSid": s.a.account_sid, "CallSid": p.sid("CA"), "RecordingSid": lost, "RecordingStatus": "absent",
              "RecordingUrl": ""}
    assert s.a.webhook(s.server, "recording", fields).status == 204
    told = s.get("/api/stats", bearer(s.a.key("admin")), 200).json()
    assert told["recordings"]["failed"] == 1 and sum(told["failures"].values()) == 1
    s.get(f"/api/recordings/{lost}/stream", bearer(s.a.viewer), 404)
    told = s.get("/api/stats", bearer(s.a.key("admin")), 200).json()
    assert told["hit_ratio"] == 0.5
    empty = s.get("/api/stats", bearer(s.b.key("admin")), 200).json()
    assert empty["recordings"]["ready"] == 0 and empty["bytes"] == 0 and empty["hit_ratio"] is None


def test_a_business_whose_provider_is_slow_leaves_room_for_others_credentials(world, provider):
    server = world.server(JWT_SECRET=SECRET)
    slow, other = world.business(provider, "Slow"), world.business(world.provider(), "Other")
    gate, asked = threading.Event(), []

    def outage(ask):
        asked.append(ask.path)
        return p.hold(gate, p.status(401))(ask)
    provider.outage = outage

    def patch(business, token):
        body = {"credentials": {"account_sid": business.account_sid, "auth_token": token}}
        return server.call("PATCH", "/api/business", {**bearer(business.key("admin")), **JSON}, json.dumps(body).encode(), timeout=60)
    answers = []
    threads = [threading.Thread(target=lambda: answers.append(patch(slow, "0" * 32).status)) for _ in range(2)]
    slow.key("admin")
    for thread in threads:
        thread.start()
    eventually(lambda: len(asked) == 2, 10)
    third = patch(slow, "0" * 32)
    assert third.status == 429 and "being tried" in third.json()["detail"], third
    assert patch(other, "0" * 32).json()["code"] == "credentials_refused"
    gate.set()
    for thread in threads:
        thread.join()
    assert answers == [400, 400]
    assert patch(slow, "0" * 32).json()["code"] == "credentials_refused", "there is room again"
