"""URLs that play one recording for a while, without another credential."""
import re

import pytest

import provider as p
from who import SECRET, bearer, problem
from who_stage import MEDIA, Stage, altered


@pytest.fixture
def stage(world):
    return Stage(world)


def test_a_signed_url_plays_one_recording_for_a_while(stage):
    s = stage
    answer = s.server.post(f"/api/recordings/{s.tape.sid}/url?ttl=60", s.a.key("agent"))
    told = answer.json()
    assert answer.status == 200 and set(told) == {"url", "expires_at"} and not answer.header("content-location")
    s.world.secrets.add(told["url"].split("sig=")[1])
    assert told["url"].startswith(f"/api/recordings/{s.tape.sid}/stream?")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", told["expires_at"])
    query = told["url"].split("?")[1]
    paths = [f"/api/recordings/{s.tape.sid}/stream", f"/api/recordings/file/{s.tape.sid}",
             f"/api/recordings/{s.tape.sid}/download"]
    for path in paths:
        assert s.get(f"{path}?{query}", status=200).body == s.tape.mp3
        s.get(f"{path}?{query}", status=200, method="HEAD")
        s.get(f"{path}?x=1&{query}&y=2", MEDIA, 206)
        problem(s.get(f"{path}?{query}".replace(s.tape.sid, s.twin.sid)), 401)
        for wrong in (altered(query), query.replace("exp=", "exp=1"), query.replace("b=", "b=1"), query + "&exp=1",
                      "sig=", "sig=x", query.split("&sig")[0] + "&sig="):
            problem(s.get(f"{path}?{wrong}"), 401)
    download = s.get(f"{paths[2]}?{query}", status=200)
    assert re.fullmatch(rf'attachment; filename="\d{{4}}-\d\d-\d\d_{s.tape.sid}\.mp3"', download.header("content-disposition"))
    with_key = s.get(f"{paths[2]}", bearer(s.a.viewer), 200).header("content-disposition")
    assert s.tape.sid not in with_key and "%2B15005550100" in with_key
    for path in (f"/api/recordings/{s.tape.sid}/status", "/api/calls", f"/api/calls/{s.tape.call_sid}/download"):
        problem(s.get(f"{path}?{query}"), 401)
    problem(s.get(f"/api/recordings/{s.tape.sid}/prepare?{query}", method="POST", body=b""), 401)
    hits = s.server.log_lines("Cache HIT")
    assert sum(bool(re.search(r"\bby=url:[0-9a-f]{16}$", line)) for line in hits) == 1, hits
    s.world.clock.advance(62)
    for path in paths:
        problem(s.get(f"{path}?{query}"), 401)


def test_what_can_be_signed(stage):
    s = stage
    agent = s.a.key("agent")
    by_call = s.server.post(f"/api/recordings/{s.tape.call_sid}/url", agent)
    chosen = re.search(r"/recordings/(RE\w+)/stream", by_call.json()["url"]).group(1)
    s.world.secrets.add(by_call.json()["url"].split("sig=")[1])
    assert by_call.header("content-location") == f"/api/recordings/{chosen}/url"
    assert s.get(by_call.json()["url"], status=200).body == (s.tape if chosen == s.tape.sid else s.twin).mp3
    for ttl, status in (("", 400), ("1", 200), ("86400", 200), ("0", 400), ("86401", 400), ("-1", 400), ("x", 400), ("1.5", 400)):
        answer = s.server.post(f"/api/recordings/{s.tape.sid}/url?ttl={ttl}", agent)
        assert answer.status == status, (ttl, answer)
        if status == 200:
            s.world.secrets.add(answer.json()["url"].split("sig=")[1])
        else:
            assert "ttl" in problem(answer, 400)["detail"]
    for sid in (p.sid("RE"), p.sid("CA")):
        problem(s.server.post(f"/api/recordings/{sid}/url", agent), 404)
    problem(s.server.post("/api/recordings/bad/url", agent), 400)
    alone = p.sid("CA")
    s.a.webhook_add_call(s.server, alone)
    problem(s.server.post(f"/api/recordings/{alone}/url", agent), 404)


def test_signed_urls_outlive_a_restart_and_end_with_their_key(world):
    s = Stage(world)
    made = s.sign(s.tape.sid)
    s.server.stop()
    again = world.again(s.server, JWT_SECRET=SECRET)
    assert again.get(made).status == 200
    again.stop()
    other = world.again(again, URL_SIGNING_KEY="a key that signs other URLs")
    problem(other.get(made), 401)


def test_what_a_signed_url_gives_may_be_shown_by_an_isolated_page_elsewhere(stage):
    s = stage
    query = s.sign(s.tape.sid).partition("?")[2]
    for what in ("stream", "download", "waveform"):
        url = f"/api/recordings/{s.tape.sid}/{what}"
        for headers in ({}, {"Range": "bytes=0-1"}):
            assert s.get(f"{url}?{query}", headers).header("cross-origin-resource-policy") == "cross-origin", what
            assert not s.server.get(url, s.a.viewer, headers).header("cross-origin-resource-policy"), what
    stream = f"/api/recordings/{s.tape.sid}/stream"
    etag = s.get(f"{stream}?{query}", {}).header("etag")
    altered = query[:-2] + ("A" if query[-2] != "A" else "B") + query[-1]
    for status, asked, headers in ((416, query, {"Range": "bytes=99999999-"}), (412, query, {"If-Match": '"other"'}),
                                   (304, query, {"If-None-Match": etag}), (401, altered, {}), (401, "sig=", {})):
        answer = s.get(f"{stream}?{asked}", headers, status)
        assert answer.header("cross-origin-resource-policy") == "cross-origin", (status, answer)
    gone = s.get(f"/api/recordings/{s.tape.sid}/nothing?{query}", {}, 404)
    assert not gone.header("cross-origin-resource-policy")


def test_the_card_of_a_link_says_who_shares_what_and_until_when(stage):
    s = stage
    answer = s.server.post(f"/api/recordings/{s.tape.sid}/url?ttl=60", s.a.key("agent")).json()
    query = answer["url"].split("?")[1]
    s.world.secrets.add(query.split("sig=")[1])
    target = f"/api/recordings/{s.tape.sid}/card"
    card = s.get(f"{target}?{query}", status=200).json()
    assert set(card) == {"business_name", "started_at", "duration", "expires_at"}, "nothing else of the call"
    row = s.get(f"/api/recordings/{s.tape.sid}/status", bearer(s.a.viewer), 200).json()
    assert card == {"business_name": "A", "started_at": row["started_at"], "duration": row["duration"], "expires_at": answer["expires_at"]}
    by_key = s.get(target, bearer(s.a.viewer), 200).json()
    assert by_key == {**card, "expires_at": None}
    by_call = s.get(f"/api/recordings/{s.tape.call_sid}/card", bearer(s.a.viewer), 200)
    assert by_call.header("content-location") in (f"/api/recordings/{tape.sid}/card" for tape in (s.tape, s.twin))
    problem(s.get(f"/api/recordings/{p.sid('RE')}/card", bearer(s.a.viewer)), 404)
    s.get(f"/api/urls/{re.search(r'id=([0-9a-f]+)', query).group(1)}", bearer(s.a.key("admin")), 204, method="DELETE")
    problem(s.get(f"{target}?{query}"), 401)
