"""Every credential can be ended, by command and by API, in every process; and each ending is reported."""
import json
import os
import re
import threading

import pytest

import provider as p
from callreel import eventually
from events import Stream
from signing import form
from who import SECRET, bearer, cookie_of, problem
from who_stage import FORM, MEDIA, Stage, link, press

EVERYWHERE = 2


@pytest.fixture
def stage(world):
    return Stage(world)


def cookie_by_link(s, *options):
    answer = press(s, link(s, *options))
    assert answer.status == 303, answer
    cookie = {"Cookie": cookie_of(answer)}
    s.world.secrets.add(cookie["Cookie"].split("=", 1)[1])
    return cookie


def listed(s, what, business=None):
    return json.loads(s.world.done(what, "list", "--business", (business or s.a).id, "--json"))


def told(s, phrase, count=1):
    return s.server.wait_lines(f'msg="{phrase}"', count)[-1]


@pytest.mark.sanitized
@pytest.mark.threads
def test_a_session_is_listed_and_ends_by_its_id_with_its_streams(stage):
    s = stage
    by_link, by_key = cookie_by_link(s, "--role", "admin"), s.session(s.a.key("agent"))
    rows = listed(s, "session")
    assert {row["kind"] for row in rows} == {"session"} and len(rows) == 2, rows
    mine = next(row for row in rows if row["made_by"].startswith("link:"))
    assert set(mine) == {"id", "kind", "role", "subject", "made_by", "made_at", "expires_at"} and mine["role"] == "admin"
    assert re.fullmatch(r"key:\d+", next(row for row in rows if row is not mine)["made_by"])
    stream = Stream(s.server, headers=by_link)
    s.world.done("session", "revoke", mine["id"])
    assert stream.ends(EVERYWHERE) is not False
    eventually(lambda: s.get("/api/session", by_link).status == 401, EVERYWHERE)
    s.get("/api/session", by_key, 200)
    assert len(listed(s, "session")) == 1
    done = s.world.run("session", "revoke", mine["id"])
    assert done.returncode == 1 and "no session or link" in done.stderr


def test_a_link_is_listed_until_it_is_used_and_can_be_ended(stage):
    s = stage
    target = link(s, "--role", "agent")
    (row,) = listed(s, "session")
    assert (row["kind"], row["role"], row["made_by"]) == ("link", "agent", "command"), row
    s.world.done("session", "revoke", row["id"])
    assert s.get(target).status == press(s, target).status == 401
    assert listed(s, "session") == []


@pytest.mark.sanitized
@pytest.mark.threads
def test_an_admin_lists_and_ends_sessions_and_links_of_its_own_business(world):
    s = Stage(world)
    web = world.server("web", "web", JWT_SECRET=SECRET)
    admin, by_jwt, by_key = bearer(s.a.key("admin")), s.session(s.jwt(sub="u-7")), s.session(s.a.viewer)
    target, others = link(s, "--role", "agent"), s.session(s.b.viewer)
    rows = s.get("/api/sessions", admin, 200).json()["sessions"]
    assert [(row["kind"], row["role"], row["subject"]) for row in rows] == [
        ("session", "viewer", None), ("session", "viewer", "u-7"), ("link", "agent", None)], rows
    assert all(set(row) == {"session_id", "kind", "role", "subject", "made_by", "made_at", "expires_at"} for row in rows)
    cookies = [by_jwt["Cookie"], by_key["Cookie"], target]
    assert not any(secret.split("=", 1)[1] in json.dumps(rows) for secret in cookies)
    problem(s.get(f"/api/sessions/{rows[1]['session_id']}", bearer(s.b.key("admin")), method="DELETE"), 404)
    problem(s.get("/api/sessions/" + "g" * 16, admin, method="DELETE"), 400)
    for server in (s.server, web):
        assert server.get("/api/session", headers=by_jwt).status == 200
    s.get(f"/api/sessions/{rows[1]['session_id']}", admin, 204, method="DELETE")
    assert s.get("/api/session", by_jwt).status == 401, "at once, where it was ended"
    eventually(lambda: web.get("/api/session", headers=by_jwt).status == 401, EVERYWHERE)
    s.get(f"/api/sessions/{rows[2]['session_id']}", admin, 204, method="DELETE")
    assert s.get(target).status == press(s, target).status == 401
    assert f"link={rows[2]['session_id']} by=key:" in told(s, "Sign-in link ended")
    stream = Stream(web, headers=by_key)
    s.get("/api/sessions", admin, 204, method="DELETE")
    assert s.get("/api/session", by_key).status == 401 and stream.ends(EVERYWHERE) is not False
    assert "session=all" in s.server.wait_lines('msg="Session ended"', 2)[-1]
    s.get("/api/session", others, 200)
    assert s.get("/api/sessions", admin, 200).json()["sessions"] == []


