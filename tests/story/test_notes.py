"""Notes at a moment of a recording: writing, changing, deleting, the roles that may, and the events that others get."""
import json
import threading

import pytest

import provider as p
from events import Stream
from test_api import MERGE, assert_problem
from who import SECRET, bearer, claims, token

pytestmark = pytest.mark.sanitized
JSON = {"Content-Type": "application/json"}


@pytest.fixture
def stage(world, provider):
    return Stage(world, provider)


class Stage:
    def __init__(self, world, provider):
        self.world, self.provider = world, provider
        self.server, self.business = world.server(JWT_SECRET=SECRET), world.business(provider)
        self.tape = provider.tape()
        self.business.tell(self.server, self.tape)
        world.wait_state(self.tape.sid, business_id=self.business.id)
        self.path = f"/api/recordings/{self.tape.sid}/notes"

    def user(self, sub, role="viewer"):
        return bearer(token(claims(self.business.id, role, sub=sub)))

    def ask(self, method, path, value=None, who=None, status=None, server=None, headers=JSON):
        body = json.dumps(value).encode() if value is not None and not isinstance(value, bytes) else value
        who = who or bearer(self.business.viewer)
        answer = (server or self.server).call(method, path, {**headers, **who} if body is not None else who, body)
        assert status is None or answer.status == status, answer
        return answer

    def add(self, value, who=None):
        return self.ask("POST", self.path, value, who, 201).json()

    def notes(self, server=None):
        return self.ask("GET", self.path, status=200, server=server).json()["notes"]


def test_notes_are_written_changed_and_deleted(stage):
    assert stage.notes() == []
    dana = stage.user("dana")
    text = "הלקוח ביקש לחזור \u202e<script>\"'=1+1\U0001f600\n" + "ש" * 1900
    late = stage.add({"at": 83.25, "text": text}, dana)
    assert set(late) == {"id", "at", "text", "by", "created_at", "edited_at"}
    assert (late["at"], late["text"], late["by"], late["edited_at"]) == (83.25, text, "user:dana", None)
    whole = stage.add({"text": "of the whole"})
    early = stage.add({"at": 0, "text": "start"}, stage.user("דנה לוי <dana@example.com>"))
    assert early["by"] == "user:דנה לוי <dana@example.com>" and whole["by"].startswith("key:") and whole["at"] is None
    assert [n["id"] for n in stage.notes()] == [whole["id"], early["id"], late["id"]]
    assert len({whole["id"], early["id"], late["id"]}) == 3
    one = f"{stage.path}/{late['id']}"
    changed = stage.ask("PATCH", one, {"at": None}, dana, 200, headers=MERGE).json()
    assert changed["at"] is None and changed["text"] == text and changed["edited_at"] >= changed["created_at"] == late["created_at"]
    assert stage.ask("PATCH", one, {"at": 1.0006, "text": "short"}, dana, 200).json()["at"] == 1.001
    assert stage.ask("PATCH", one, {}, dana, 200).json()["text"] == "short"
    assert stage.ask("DELETE", one, who=dana, status=204).body == b""
    for method in ("DELETE", "PATCH"):
        assert_problem(stage.ask(method, one, {"text": "x"} if method == "PATCH" else None, dana), 404)
    assert [n["id"] for n in stage.notes()] == [whole["id"], early["id"]]


def test_what_is_no_note_is_refused_and_told_why(stage):
    for value, words in (({}, "text is missing."), ({"text": ""}, "text is empty."), ({"text": " \n"}, "text is empty."),
                         ({"text": None}, "text must be a text."), ({"text": "x" * 2001}, "text has more than 2,000"),
                         ({"text": "x", "at": -1}, "at must be"), ({"text": "x", "at": "1"}, "at must be"),
                         ({"text": "x", "at": 1e12}, "at must be"), ({"text": "x", "by": "me"}, "A note has no members"),
                         (b"[]", "The body"), (b"{", "The body"), (b'{"text":"a\\u0000b"}', "The body"), (b'{"text":"a","text":"b"}', "The body"),
                         (b'{"text":"\xff"}', "The body")):
        answer = stage.ask("POST", stage.path, value)
        assert_problem(answer, 400, value)
        assert answer.json()["detail"].startswith(words), answer.json()
    assert stage.ask("POST", stage.path, {"text": "x"}, headers={"Content-Type": "text/plain"}).status == 415
    for wrong in ("0", "-1", "x", "9" * 30, "1.5", "%20"):
        assert_problem(stage.ask("DELETE", f"{stage.path}/{wrong}"), 400, wrong)
    assert_problem(stage.ask("DELETE", f"{stage.path}/77"), 404)
    assert_problem(stage.ask("GET", f"/api/recordings/{p.sid('RE')}/notes"), 404)
    assert_problem(stage.ask("GET", "/api/recordings/x/notes"), 400)
    assert stage.notes() == []
    stage.add({"text": "ש" * 2000, "at": 86400000})


