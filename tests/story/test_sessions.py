"""Sessions, and the links that make them."""
import json
import re
import threading

import pytest

import provider as p
import wire
from callreel import eventually
from who import bearer, cookie_of, problem, sign_in
from who_stage import MEDIA, PATCH, Stage, link, press


@pytest.fixture
def stage(world):
    return Stage(world)


# ---- sessions ----

def test_a_token_of_sixteen_kilobytes_is_read_and_a_longer_one_is_told_so(stage):
    """The token of a host with many groups is large."""
    s = stage
    assert s.get("/api/calls", bearer(s.jwt(groups="g" * 11_900))).status == 200
    refused = s.get("/api/calls", bearer(s.jwt(groups="g" * 12_300)))
    assert refused.status == 401 and refused.json()["detail"] == "The token is longer than 16 KiB."


def test_a_session_is_its_credentials_and_no_more(stage):
    s = stage
    made = s.server.post("/api/session", headers=bearer(s.a.key("agent")))
    text = made.all("set-cookie")[0]
    assert re.fullmatch(r"callreel=[\w-]{43}; Path=/; HttpOnly; SameSite=Lax; Max-Age=43200", text), text
    cookie = {"Cookie": cookie_of(made)}
    said = s.get("/api/session", cookie, 200).json()
    assert (said["business_id"], said["role"]) == (s.a.id, "agent")
    s.get(f"/api/recordings/{s.tape.sid}/stream", {**cookie, **MEDIA}, 206)
    hit = s.server.log_lines("Cache HIT")[-1]
    assert re.search(r"\bby=key:\d+\b", hit), hit
    out = s.get("/api/session", cookie, 204, method="DELETE")
    assert "Max-Age=0" in out.all("set-cookie")[0] and out.all("set-cookie")[0].startswith("callreel=;")
    for _ in range(5):  # on any loop
        problem(s.get("/api/session", cookie), 401)
    user = s.session(s.jwt(sub="dana@example.com", lives=100))
    said = s.get("/api/session", user, 200).json()
    assert said["subject"] == "dana@example.com" and said["role"] == "viewer"
    s.get(f"/api/recordings/{s.twin.sid}/stream", user, 200)
    assert re.search(r"\bby=user:~[0-9a-f]{12}$", s.server.log_lines("Cache HIT")[-1])
    s.world.clock.advance(101)  # the JWT's exp, without leeway
    problem(s.get("/api/session", user), 401)
    s.world.clock.advance(12 * 3600)
    fresh = s.session(s.a.viewer)
    s.get("/api/session", fresh, 200)
    s.world.clock.advance(12 * 3600 - 5)
    s.get("/api/session", fresh, 200)
    s.world.clock.advance(10)
    problem(s.get("/api/session", fresh), 401)


def test_a_session_tells_to_what_one_is_signed_in(stage):
    s = stage
    cookie = s.session(s.a.viewer)
    assert s.get("/api/session?details=1", cookie, 200).json()["business"] == {"name": "A", "number_prefix": None, "transcribes": False}
    for numbers, prefix in ((["+97235550000"], "+97235550000"), (["+97235550000", "+972501234567"], "+972"), (["+97235550000", "+12025550100"], "+")):
        body = json.dumps({"name": "Clinic \"א\"", "numbers": numbers}).encode()
        s.get("/api/business", {**bearer(s.a.key("admin")), **PATCH}, 200, method="PATCH", body=body)
        said = {"name": 'Clinic "א"', "number_prefix": prefix, "transcribes": False}
        eventually(lambda: s.get("/api/session?details=1", cookie, 200).json()["business"] == said, 2)
    said = s.get("/api/session?details=1", cookie, 200).json()
    assert said["session_id"] in {row["session_id"] for row in s.get("/api/sessions", bearer(s.a.key("admin")), 200).json()["sessions"]}
    assert s.get("/api/session?details=1", bearer(s.a.viewer), 200).json()["session_id"] is None
    assert set(s.get("/api/session", cookie, 200).json()) == set(said) - {"business", "session_id"}
    problem(s.get("/api/session?details=2", cookie), 400)