def test_a_business_ends_all_its_sessions_and_links_at_once(world):
    s = Stage(world)
    web = world.server("web", "web", JWT_SECRET=SECRET)
    target, cookies = link(s), [cookie_by_link(s), s.session(s.a.viewer), s.session(s.jwt())]
    other = s.session(s.b.viewer)
    world.done("session", "revoke", "--business", s.a.id)
    for server in (s.server, web):
        eventually(lambda: all(server.get("/api/session", headers=cookie).status == 401 for cookie in cookies), EVERYWHERE)
        assert server.get("/api/session", headers=other).status == 200
    assert s.get(target).status == 401 and listed(s, "session") == []
    s.get("/api/session", s.session(s.a.viewer), 200)  # and signs in again


@pytest.mark.sanitized
@pytest.mark.threads
def test_a_signed_url_is_listed_and_ends_by_its_id(world):
    s = Stage(world)
    web = world.server("web", "web", JWT_SECRET=SECRET)
    admin = bearer(s.a.key("admin"))
    first, second = s.sign(s.tape.sid, key=s.a.key("agent")), s.sign(s.twin.sid)
    said = s.get("/api/urls", admin, 200).json()
    assert set(said) == {"urls", "next_cursor"} and said["next_cursor"] is None
    rows = {row["recording_sid"]: row for row in said["urls"]}
    assert set(rows[s.tape.sid]) == {"url_id", "recording_sid", "made_by", "made_at", "expires_at"}
    assert re.fullmatch(r"key:\d+", rows[s.tape.sid]["made_by"]) and f"id={rows[s.tape.sid]['url_id']}&" in first
    assert [row["url_id"] for row in listed(s, "url")] == [row["url_id"] for row in said["urls"]]
    page = s.get("/api/urls?limit=1", admin, 200).json()
    rest = s.get(f"/api/urls?limit=1&cursor={page['next_cursor']}", admin, 200).json()
    assert page["urls"] + rest["urls"] == said["urls"] and rest["next_cursor"] is None
    for bad in ("limit=0", "limit=501", "cursor=x", "cursor=1.x"):
        problem(s.get(f"/api/urls?{bad}", admin), 400)
    for server in (s.server, web):
        assert server.get(first).status == server.get(second).status == 200
    of_first = rows[s.tape.sid]["url_id"]
    problem(s.get(f"/api/urls/{of_first}", bearer(s.b.key("admin")), method="DELETE"), 404)
    s.get(f"/api/urls/{of_first}", admin, 204, method="DELETE")
    assert s.get(first).status == 401, "at once, where it was revoked"
    eventually(lambda: web.get(first).status == 401, EVERYWHERE)
    assert web.get(second).status == 200
    problem(s.get(f"/api/urls/{of_first}", admin, method="DELETE"), 404)
    problem(s.get("/api/urls/x", admin, method="DELETE"), 400)
    s.world.done("url", "revoke", rows[s.twin.sid]["url_id"])
    eventually(lambda: web.get(second).status == s.get(second).status == 401, EVERYWHERE)
    assert s.get("/api/urls", admin, 200).json()["urls"] == [] == listed(s, "url")


def test_all_signed_urls_of_a_business_end_at_once(stage):
    s = stage
    made = [s.sign(s.tape.sid), s.sign(s.twin.sid)]
    assert all(s.get(url).status == 200 for url in made)
    s.get("/api/urls", bearer(s.a.key("admin")), 204, method="DELETE")
    assert all(s.get(url).status == 401 for url in made)
    again = s.sign(s.tape.sid)
    s.get(again, status=200)
    s.world.done("url", "revoke", "--business", s.a.id)
    eventually(lambda: s.get(again).status == 401, EVERYWHERE)