def test_only_the_one_who_wrote_it_or_an_admin_changes_a_note(stage):
    dana, noa = stage.user("dana"), stage.user("noa", "agent")
    note = stage.add({"text": "x"}, dana)
    one = f"{stage.path}/{note['id']}"
    for who in (noa, bearer(stage.business.viewer), bearer(stage.business.key("agent")), stage.user(None), stage.user("dana@x"), stage.user("key:1")):
        assert_problem(stage.ask("PATCH", one, {"text": "y"}, who), 403)
        assert_problem(stage.ask("DELETE", one, who=who), 403)
    assert stage.notes()[0]["text"] == "x"
    assert stage.ask("PATCH", one, {"text": "z"}, stage.user("boss", "admin"), 200).json()["by"] == "user:dana"
    stage.ask("DELETE", one, who=bearer(stage.business.key("admin")), status=204)
    mine = stage.add({"text": "a key's"})
    stage.ask("DELETE", f"{stage.path}/{mine['id']}", status=204)


def test_a_call_means_its_recording_and_answers_say_which(stage):
    call = f"/api/recordings/{stage.tape.call_sid}/notes"
    made = stage.ask("POST", call, {"text": "by the call", "at": 2}, status=201)
    where = f"{stage.path}/{made.json()['id']}"
    assert made.header("content-location") == where and made.header("location") == where
    listed = stage.ask("GET", call, status=200)
    assert listed.header("content-location") == stage.path and listed.json()["notes"] == [made.json()]
    assert stage.ask("GET", stage.path, status=200).header("content-location") is None
    assert stage.ask("HEAD", stage.path).header("content-length") == str(len(stage.ask("GET", stage.path).body))
    bare = p.sid("CA")
    stage.business.webhook_add_call(stage.server, bare)
    assert stage.ask("POST", f"/api/recordings/{bare}/notes", {"text": "x"}, status=404).json()["detail"] == "This call has no recording."


def test_a_recording_has_at_most_five_hundred_notes(stage):
    assert stage.notes() == []

    def write(n):
        for i in range(125):
            stage.add({"at": n, "text": f"{n}.{i}"})

    threads = [threading.Thread(target=write, args=(n,)) for n in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert_problem(stage.ask("POST", stage.path, {"text": "one more"}), 409)
    notes = stage.notes()
    assert len(notes) == 500 and [n["at"] for n in notes] == sorted(n["at"] for n in notes)
    stage.ask("DELETE", f"{stage.path}/{notes[0]['id']}", status=204)
    stage.add({"text": "one more"})


@pytest.mark.threads
def test_event_streams_of_every_process_tell_of_notes(stage):
    other = stage.world.server("other", "web", JWT_SECRET=SECRET)
    streams = [Stream(stage.server, stage.business.viewer), Stream(other, stage.business.viewer)]
    note = stage.add({"at": 1.5, "text": "שלום\nעולם"})
    for stream in streams:
        event = stream.next()
        assert event.kind == "note" and event.id
        assert event.json() == {"recording_sid": stage.tape.sid, **note, "deleted": False}
    changed = stage.ask("PATCH", f"{stage.path}/{note['id']}", {"text": "other"}, status=200, server=other).json()
    for stream in streams:
        assert stream.next().json() == {"recording_sid": stage.tape.sid, **changed, "deleted": False}
    stage.ask("DELETE", f"{stage.path}/{note['id']}", status=204)
    for stream in streams:
        assert stream.next().json() == {"recording_sid": stage.tape.sid, "id": note["id"], "deleted": True}


def test_a_note_that_was_answered_outlives_a_kill(stage):
    other = stage.world.server("other", "web", JWT_SECRET=SECRET)
    note = stage.add({"text": "kept"})
    stage.server.kill()
    assert stage.notes(other) == [note]
    stage.world.again(stage.server, JWT_SECRET=SECRET)
    assert stage.notes() == [note]


def test_a_purge_of_a_business_takes_its_notes(stage):
    stage.add({"text": "gone"})
    theirs = stage.world.business(stage.world.provider(), "B")
    answers = [stage.ask("GET", f"/api/recordings/{sid}/notes", who=bearer(theirs.viewer)) for sid in (stage.tape.sid, p.sid("RE"))]
    assert answers[0].status == answers[1].status == 404 and answers[0].body == answers[1].body
    stage.world.done("business", "remove", stage.business.id, "--purge")
    assert stage.world.sql("select count(*) as n from notes") == [{"n": 0}]
