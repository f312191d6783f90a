"""Transcripts over the wire: reading, exports, versions, corrections, asking for one; roles, and the events that others get."""
import json
import sqlite3
import threading
from urllib.parse import urlencode

import pytest

import provider as p
import speech_sound
from callreel import eventually
from events import Stream
from speech_engine import hold
from test_api import assert_problem
from who import SECRET, bearer, claims, token

pytestmark = pytest.mark.sanitized
JSON = {"Content-Type": "application/json"}
WORDS = [("שלום,", 0.5, 1.0), ("המנוי", 1.0, 1.5), ("שלי", 1.5, 1.9), ("WhatsApp", 1.9, 2.5)]


def segment(start, end, speaker, channel, text, words=None):
    return {"start": start, "end": end, "channel": channel, "speaker": speaker, "text": text, "confidence": None,
            "words": words and [{"word": w, "start": a, "end": b, "confidence": 0.5} for w, a, b in words]}


SAID = [segment(0.5, 2.5, "customer", 0, "שלום, המנוי שלי WhatsApp", WORDS), segment(3, 4, "agent", 1, "One moment, please")]
DOCUMENT = {"duration": 10.0, "language": "he", "text": "\n".join(one["text"] for one in SAID), "segments": SAID,
            "gaps": [{"start": 5, "end": 6, "reason": "engine_error"}],
            "talk": {"speakers": {"customer": 2.0, "agent": 1.0}, "silence": 7.0, "overlap": 0}}


@pytest.fixture
def stage(world, provider):
    return Stage(world, provider, SPEECH_ENGINE="openai", SPEECH_URL="http://127.0.0.1:9")  # nobody listens there


class Stage:
    def __init__(self, world, provider, **settings):
        self.world, self.provider = world, provider
        self.server, self.business = world.server(JWT_SECRET=SECRET, **settings), world.business(provider)
        world.done("business", "set", self.business.id, "--transcribe", "asked")
        self.tape = self.recorded()
        self.path = f"/api/recordings/{self.tape.sid}/transcript"

    def recorded(self):
        tape = self.provider.tape()
        tape.sounds["mp3"] = speech_sound.call([[(0.5, 2.5, 1)]], 4)  # else it would hold no speech, and need no engine
        self.business.tell(self.server, tape)
        self.world.wait_state(tape.sid, business_id=self.business.id)
        return tape

    def heard(self, tape=None, status="ready", document=DOCUMENT):
        """As an engine left it."""
        sid = (tape or self.tape).sid
        self.write("insert into transcripts (business_id, recording_sid, status, engine, model, language, duration_ms, version,"
                       " created_at, updated_at) values (?, ?, ?, 'openai', 'base', 'he', 10000, ?, 1, 1)",
                       self.business.id, sid, status, 1 if document else 0)
        if document:
            self.write("insert into transcript_versions (business_id, recording_sid, version, engine, model, made_at, document)"
                           " values (?, ?, 1, 'openai', 'base', 1, ?)", self.business.id, sid, json.dumps(document, ensure_ascii=False))

    def write(self, text, *values):
        with sqlite3.connect(self.world.database, timeout=20) as db:
            db.execute(text, values)

    def user(self, sub, role="agent"):
        return bearer(token(claims(self.business.id, role, sub=sub)))

    def ask(self, method, path=None, value=None, who=None, status=None, headers=()):
        body = json.dumps(value).encode() if value is not None and not isinstance(value, bytes) else value
        who = who or bearer(self.business.key("agent"))
        answer = self.server.call(method, path or self.path, {**(JSON if body is not None else {}), **dict(headers), **who}, body)
        assert status is None or answer.status == status, answer
        return answer

    def status(self):
        return self.ask("GET", f"/api/recordings/{self.tape.sid}/status", status=200).json()

    def correct(self, etag, value, who=None, status=200):
        return self.ask("PUT", None, value, who, status, {"If-Match": etag} if etag else {})