@pytest.mark.sanitized
@pytest.mark.threads
def test_a_key_takes_with_it_what_it_made(world):
    s = Stage(world)
    web = world.server("web", "web", JWT_SECRET=SECRET)
    made = json.loads(world.done("key", "create", "--json", "--business", s.a.id, "--role", "agent"))
    world.secrets.add(made["key"])
    assert s.get("/api/calls", bearer(made["key"])).status == 200
    url, others = s.sign(s.tape.sid, key=made["key"]), s.sign(s.tape.sid)
    of_session = s.session(made["key"])
    answer = s.server.post(f"/api/recordings/{s.tape.sid}/url", headers=of_session)
    by_session = answer.json()["url"]
    world.secrets.add(by_session.split("sig=")[1])
    for server in (s.server, web):
        assert server.get(url).status == server.get(by_session).status == 200
    world.done("key", "revoke", made["key_id"])
    for server in (s.server, web):
        eventually(lambda: server.get(url).status == server.get(by_session).status == 401, EVERYWHERE)
        eventually(lambda: server.get("/api/session", headers=of_session).status == 401, EVERYWHERE)
        assert server.get(others).status == 200


def test_what_is_hot_is_played_by_a_signed_url_without_the_database(stage):
    """A loop reads the row of a signed URL once."""
    s = stage
    url = s.sign(s.tape.sid)
    before = s.server.metric("callreel_session_lookups_total", s.world.platform_key)
    for _ in range(80):
        s.get(url, MEDIA, 206)
    read = s.server.metric("callreel_session_lookups_total", s.world.platform_key) - before
    assert 1 <= read <= len(os.sched_getaffinity(0)), "once a loop, of which there is one a core"


def test_what_lets_in_is_told_when_it_is_made_and_when_it_ends(stage):
    s = stage
    url = s.sign(s.tape.sid, ttl=60)
    url_id = re.search(r"id=(\w+)&", url).group(1)
    line = told(s, "URL signed")
    assert f"url={url_id} " in line and f"recording={s.tape.sid}" in line and re.search(r"by=key:\d+ ", line), line
    assert re.search(r"until=\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", line) and "level=info" in line
    s.get(url, status=200)
    assert f"by=url:{url_id}" in s.server.wait_lines("Cache HIT", 2)[-1]
    cookie = s.session(s.a.viewer)
    line = told(s, "Session made")
    session_id = re.search(r"session=(\w{16})\b", line).group(1)
    assert re.search(r"by=key:\d+ ", line) and "role=viewer" in line
    s.get("/api/session", cookie, 204, method="DELETE")
    assert f"session={session_id}" in told(s, "Session ended")
    cookie_by_link(s)
    assert "by=command" in told(s, "Sign-in link used") and "by=link:" in told(s, "Session made", 2)
    s.get("/api/urls", bearer(s.a.key("admin")), 204, method="DELETE")
    assert "url=all" in told(s, "URL revoked")
    answer = s.server.call("PATCH", f"/api/calls/{s.tape.call_sid}",
                           {**bearer(s.a.key("agent")), "Content-Type": "application/json"}, b'{"ref":"7"}')
    assert answer.status == 200 and f"call={s.tape.call_sid}" in told(s, "Call edited")
    for event, count in (("url_signed", 1), ("session_made", 2), ("session_ended", 1), ("link_used", 1),
                         ("url_revoked", 1), ("call_edited", 1)):
        assert s.server.metric("callreel_security_events_total", s.world.platform_key, event=event) == count, event


def test_what_commands_change_is_told_by_the_processes_that_serve(stage):
    s = stage
    made = json.loads(s.world.done("key", "create", "--json", "--business", s.a.id, "--role", "agent"))
    s.world.secrets.add(made["key"])
    of_key = f"business={s.a.id} key={made['key_id']} by=command role=agent"
    eventually(lambda: any(of_key in line for line in s.server.log_lines('msg="Key made"')), EVERYWHERE)
    s.world.done("key", "revoke", made["key_id"])
    eventually(lambda: any(of_key in line for line in s.server.log_lines('msg="Key revoked"')), EVERYWHERE)
    s.world.done("business", "set", s.b.id, "--name", "Renamed")
    s.world.done("business", "remove", s.b.id)
    eventually(lambda: f"business={s.b.id}" in "".join(s.server.log_lines('msg="Business removed"')), EVERYWHERE)
    assert s.server.log_lines('msg="Business changed"')