def test_of_two_cookies_the_newer_session_counts_and_signing_out_ends_both(stage):
    s = stage
    older = s.session(s.a.viewer)
    s.world.clock.advance(60)
    newer = s.session(s.a.key("agent"))
    for pair in ([older, newer], [newer, older], [older, newer, {"Cookie": "callreel=" + "x" * 43}], [newer, newer]):
        both = {"Cookie": "; ".join(one["Cookie"] for one in pair)}
        assert s.get("/api/session", both, 200).json()["role"] == "agent", pair
        s.get(f"/api/recordings/{s.tape.sid}/stream", {**both, **MEDIA}, 206)
    assert s.get("/api/session", {"Cookie": older["Cookie"] + "; callreel=a b"}, 200).json()["role"] == "viewer"
    many = "; ".join(f"callreel={c * 43}" for c in "abcde")
    problem(s.get("/api/session", {"Cookie": many}), 401)
    out = s.get("/api/session", {"Cookie": f"{newer['Cookie']}; {older['Cookie']}"}, 204, method="DELETE")
    assert sorted("Partitioned" in line for line in out.all("set-cookie")) == [False, True]
    for cookie in (older, newer):
        problem(s.get("/api/session", cookie), 401)
    # the session that is left counts when the newer one has ended
    older, newer = s.session(s.a.viewer), s.session(s.a.viewer)
    s.get("/api/session", newer, 204, method="DELETE")
    s.get("/api/session", {"Cookie": f"{newer['Cookie']}; {older['Cookie']}"}, 200)


def test_a_user_is_told_by_an_id_and_never_by_a_number_or_an_address(stage):
    s = stage
    s.world.private.update({"dana@example.com", "Dana Levi", "15005550123"})

    def by(**more):
        s.get(f"/api/recordings/{s.tape.sid}/stream", {**bearer(s.jwt(**more)), **MEDIA}, 206)
        return re.search(r"\bby=(\S+)$", s.server.log_lines("Cache HIT")[-1]).group(1)
    assert by(sub="auth0|5f7c8ec7c33c6c0412345678") == "user:auth0|5f7c8ec7c33c6c0412345678"
    people = {by(sub=sub) for sub in ("dana@example.com", "Dana Levi", "+15005550123", "15005550123")}
    assert len(people) == 4 and all(re.fullmatch(r"user:~[0-9a-f]{12}", who) for who in people), people
    s.world.clock.advance(601)  # another playback of the same user
    assert by(sub="dana@example.com") in people


def test_a_platform_key_makes_no_session(stage):
    s = stage
    for headers in ({}, {"X-Business-Id": str(s.a.id)}):
        answer = s.server.post("/api/session", headers={**bearer(s.world.platform_key), **headers})
        problem(answer, 403)
        assert not answer.all("set-cookie")


def test_a_play_that_waits_is_not_answered_to_a_session_that_ended(world, provider):
    server = world.server(LOG_LEVEL="debug")
    business = world.business(provider)
    viewer = business.viewer
    cookie = sign_in(server, viewer)
    gate = threading.Event()
    tape = provider.tape(seconds=2)
    tape.acts = [p.hold(gate)]
    business.webhook_add_call(server, tape.call_sid)
    business.tell(server, tape)
    eventually(lambda: provider.asks)
    with server.connect() as waiting:
        waiting.ask("GET", f"/api/recordings/{tape.sid}/download", cookie)
        eventually(lambda: server.log_lines("Cache miss"))
        assert server.call("DELETE", "/api/session", cookie).status == 204
        gate.set()
        world.wait_state(tape.sid)
        assert waiting.read().status == 401
    assert server.get(f"/api/recordings/{tape.sid}/download", viewer).body == tape.mp3


# ---- links ----

def refused(answer):
    assert answer.status == 401 and answer.header("content-type").startswith("text/html"), answer
    assert answer.header("www-authenticate") == "Bearer" and answer.header("cache-control") == "no-store"
    assert answer.header("referrer-policy") == "no-referrer" and "frame-ancestors 'self'" in answer.header("content-security-policy")
    assert not answer.all("set-cookie")
    return answer.body.decode()