def test_a_transcript_is_read_as_it_was_heard(stage):
    stage.heard()
    answer = stage.ask("GET", status=200, who=bearer(stage.business.viewer))
    assert answer.json() == {
        "status": "ready", "progress": {"done": 0, "total": None}, "engine": "openai", "model": "base", **DOCUMENT,
        "version": 1, "edited_by": None, "edited_at": None, "error": None}
    etag = answer.header("etag")
    assert etag.startswith('"') and answer.header("cache-control") == "no-store"
    assert stage.ask("GET", headers={"If-None-Match": etag}, status=304).body == b""
    assert stage.ask("GET", headers={"If-None-Match": '"0-other"'}).status == 200
    head = stage.ask("HEAD", status=200)
    assert head.body == b"" and head.header("etag") == etag
    call = stage.ask("GET", f"/api/recordings/{stage.tape.call_sid}/transcript", status=200)
    assert call.header("content-location") == stage.path and call.body == answer.body


@pytest.mark.parametrize("name, kind", [("txt", "text/plain; charset=utf-8"), ("srt", "application/x-subrip; charset=utf-8"),
                                        ("vtt", "text/vtt; charset=utf-8")])
def test_it_is_read_as_text_and_subtitles(stage, name, kind):
    stage.heard()
    answer = stage.ask("GET", f"{stage.path}?format={name}", status=200)
    assert answer.header("content-type") == kind
    assert answer.header("content-disposition") == f'attachment; filename="{stage.tape.sid}.{name}"'
    assert "המנוי" in answer.body.decode() and "One moment" in answer.body.decode()
    etags = {stage.ask("GET", f"{stage.path}?format={format}").header("etag") for format in ("json", "txt", "srt", "vtt")}
    assert len(etags) == 4
    assert stage.ask("GET", f"{stage.path}?format={name}&version=1", status=200).body == answer.body


def test_subtitles_of_nothing_have_their_type(stage):
    stage.heard()
    stage.correct("*", {"segments": []})
    for name, kind in (("txt", "text/plain"), ("srt", "application/x-subrip"), ("vtt", "text/vtt")):
        assert stage.ask("GET", f"{stage.path}?format={name}", status=200).header("content-type") == f"{kind}; charset=utf-8"


def test_looking_asks_for_nothing(stage):
    assert_problem(stage.ask("GET"), 404)
    for query in ("?format=pdf", "?format=", "?version=0", "?version=x", "?version="):
        assert_problem(stage.ask("GET", stage.path + query), 400, query)
    assert_problem(stage.ask("GET", f"/api/recordings/RE{'0' * 32}/transcript"), 404)
    assert stage.world.sql("select count(*) as n from transcripts")[0]["n"] == 0
    stage.heard(status="queued", document=None)
    answer = stage.ask("GET", status=200).json()
    assert (answer["status"], answer["text"], answer["segments"], answer["version"]) == ("queued", None, [], None)
    assert_problem(stage.ask("GET", f"{stage.path}?version=1"), 404)
    assert stage.ask("GET", f"{stage.path}?format=txt", status=200).body == b""


def test_a_correction_is_a_version_and_earlier_ones_stay(stage):
    stage.heard()
    etag = stage.ask("GET").header("etag")
    better = [SAID[0], {**SAID[1], "text": "One moment, Dana"}]
    answer = stage.correct(etag, {"segments": better}, stage.user("dana"))
    after = answer.json()
    assert (after["version"], after["edited_by"], after["engine"]) == (2, "user:dana", "openai") and after["edited_at"]
    assert after["segments"][0] == SAID[0] and after["segments"][1]["text"] == "One moment, Dana"
    assert after["gaps"] == DOCUMENT["gaps"] and after["talk"] == DOCUMENT["talk"]
    read = stage.ask("GET", status=200)
    assert read.json() == after and read.header("etag") == answer.header("etag") != etag
    first = stage.ask("GET", f"{stage.path}?version=1", status=200).json()
    assert first["segments"] == SAID and (first["version"], first["edited_by"]) == (1, None)
    [row] = stage.world.sql("select final_transcript from call_log")
    assert row["final_transcript"].splitlines()[-1] == "One moment, Dana"


