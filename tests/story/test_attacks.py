"""Attacks by somebody with few rights, to get more rights, or to keep them for longer."""
import hashlib
import json
import re
import sqlite3
import threading
import time

import pytest

from callreel import PATIENCE, eventually
from test_endings import EVERYWHERE, cookie_by_link
from who import SECRET, bearer, problem
from who_stage import MEDIA, PATCH, Stage, link, press
from wire import at_once

URLS, SESSIONS = 100_000, 10_000


@pytest.fixture
def stage(world):
    return Stage(world)


def test_a_link_that_many_press_at_once_makes_one_session(stage):
    s = stage
    target = link(s, "--role", "admin")

    def use(_, ready):
        ready()
        return press(s, target).status
    statuses = at_once(24, use)
    assert sorted(statuses) == [303] + [401] * 23, statuses
    assert len(s.get("/api/sessions", bearer(s.a.key("admin")), 200).json()["sessions"]) == 1


def fill(world, business_id, key_id):
    """As many URLs and sessions as a business can have, without their tokens."""
    now = int(world.clock.now_ms())
    with sqlite3.connect(world.data_dir / "callreel.db", timeout=60) as db:
        db.execute("with recursive n(i) as (select 1 union all select i + 1 from n limit ?1) insert into urls select"
                   " printf('%016x', i), ?2, 'RE1', 'key:1', ?3, ?4, ?4 + 80000000 from n", (URLS, business_id, key_id, now))
        db.execute("with recursive n(i) as (select 1 union all select i + 1 from n limit ?1) insert into sessions (digest,"
                   " business_id, role, created_at, expires_at, made_by) select randomblob(32), ?2, 'viewer', ?3, ?3 + 40000000,"
                   " 'user:u' from n", (SESSIONS, business_id, now))
    db.close()


def test_all_of_a_hundred_thousand_urls_and_sessions_end_at_once_and_leave_room(world):
    s = Stage(world)
    web = world.server("web", "web", JWT_SECRET=SECRET)
    admin, agent = bearer(s.a.key("admin")), s.a.key("agent")
    url, cookie = s.sign(s.tape.sid), s.session(s.a.viewer)
    assert web.get(url).status == web.get("/api/session", headers=cookie).status == 200
    fill(world, s.a.id, None)
    answer = s.server.post(f"/api/recordings/{s.tape.sid}/url", agent)
    assert answer.status == 429 and "100,000" in answer.json()["detail"], answer
    assert s.server.metric("callreel_http_limited_total", world.platform_key, limit="urls") == 1
    assert s.server.post(f"/api/recordings/{s.tape.sid}/url", s.b.key("agent")).status == 404, "others have their own ceiling"
    assert len(s.get("/api/urls?limit=500", admin, 200).json()["urls"]) == 500
    for path, of_mine, kept in (("/api/urls", lambda server: server.get(url), "urls"),
                                ("/api/sessions", lambda server: server.get("/api/session", headers=cookie), "sessions")):
        s.get(path, admin, 204, method="DELETE")
        assert of_mine(s.server).status == 401
        eventually(lambda: of_mine(web).status == 401, EVERYWHERE)
        assert s.get(path, admin, 200).json()[kept] == []
    again = s.sign(s.tape.sid)
    assert s.get(again).status == web.get(again).status == 200
    assert s.get("/api/session", s.session(s.a.viewer), 200)


def test_what_a_revoked_key_made_ends_in_another_process_under_load(world):
    s = Stage(world)
    web = world.server("web", "web", JWT_SECRET=SECRET)
    made = json.loads(world.done("key", "create", "--json", "--business", s.a.id, "--role", "agent"))
    world.secrets.add(made["key"])
    assert s.get("/api/calls", bearer(made["key"])).status == 200
    url, cookie = s.sign(s.tape.sid, key=made["key"]), s.session(made["key"])
    uses = [lambda: web.get(url, headers=MEDIA).status, lambda: web.get("/api/session", headers=cookie).status,
            lambda: web.get("/api/calls", made["key"]).status, lambda: s.server.get(url, headers=MEDIA).status]
    seen, ending = [[] for _ in uses], threading.Event()

    def use(i, ready):
        if i == len(uses):
            ready()
            eventually(lambda: all(len(answers) > 20 for answers in seen), 20)
            world.done("key", "revoke", made["key_id"])
            revoked = time.monotonic()
            eventually(lambda: all(answers[-1][1] == 401 for answers in seen), EVERYWHERE)
            time_in_force = time.monotonic()
            eventually(lambda: all(sum(at > time_in_force for at, _ in answers) > 50 for answers in seen), 20)
            ending.set()
            return revoked
        ready()
        while not ending.is_set():
            seen[i].append((time.monotonic(), uses[i]()))
    revoked = at_once(len(uses) + 1, use)[-1]
    for answers in seen:
        assert {status for _, status in answers} <= {200, 206, 401}
        late = [status for at, status in answers if at > revoked + EVERYWHERE * PATIENCE]
        assert set(late) <= {401}, late
        first = next(i for i, (_, status) in enumerate(answers) if status == 401)
        assert answers[0][1] in (200, 206) and first > 0