def test_links_sessions_and_urls_that_commands_made_or_ended_are_told(world):
    s = Stage(world)
    web = world.server("web", "web", JWT_SECRET=SECRET)
    cookie, url = s.session(s.a.viewer), s.sign(s.tape.sid)
    (session,) = listed(s, "session")
    link(s, "--role", "agent")
    (made,) = [row for row in listed(s, "session") if row["kind"] == "link"]
    world.done("session", "revoke", made["id"])
    world.done("session", "revoke", session["id"])
    world.done("session", "revoke", "--business", s.a.id)
    url_id = re.search(r"id=(\w+)&", url).group(1)
    world.done("url", "revoke", url_id)
    world.done("url", "revoke", "--business", s.a.id)
    of_a = f"business={s.a.id}"
    for server in (s.server, web):
        for phrase, object_, event in (("Sign-in link made", f"link={made['id']} by=command role=agent", "link_made"),
                                       ("Sign-in link ended", f"link={made['id']} by=command", "link_ended"),
                                       ("Session ended", f"session={session['id']} by=command", "session_ended"),
                                       ("Session ended", "session=all by=command", "session_ended"),
                                       ("URL revoked", f"url={url_id} by=command", "url_revoked"),
                                       ("URL revoked", "url=all by=command", "url_revoked")):
            eventually(lambda: [line for line in server.log_lines(f'msg="{phrase}"') if f"{of_a} {object_}" in line], EVERYWHERE,
                       (server.name, phrase, object_))
            expected = 1 if event.startswith("link") else 2
            assert server.metric("callreel_security_events_total", world.platform_key, event=event) == expected, event
    assert s.get("/api/session", cookie).status == s.get(url).status == 401


def test_refusals_are_told_once_a_minute_for_each_reason(stage):
    s = stage
    viewer = s.session(s.a.viewer)
    for _ in range(5):
        s.get("/api/calls", bearer("cr_" + "x" * 43), 401)
        s.get("/api/calls", bearer("a.b.c"), 401)
        s.get("/api/stats", viewer, 403)
        s.get(f"/api/recordings/{s.tape.sid}/prepare", {**viewer, "Origin": "https://evil.example"}, 403, "POST", b"")
    lines = s.server.wait_lines('msg="Credentials refused"', 4)
    reasons = [re.search(r"reason=(\w+)", line).group(1) for line in lines]
    assert sorted(reasons) == ["jwt", "key", "origin", "role"] and all("level=warn" in line for line in lines), lines
    s.world.clock.advance(61)
    s.get("/api/stats", bearer(s.a.viewer), 403)
    assert "count=5" in s.server.wait_lines("reason=role", 2)[-1], "four since, and this one"
    for reason, count in (("role", 6), ("origin", 5)):
        assert s.server.metric("callreel_auth_refused_total", s.world.platform_key, credential=reason) == count


def slow_answer(server, target, headers):
    """A connection and the head of an answer that is too long for the buffers."""
    connection = server.connect(receive_buffer=4096)
    connection.ask("GET", target, headers)
    head = connection.read_head()
    assert head.status == 200
    return connection, head