@pytest.mark.threads
def test_a_correction_of_what_is_no_longer_the_newest_is_refused(stage):
    stage.heard()
    etag = stage.ask("GET").header("etag")
    assert_problem(stage.correct(None, {"segments": SAID}, status=428), 428)
    for other in ('"9-x"', f"W/{etag}", '""', etag.strip('"')):
        assert_problem(stage.correct(other, {"segments": SAID}, status=412), 412, other)
    stage.correct(f'"none", {etag}', {"segments": SAID})
    assert_problem(stage.correct(etag, {"segments": SAID}, status=412), 412)
    stage.write("update transcripts set status = 'running', run = run + 1, pieces_done = 3")
    etag = stage.ask("GET").header("etag")
    stage.write("update transcripts set pieces_done = 4")
    assert stage.ask("GET").header("etag") != etag
    stage.correct(etag, {"segments": SAID})  # progress of a new run makes no other version
    assert stage.correct("*", {"segments": SAID}).json()["version"] == 4


@pytest.mark.threads
def test_speakers_are_named_and_exchanged_everywhere_at_once(stage):
    stage.heard()
    etag = stage.ask("GET").header("etag")
    swapped = stage.correct(etag, {"segments": SAID, "speakers": {"customer": "agent", "agent": "customer"}})
    assert [one["speaker"] for one in swapped.json()["segments"]] == ["agent", "customer"]
    assert swapped.json()["talk"]["speakers"] == {"agent": 2.0, "customer": 1.0}
    named = stage.correct(swapped.header("etag"), {"segments": swapped.json()["segments"], "speakers": {"agent": "דנה"}}).json()
    assert [one["speaker"] for one in named["segments"]] == ["דנה", "customer"]
    assert named["talk"]["speakers"] == {"דנה": 2.0, "customer": 1.0}


def test_what_is_no_transcript_is_refused_and_named(stage):
    stage.heard()
    etag = stage.ask("GET").header("etag")
    for value, word in (({"segments": "x"}, "segments"), ({"segments": [{}]}, "segments[0]"), ({"segments": SAID, "text": "x"}, "text"),
                        ({"segments": [{**SAID[0], "start": -1}]}, "segments[0].start"), (b"{", "body"), (b"[]", "body"),
                        ({"segments": SAID, "speakers": {"customer": 1}}, "speakers")):
        answer = stage.ask("PUT", None, value, headers={"If-Match": etag})
        assert_problem(answer, 400, value)
        assert word in answer.json()["detail"], answer.json()
    assert stage.ask("PUT", None, b"{}", headers={"If-Match": etag, "Content-Type": "text/plain"}).status == 415
    assert_problem(stage.correct('"1-x"', {"segments": SAID}, bearer(stage.business.viewer), 403), 403)
    other = stage.recorded()
    answer = stage.ask("PUT", f"/api/recordings/{other.sid}/transcript", {"segments": SAID}, headers={"If-Match": "*"})
    assert_problem(answer, 404)
    assert stage.ask("GET").header("etag") == etag


def test_a_long_correction_is_taken(stage):
    stage.heard()
    many = [segment(n, n + 0.5, "customer", 0, "some words of a long call", [("some", n, n + 0.1), ("words of a long call", n + 0.1, n + 0.5)])
            for n in range(5000)]
    answer = stage.correct(stage.ask("GET").header("etag"), {"segments": many})
    assert len(answer.json()["segments"]) == 5000


@pytest.mark.threads
def test_a_recording_is_transcribed_when_somebody_asks(stage):
    path = f"/api/recordings/{stage.tape.sid}/transcribe"
    assert_problem(stage.ask("POST", path, who=bearer(stage.business.viewer)), 403)
    for force in ("2", "", "11"):
        assert_problem(stage.ask("POST", f"{path}?force={force}"), 400)
    assert "transcript_asked" not in stage.status()
    stream = Stream(stage.server, stage.business.viewer)
    answer = stage.ask("POST", path, status=202)
    assert stream.until(lambda event: event.kind == "recording").json()["transcript_asked"] is True
    assert stage.status()["transcript_asked"] is True
    assert answer.header("location") == stage.path
    assert answer.json()["status"] in ("queued", "running") and answer.json()["version"] is None
    assert stage.ask("GET", status=200).json()["status"] in ("queued", "running")
    silent = stage.provider.tape()
    silent.default = p.status(404)
    stage.business.tell(stage.server, silent)
    stage.world.wait_state(silent.sid, "queued", business_id=stage.business.id)
    assert_problem(stage.ask("POST", f"/api/recordings/{silent.sid}/transcribe"), 409)
    assert_problem(stage.ask("POST", f"/api/recordings/RE{'0' * 32}/transcribe"), 404)