def test_settings_of_a_business_are_its_admins_alone(stage):
    s = stage
    body = json.dumps({"credentials": {"account_sid": s.a.account_sid, "auth_token": ["x" * 32]}, "numbers": ["+15550199"]}).encode()

    def change(headers):
        return s.server.call("PATCH", "/api/business", {**headers, **PATCH}, body)
    platform = bearer(s.world.platform_key)
    assert change({}).status == 401
    for role in ("viewer", "agent"):
        assert change(bearer(s.a.key(role))).status == change(s.session(s.a.key(role))).status == 403
    assert change({**s.session(s.a.key("admin")), "Origin": "https://evil.example"}).status == 403
    assert change(platform).status == 400 and change({**platform, "X-Business-Id": "999"}).status == 404
    before = s.world.sql("select * from businesses where business_id = ?", s.a.id)
    change({**bearer(s.b.key("admin")), "X-Business-Id": str(s.a.id)})
    assert s.world.sql("select * from businesses where business_id = ?", s.a.id) == before, "another's admin changes its own alone"


def test_no_answer_has_a_secret_or_what_it_is_kept_as(stage):
    s = stage
    admin, cookie, url = bearer(s.a.key("admin")), cookie_by_link(s, "--role", "admin"), s.sign(s.tape.sid)
    secrets = [s.a.key(role) for role in ("viewer", "agent", "admin") if role in s.a.keys] + [cookie["Cookie"].split("=", 1)[1], s.a.token]
    kept = [hashlib.sha256(secret.encode()).hexdigest() for secret in secrets]
    said = "".join(s.get(path, admin, 200).body.decode() for path in (
        "/api/keys", "/api/sessions", "/api/urls", "/api/setup", "/api/session", "/api/stats", "/api/calls", "/api/calls.csv"))
    said += s.server.get("/metrics", s.world.platform_key).body.decode() + s.server.get("/readyz").body.decode()
    for secret in [*secrets, *kept, url.split("sig=")[1]]:
        assert secret not in said
    assert not re.search(r"\b[0-9a-f]{64}\b", said), "a digest"
    command_line = open(f"/proc/{s.server.pid}/cmdline").read()
    assert not any(secret in command_line for secret in s.world.secrets)


def test_ids_of_another_business_are_unknown_ones_byte_for_byte(stage):
    s = stage
    of_b, key_of_b = bearer(s.b.key("admin")), s.world.sql("select key_id from keys where business_id = ?", s.b.id)[0]["key_id"]
    s.session(s.a.viewer), s.sign(s.tape.sid)
    rows = s.get("/api/sessions", bearer(s.a.key("admin")), 200).json()["sessions"]
    url_id = s.get("/api/urls", bearer(s.a.key("admin")), 200).json()["urls"][0]["url_id"]
    of_a = s.world.sql("select key_id from keys where business_id = ?", s.a.id)[0]["key_id"]

    def bare(answer):
        assert answer.status == 404, answer
        return [header for header in answer.headers if header[0] != "date"], answer.body
    for theirs, nobodys in ((f"/api/sessions/{rows[0]['session_id']}", "/api/sessions/" + "0" * 16), (f"/api/urls/{url_id}", "/api/urls/" + "0" * 16),
                            (f"/api/keys/{of_a}", f"/api/keys/{10 ** 6 + key_of_b}")):
        answers = [bare(s.get(target, of_b, method="DELETE")) for target in (theirs, nobodys)]
        assert answers[0] == answers[1], theirs
    s.get("/api/keys", bearer(s.a.viewer), 403)
    note = s.note(s.a.key("admin"))
    path = f"/api/recordings/{s.tape.sid}/notes/"
    assert bare(s.server.call("DELETE", path + str(note), of_b)) == bare(s.server.call("DELETE", path + "999999", of_b))
    problem(s.server.call("PATCH", path + str(note), {**of_b, **PATCH}, b'{"text":"mine"}'), 404)