@pytest.mark.sanitized
@pytest.mark.parametrize("ended", ["key", "session", "session of the key", "url", "url of the key", "all sessions", "business"])
def test_an_answer_with_a_file_ends_with_what_admits_it_and_no_other_does(world, ended):
    s = Stage(world)
    tape = world.providers[0].tape(seconds=3000)
    s.a.tell(s.server, tape)
    world.wait_state(tape.sid, business_id=s.a.id)
    target = f"/api/recordings/{tape.sid}/stream"
    made = json.loads(world.done("key", "create", "--json", "--business", s.a.id, "--role", "agent"))
    world.secrets.add(made["key"])
    eventually(lambda: s.get("/api/session", bearer(made["key"])).status == 200)
    key_id = next(row["key_id"] for row in world.sql("select max(key_id) key_id from keys"))
    by = {"key": (target, bearer(made["key"])), "session": (target, s.session(s.a.viewer)),
          "session of the key": (target, s.session(made["key"])), "url": (s.sign(tape.sid), {}),
          "url of the key": (s.sign(tape.sid, key=made["key"]), {}),
          "all sessions": (target, s.session(s.a.viewer)), "business": (target, bearer(s.jwt()))}
    (ends, head), (stays, other_head) = slow_answer(s.server, *by[ended]), slow_answer(s.server, target, bearer(s.a.viewer))
    with ends, stays:
        if "key" in ended:
            world.done("key", "revoke", key_id)
        elif ended == "session":
            assert s.server.call("DELETE", "/api/session", by[ended][1]).status == 204
        elif ended == "url":
            world.done("url", "revoke", re.search(r"id=(\w+)&", by[ended][0]).group(1))
        elif ended == "all sessions":
            world.done("session", "revoke", "--business", s.a.id)
        else:
            world.done("business", "remove", s.a.id)
        left = 0 if ended == "business" else 1
        eventually(lambda: s.server.metric("callreel_listeners", world.platform_key) == left, EVERYWHERE)
        assert not ends.read_body(head).complete
        assert stays.read_body(other_head).complete == (left == 1)


@pytest.mark.sanitized
def test_an_answer_that_waits_for_the_provider_ends_with_its_signed_url(world):
    s, gate = Stage(world), threading.Event()
    tape = world.providers[0].tape(seconds=20)
    tape.acts = [p.pause_at(8000, gate)]
    s.a.tell(s.server, tape)
    signed = s.sign(tape.sid)
    with s.server.connect() as listener:
        listener.ask("GET", signed, MEDIA)
        head = listener.read_head()
        assert head.status == 206
        world.done("url", "revoke", re.search(r"id=(\w+)&", signed).group(1))
        assert not listener.read_body(head).complete
    gate.set()
    world.wait_state(tape.sid, business_id=s.a.id)


@pytest.mark.sanitized
@pytest.mark.threads
def test_a_revocation_is_in_force_in_every_process_within_two_seconds(world):
    s = Stage(world)
    servers = [s.server, world.server("web-1", "web", JWT_SECRET=SECRET), world.server("web-2", "web", JWT_SECRET=SECRET)]

    def everywhere(headers, status, target="/api/session"):
        return all(server.get(target, headers=headers).status == status for server in servers for _ in range(4))

    def gone_within_two_seconds(*all_headers):
        eventually(lambda: all(everywhere(headers, 401) for headers in all_headers), 2, "a revocation is in force", every=0.05)

    made = json.loads(world.done("key", "create", "--json", "--business", s.a.id, "--role", "viewer"))
    world.secrets.add(made["key"])
    eventually(lambda: everywhere(bearer(made["key"]), 200), 2)
    of_key, of_jwt = s.session(made["key"]), s.session(s.jwt(sub="x"))
    link_target = link(s)
    pressed = servers[1].post("/signin", headers=FORM, body=form({"token": link_target.partition("token=")[2]}))
    of_link = {"Cookie": cookie_of(pressed)}
    for cookie in (of_key, of_jwt, of_link):
        assert everywhere(cookie, 200)
    key_id = next(row["key_id"] for row in world.sql("select max(key_id) key_id from keys"))
    world.done("key", "revoke", key_id)
    gone_within_two_seconds(bearer(made["key"]), of_key)
    assert everywhere(of_jwt, 200) and everywhere(of_link, 200)
    assert servers[2].call("DELETE", "/api/session", of_jwt).status == 204
    gone_within_two_seconds(of_jwt)
    assert everywhere(of_link, 200)
    signed = s.sign(s.tape.sid)
    assert everywhere({}, 200, signed)
    world.done("business", "remove", s.a.id)
    gone_within_two_seconds(of_link, bearer(s.jwt()), bearer(s.a.viewer))
    eventually(lambda: everywhere({}, 401, signed), 2)