def test_nothing_is_asked_for_without_an_engine_or_where_the_business_wants_none(world, provider):
    stage = Stage(world, provider)
    path, admin = f"/api/recordings/{stage.tape.sid}/transcribe", bearer(stage.business.key("admin"))
    answer = stage.ask("POST", path, status=409)
    assert answer.json()["code"] == "no_engine"
    assert stage.ask("GET", "/api/session?details=1").json()["business"]["transcribes"] is False
    stage.server.stop()
    other = world.again(stage.server, SPEECH_ENGINE="openai", SPEECH_URL="http://127.0.0.1:9")
    stage.server = other
    assert stage.ask("GET", "/api/session?details=1").json()["business"]["transcribes"] is True
    stage.ask("PATCH", "/api/business", {"transcribe": "never"}, admin, 200)
    assert_problem(stage.ask("POST", path), 409)
    assert world.sql("select count(*) as n from transcripts")[0]["n"] == 0


def test_an_admin_sets_what_is_transcribed_and_how(stage):
    admin = bearer(stage.business.key("admin"))
    before = stage.ask("GET", "/api/business", who=admin).json()
    speech = ("transcribe", "language", "vocabulary", "default_language", "transcribes")
    assert [before[name] for name in speech] == ["asked", None, None, "auto", True]
    change = {"transcribe": "all", "language": "he", "vocabulary": "הרבור, Harbour Clinic"}
    after = stage.ask("PATCH", "/api/business", change, admin, 200).json()
    assert after == {**before, **change} == stage.ask("GET", "/api/business", who=admin).json()
    assert stage.ask("PATCH", "/api/business", {"language": None, "vocabulary": None}, admin).json() == {**before, "transcribe": "all"}
    assert stage.ask("PATCH", "/api/business", {"transcribe": None}, admin).json()["transcribe"] is None
    for wrong in ({"transcribe": "some"}, {"transcribe": 1}, {"language": "he!"}, {"language": "x" * 20}, {"vocabulary": "x" * 2001}):
        answer = stage.ask("PATCH", "/api/business", wrong, admin)
        assert_problem(answer, 400, wrong)
        assert next(iter(wrong)) in answer.json()["detail"]
    [entry, *_] = stage.ask("GET", "/api/audit?action=settings_changed", who=admin).json()["entries"]
    assert "he" not in json.dumps(entry["details"].get("values", "")) and "transcribe" in json.dumps(entry["details"])


def test_a_search_in_the_list_says_where_its_words_were_said(stage):
    stage.heard()
    stage.correct(stage.ask("GET").header("etag"), {"segments": SAID})
    viewer = bearer(stage.business.viewer)

    def rows(search):
        return stage.ask("GET", "/api/calls?" + urlencode({"search": search}), who=viewer, status=200).json()["calls"]

    [row] = rows("מנוי")
    assert row["has_transcript"] is True
    assert row["matches"] == [{"recording_sid": stage.tape.sid, "start": 0.5, "speaker": "customer", "text": SAID[0]["text"], "at": [[6, 11]]}]
    assert SAID[0]["text"][6:11] == "המנוי"
    [row] = rows("moment please")
    assert [match["at"] for match in row["matches"]] == [[[4, 10], [12, 18]]]
    assert rows("nothing") == []
    [row] = rows(stage.tape.call_sid[:8])
    assert row["matches"] == []
    assert "matches" not in stage.ask("GET", "/api/calls", who=viewer).json()["calls"][0]
    many = [segment(n, n + 0.5, None, 0, f"again {n}") for n in range(10)]
    stage.correct("*", {"segments": many})
    assert [match["start"] for match in rows("again")[0]["matches"]] == [0, 1, 2] and rows("מנוי") == []
    other = stage.world.business(stage.world.provider())
    assert stage.ask("GET", "/api/calls?search=again", who=bearer(other.viewer)).json()["calls"] == []