def test_a_link_signs_in_once_and_for_ten_minutes(stage):
    s = stage
    target = link(s, "--role", "admin")
    for method in ("HEAD", "GET", "HEAD", "GET"):  # a request that only looks at it leaves it unused
        looked = s.get(target, method=method, status=200)
        assert not looked.all("set-cookie") and looked.header("cache-control") == "no-store"
        policy = looked.header("content-security-policy")
        assert "default-src 'none'" in policy and "form-action 'self'" in policy and "script" not in policy, policy
    page = looked.body.decode()
    assert "<bdi>A</bdi> as admin" in page and "replaces" not in page and "<script" not in page
    answer = press(s, target)
    assert answer.status == 303, answer
    assert answer.header("location") == "/" and answer.header("referrer-policy") == "no-referrer"
    cookie = {"Cookie": cookie_of(answer)}
    s.world.secrets.add(cookie["Cookie"].split("=", 1)[1])
    said = s.get("/api/session", cookie, 200).json()
    assert (said["business_id"], said["subject"], said["role"]) == (s.a.id, None, "admin")
    s.get(f"/api/recordings/{s.tape.sid}/stream", cookie, 200)
    assert re.search(r"\bby=user:[0-9a-f]{8}\b", s.server.log_lines("Cache HIT")[-1])
    page = refused(press(s, target))
    assert 'name="key"' in page
    page = refused(s.get(target))
    assert "already used" in page and "נוצל" in page and 'dir="rtl"' in page
    assert refused(s.get(target, method="HEAD")) == ""
    late = link(s)
    s.world.clock.advance(601)
    refused(s.get(late))
    for odd in ("", "?token=", "?token=x", "?token=" + "x" * 43, "?token=" + "x" * 500, "?token=%zz"):
        refused(s.get("/signin" + odd))
    contested = link(s)
    answers = wire.at_once(8, lambda i, ready: (ready(), press(s, contested))[1])
    assert sorted(answer.status for answer in answers) == [303] + 7 * [401]


def test_a_links_page_says_whose_session_it_replaces(stage):
    s = stage
    target = link(s)
    there = s.session(s.jwt(business=s.b, sub="<i>dana</i>"))
    page = s.get(target, there, 200).body.decode()
    assert "replaces" in page and "&#60;i&#62;dana" in page and "<i>" not in page, page
    answer = press(s, target, there)
    assert answer.status == 303
    s.world.secrets.add(cookie_of(answer).split("=", 1)[1])


def test_no_other_site_can_press_the_button(stage):
    s = stage
    target = link(s)
    for headers in ({"Origin": "https://evil.example"}, {"Origin": "null"}, {"Sec-Fetch-Site": "cross-site"},
                    {"Sec-Fetch-Site": "same-site"}):
        problem(press(s, target, headers), 403)
    assert press(s, target, {"Content-Type": "text/plain"}).status == 415
    own = {"Origin": f"http://127.0.0.1:{s.server.port}", "Sec-Fetch-Site": "same-origin"}
    answer = press(s, target, own)
    assert answer.status == 303, answer
    s.world.secrets.add(cookie_of(answer).split("=", 1)[1])


def test_the_form_takes_a_key_without_script(stage):
    s = stage
    answer = press(s, "", key=f" {s.a.key('agent')} ")
    assert answer.status == 303 and answer.header("location") == "/", answer
    cookie = {"Cookie": cookie_of(answer)}
    s.world.secrets.add(cookie["Cookie"].split("=", 1)[1])
    assert s.get("/api/session", cookie, 200).json()["role"] == "agent"
    for wrong in ("cr_" + "x" * 43, s.world.platform_key, s.jwt(), "x"):
        assert "not valid" in refused(press(s, "", key=wrong))
    for body in ({"a": "b"}, {"token": "x"}, {"key": ""}):
        refused(press(s, "", **body))