@pytest.mark.threads
def test_streams_are_told_and_the_audit_knows(stage):
    stage.heard()
    stream = Stream(stage.server, stage.business.viewer)
    etag = stage.ask("GET").header("etag")
    stage.ask("GET", headers={"If-None-Match": etag})
    stage.ask("HEAD")
    stage.correct(etag, {"segments": SAID}, stage.user("dana"))
    stage.ask("POST", f"/api/recordings/{stage.tape.sid}/transcribe?force=1", status=202)
    event = stream.until(lambda event: event.kind == "transcript")
    assert set(event.json()) == {"recording_sid", "status", "progress"} and event.json()["recording_sid"] == stage.tape.sid
    admin = bearer(stage.business.key("admin"))
    acts = lambda: sorted(one["action"] for one in stage.ask("GET", f"/api/audit?object={stage.tape.sid}", who=admin).json()["entries"]
                          if one["action"] in ("transcript_read", "edit", "transcribe"))
    eventually(lambda: len(acts()) >= 3, what="the entry of what was read, which a tick of the server writes")
    assert acts() == ["edit", "transcribe", "transcript_read"]


def test_what_an_engine_hears_is_told_read_searched_and_exported(world, provider):
    engine, gate = world.speech_engine(), threading.Event()
    engine.says.update({1: "שלום, המנוי שלי לא עובד", 2: "one moment, please"})
    engine.acts = [hold(gate, engine.default)]
    server, business = world.server(SPEECH_ENGINE="openai", SPEECH_URL=engine.url, SPEECH_MODEL="base"), world.business(provider)
    tape = provider.tape(seconds=12.0, channels=2)
    tape.sounds["mp3"] = speech_sound.call([[(0.5, 3.0, 1)], [(5.0, 7.0, 2)]], seconds=12)
    path = f"/api/recordings/{tape.sid}/transcript"
    with Stream(server, business.viewer) as stream:
        business.tell(server, tape)
        stream.until(lambda event: event.kind == "transcript" and event.json()["status"] == "running")
        assert server.get(path, business.viewer).json()["segments"] == []
        gate.set()
        told = stream.until(lambda event: event.kind == "transcript" and event.json()["status"] == "ready").json()
    assert told["recording_sid"] == tape.sid and told["progress"]["done"] == told["progress"]["total"] == 2
    heard = server.get(path, business.viewer).json()
    assert (heard["status"], heard["engine"], heard["version"], heard["edited_by"], heard["gaps"]) == ("ready", "openai", 1, None, [])
    assert [(one["channel"], one["text"]) for one in heard["segments"]] == [(0, engine.says[1]), (1, engine.says[2])]
    assert [one["start"] for one in heard["segments"]] == [pytest.approx(0.5, abs=0.3), pytest.approx(5.0, abs=0.3)]
    assert len(heard["segments"][0]["words"]) == 5
    assert [server.get(f"{path}?format={name}", business.viewer).status for name in ("txt", "srt", "vtt")] == [200] * 3
    [row] = server.get("/api/calls?" + urlencode({"search": "מנוי"}), business.viewer).json()["calls"]
    assert row["has_transcript"] is True and row["matches"][0]["recording_sid"] == tape.sid
    again = server.post(f"/api/recordings/{tape.sid}/transcribe", business.key("agent"))
    assert again.status == 202 and again.json()["status"] == "ready", "there is one already"
    forced = server.post(f"/api/recordings/{tape.sid}/transcribe?force=1", business.key("agent"))
    assert forced.json()["status"] in ("queued", "running") and forced.json()["version"] == 1
    eventually(lambda: server.get(path, business.viewer).json()["version"] == 2)


def test_an_expired_recording_has_no_transcript(stage):
    stage.heard()
    etag = stage.ask("GET").header("etag")
    stage.server.call("DELETE", f"/api/recordings/{stage.tape.sid}", bearer(stage.business.key("admin")))
    for method, path, value in (("GET", stage.path, None), ("PUT", stage.path, {"segments": SAID}),
                                ("POST", f"/api/recordings/{stage.tape.sid}/transcribe", None)):
        assert_problem(stage.ask(method, path, value, headers={"If-Match": etag}), 410, method)
