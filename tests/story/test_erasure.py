"""Calls and persons are removed: nothing names them any more, nothing brings them back, and the audit names the actor."""
import datetime
import email.utils
import itertools
import json
import sqlite3

import pytest

import events
import provider as p
from callreel import eventually
from sound import mp3
from test_holds import NUMBER, OTHER, ask, call_of, hold, names_in
from test_removal import acme, delete, files_of, is_gone, status_of  # noqa: F401
from who import SECRET, bearer, claims, token

MERGE = {"Content-Type": "application/merge-patch+json"}


def erased(world, acme, number=NUMBER):
    begun = ask(world, acme, "POST", "/api/erasure", {"number": number})
    assert begun.status in (200, 202), begun
    path = f"/api/erasure/{begun.json()['erasure_id']}"
    return eventually(lambda: (lambda e: e if e["status"] == "done" else None)(ask(world, acme, "GET", path).json()), 10)


def entries(world, acme, action=None):
    query = f"&action={action}" if action else ""
    return ask(world, acme, "GET", f"/api/audit?limit=200{query}").json()["entries"]


def rows_that_name(world, texts):
    """Tables of the database with a row that has one of the texts: all of them, on both kinds of database."""
    if world.schema:
        tables = [row["name"] for row in world.sql("select table_name as name from information_schema.tables"
                                                   " where table_schema = current_schema() and table_type = 'BASE TABLE'")]
        found = " union all ".join(f"select '{table}' as name, sought from unnest(array[{', '.join('?' * len(texts))}]) sought"
                                   f" where exists (select 1 from {table} t where t::text like '%' || sought || '%')" for table in tables)
        return [(row["name"], row["sought"]) for row in world.sql(found, *texts * len(tables))]
    tables = [row["name"] for row in world.sql("select name from sqlite_master where type = 'table' and name not like 'call_documents%'"
                                               " and name not like 'call_search%'")]
    found = []
    for table in tables:
        for row in world.sql(f"select * from {table}"):
            found += [(table, text) for text in texts if text in str(tuple(row.values()))]
    return found


def test_after_an_erasure_a_scan_finds_the_person_nowhere(world, provider, acme):  # noqa: F811
    words = [NUMBER, NUMBER[1:], "Erasable", "ErasableNote", "erasable@home", "ERASABLE-CALLER"]
    world.private |= {NUMBER, OTHER}
    tape = call_of(world, acme, provider, CallerName="ERASABLE-CALLER", ForwardedFrom=NUMBER, CallerCity="Erasable City")
    plain = call_of(world, acme, provider, NUMBER[1:])
    other = call_of(world, acme, provider, OTHER)
    path = f"/api/calls/{tape.call_sid}"
    patch = {"customer_name": "Dana Erasable", "ref": "erasable@home", "tags": ["Erasable"], "metadata": {"name": "Erasable"},
             "agent": "Erasable"}
    assert world.main.call("PATCH", path, MERGE, json.dumps(patch).encode(), acme.key("agent")).status == 200
    note = ask(world, acme, "POST", f"/api/recordings/{tape.sid}/notes", {"text": f"ErasableNote, call {NUMBER}"})
    assert note.status == 201, note
    url = world.main.post(f"/api/recordings/{tape.sid}/url", acme.key("admin")).json()["url"]
    assert names_in(world, words) or world.schema, "the scan finds what is there"
    assert rows_that_name(world, words), "the scan finds what is there"
    certificate = erased(world, acme)
    assert (certificate["calls"], certificate["recordings"], certificate["held"]) == (2, 2, 0)
    for gone in (tape, plain):
        eventually(lambda: is_gone(world, gone), 10)
    eventually(lambda: not rows_that_name(world, words), 10, lambda: rows_that_name(world, words))
    eventually(lambda: not names_in(world, words), 15, lambda: names_in(world, words))
    assert not [word for word in words if word in world.main.log()]
    [entry] = entries(world, acme, "erasure")
    assert entry["details"]["digest"] == certificate["digest"] and entry["object"] == f"erasure:{certificate['erasure_id']}"
    assert world.main.get(url[url.index("/api"):], headers={"Range": "bytes=0-"}).status == 410
    assert world.state(other.sid) == "ready"
    again = erased(world, acme)
    assert (again["digest"], again["calls"]) == (certificate["digest"], 0) and again["erasure_id"] != certificate["erasure_id"]
    listed = world.main.get(f"/api/calls?search={NUMBER[1:]}", acme.viewer).json()["calls"]
    assert listed == []


def test_an_erasure_finds_a_number_in_addresses_and_in_others_calls(world, provider, acme):  # noqa: F811
    spoken = "+1 (500) 555-0111"
    world.private |= {NUMBER, OTHER, spoken}
    words = [NUMBER, NUMBER[1:], spoken]
    addressed = [call_of(world, acme, provider, f"sip:{NUMBER}@a.example"), call_of(world, acme, provider, OTHER, To=f"whatsapp:{NUMBER}")]
    other = call_of(world, acme, provider, OTHER, ForwardedFrom=NUMBER, CallerName=f"OF {NUMBER}", To="+15005550199")
    acme.tell(world.main, other, Note=f"for {NUMBER}", **{f"x{NUMBER}": "1", f"x{NUMBER[1:]}": "2"})
    held = call_of(world, acme, provider, OTHER, ForwardedFrom=NUMBER)
    patch = {"customer_name": f"Brother of {spoken}", "ref": f"ref {NUMBER}", "agent": NUMBER, "tags": [f"asks for {NUMBER[1:]}", "good"],
             "metadata": {"others": [int(NUMBER[1:]), NUMBER], "kept": 1.50}}
    path = f"/api/calls/{other.call_sid}"
    assert world.main.call("PATCH", path, MERGE, json.dumps(patch).encode(), acme.key("agent")).status == 200
    for tape in (other, held):
        for n in range(3):
            text = {"text": f"{n}: he will be at {spoken} tomorrow"}
            assert ask(world, acme, "POST", f"/api/recordings/{tape.sid}/notes", text).status == 201
    assert hold(world, acme, f"/api/calls/{held.call_sid}").status == 204
    certificate = erased(world, acme)
    assert (certificate["calls"], certificate["recordings"], certificate["edited"]) == (2, 2, 1 + 1 + 3), certificate
    assert certificate["held"] == 1, "once, with its notes"
    for gone in addressed:
        eventually(lambda: is_gone(world, gone), 10)
        assert world.main.get(f"/api/calls/{gone.call_sid}", acme.viewer).status == 404
    call = world.main.get(path, acme.viewer).json()
    assert (call["customer_name"], call["ref"], call["agent"]) == ("Brother of […]", "ref […]", "[…]")
    assert (call["tags"], call["metadata"], call["caller_name"]) == (["asks for […]", "good"], {"others": [None, "[…]"], "kept": 1.5}, "OF […]")
    notes = ask(world, acme, "GET", f"/api/recordings/{other.sid}/notes").json()["notes"]
    assert [note["text"] for note in notes] == [f"{n}: he will be at […] tomorrow" for n in range(3)]
    assert ask(world, acme, "DELETE", f"/api/calls/{held.call_sid}/hold").status == 204
    assert world.main.get("/api/calls?search=brother", acme.viewer).json()["calls"][0]["call_sid"] == other.call_sid
    certificate = erased(world, acme)
    assert (certificate["calls"], certificate["held"], certificate["edited"]) == (0, 0, 1 + 3)
    assert {world.state(tape.sid) for tape in (other, held)} == {"ready"}
    eventually(lambda: not rows_that_name(world, words), 10, lambda: rows_that_name(world, words))
    eventually(lambda: not names_in(world, words), 15, lambda: names_in(world, words))


def spoken(text, start=1):
    words = [{"word": word, "start": start, "end": start + 1, "confidence": None} for word in text.split()]
    return {"start": start, "end": start + 1, "channel": 0, "speaker": "customer", "text": text, "confidence": None, "words": words}


def transcribed(world, acme, tape, *texts):
    """The recording has a transcript, as an engine left it, and a person has corrected it: two versions. Returns its path and ETag."""
    document = json.dumps({"duration": 9, "language": "en", "text": "\n".join(texts), "segments": [spoken(text) for text in texts],
                           "gaps": [], "talk": {"speakers": {"customer": 2}, "silence": 1, "overlap": 0}})
    write(world, "insert into transcripts (business_id, recording_sid, status, version, created_at, updated_at)"
                 f" values ({acme.id}, '{tape.sid}', 'ready', 1, 1, 1)")
    write(world, "insert into transcript_versions (business_id, recording_sid, version, made_at, document)"
                 f" values ({acme.id}, '{tape.sid}', 1, 1, '{document}')")
    path = f"/api/recordings/{tape.sid}/transcript"
    etag = ask(world, acme, "GET", path).header("etag")
    body = json.dumps({"segments": [spoken(text) for text in (*texts, "Corrected.")]}).encode()
    headers = {"Content-Type": "application/json", "If-Match": etag}
    corrected = world.main.call("PUT", path, headers, body, acme.key("agent"))
    assert corrected.status == 200, corrected
    return path, corrected.header("etag")


def found_in_transcripts(world, acme, search):
    listed = world.main.get(f"/api/calls?search={search}", acme.viewer).json()["calls"]
    return {call["call_sid"] for call in listed}


def test_an_erasure_takes_a_number_out_of_others_transcripts(world, provider, acme):  # noqa: F811
    world.private |= {NUMBER, OTHER}
    words = [NUMBER[1:], "500 555-0111", "555-0111."]
    other, held, plain, unfinished = [call_of(world, acme, provider, OTHER) for _ in range(4)]
    path, etag = transcribed(world, acme, other, "Zebra, his number is", "+1 500 555-0111.", "Thank you.")
    held_path, _ = transcribed(world, acme, held, f"Zebra is at {NUMBER}")
    plain_path, plain_etag = transcribed(world, acme, plain, "Zebra is at 5550111, 2 of 15005550111222")
    write(world, "insert into transcripts (business_id, recording_sid, status, run, pieces_done, pieces_all, created_at, updated_at)"
                 f" values ({acme.id}, '{unfinished.sid}', 'failed', 3, 2, 5, 1, 1)")
    for piece, said in enumerate((f"of {NUMBER}", "of nobody")):
        write(world, "insert into transcript_pieces (business_id, recording_sid, run, channel, piece, answer)"
                     f""" values ({acme.id}, '{unfinished.sid}', 3, 0, {piece}, 'en\n{{"segments":[{{"text":"{said}"}}]}}')""")
    assert hold(world, acme, f"/api/calls/{held.call_sid}").status == 204
    mine = call_of(world, acme, provider)
    assert found_in_transcripts(world, acme, "0111+thank") == {other.call_sid}
    with events.Stream(world.main, acme.viewer) as stream:
        certificate = erased(world, acme)
        stream.until(lambda e: e.kind == "transcript" and e.json()["recording_sid"] == other.sid)
    assert (certificate["calls"], certificate["held"], certificate["edited"]) == (1, 1, 2 + 1), certificate
    eventually(lambda: is_gone(world, mine), 10)
    said = ask(world, acme, "GET", path)
    assert said.json()["text"] == "Zebra, his number is\n[…].\nThank you.\nCorrected." and said.json()["version"] == 3
    assert [bool(segment["words"]) for segment in said.json()["segments"]] == [True, False, True, True]
    assert said.json()["edited_by"] and said.header("etag") != etag
    for version in (1, 2):
        assert ask(world, acme, "GET", f"{path}?version={version}").status == 404
    assert "[…]" in ask(world, acme, "GET", f"{path}?format=srt").body.decode()
    stale = {"Content-Type": "application/json", "If-Match": etag}
    back = json.dumps({"segments": [spoken(f"It was {NUMBER}")]}).encode()
    assert world.main.call("PUT", path, stale, back, acme.key("agent")).status == 412, "the page of before brings nothing back"
    assert found_in_transcripts(world, acme, "0111+thank") == set()
    assert found_in_transcripts(world, acme, "zebra+thank") == {other.call_sid}
    assert ask(world, acme, "GET", plain_path).header("etag") == plain_etag, "another number"
    assert NUMBER in ask(world, acme, "GET", held_path).json()["text"]
    assert world.sql("select piece from transcript_pieces") == [{"piece": 1}]
    assert world.sql("select pieces_done from transcripts where recording_sid = ?", unfinished.sid) == [{"pieces_done": 1}]
    assert ask(world, acme, "DELETE", f"/api/calls/{held.call_sid}/hold").status == 204
    certificate = erased(world, acme)
    assert (certificate["calls"], certificate["held"], certificate["edited"]) == (0, 0, 2)
    assert {world.state(tape.sid) for tape in (other, held, plain, unfinished)} == {"ready"}
    scanned = [NUMBER, *words[1:]]  # the digits alone are a part of another number
    eventually(lambda: not rows_that_name(world, scanned), 10, lambda: rows_that_name(world, scanned))
    eventually(lambda: not names_in(world, scanned), 15, lambda: names_in(world, scanned))



def test_an_erasure_takes_the_number_out_of_names_that_people_chose(world, provider):
    """A user's name, which the host gives (sub): of notes, corrections, sessions. The names of keys, reasons of holds, and what the
    business calls itself and expects to hear."""
    words = [NUMBER, NUMBER[1:], "+1 500 555-0111"]
    world.private |= {NUMBER, OTHER}
    server = world.main = world.server(JWT_SECRET=SECRET)
    acme = world.business(provider)
    tape, held = call_of(world, acme, provider, OTHER), call_of(world, acme, provider, OTHER)
    user, noa = (bearer(token(claims(acme.id, "admin", sub=sub))) for sub in (NUMBER, "noa"))
    send = lambda who, method, path, value=None, **more: server.call(
        method, path, {**who, **more, "Content-Type": "application/json"}, json.dumps(value).encode() if value is not None else None)
    made_by = {}
    for name, who in (("user", user), ("noa", noa)):
        made_by[name] = send(who, "POST", f"/api/recordings/{tape.sid}/notes", {"text": "a note"}).json()["id"]
    for name in ("of +1 500 555-0111", "a spare one"):
        assert send(noa, "POST", "/api/keys", {"name": name, "role": "viewer"}).status == 201
    assert send(noa, "PATCH", "/api/business", {"name": f"Acme {NUMBER}", "vocabulary": f"zebra, {NUMBER}"}).status == 200
    assert send(noa, "PUT", f"/api/recordings/{held.sid}/hold", {"reason": f"asked by {NUMBER}"}).status == 204
    assert NUMBER in status_of(world, acme, held)["hold"]["reason"]
    cookies = [{"Cookie": send(who, "POST", "/api/session").header("set-cookie").split(";")[0]} for who in (user, noa)]
    path = f"/api/recordings/{tape.sid}/transcript"
    transcribed(world, acme, tape, "One.")
    for who in (user, noa, user):
        etag = send(noa, "GET", path).header("etag")
        assert send(who, "PUT", path, {"segments": [spoken("Corrected.")]}, **{"If-Match": etag}).status == 200
    etag = send(noa, "GET", path).header("etag")
    assert {table for table, _ in rows_that_name(world, words)} == {
        "notes", "keys", "businesses", "holds", "recordings", "sessions", "transcripts", "transcript_versions"}
    certificate = erased(world, acme)
    assert (certificate["calls"], certificate["held"], certificate["edited"]) == (0, 0, 1 + 1 + 2 + 1 + 2), certificate
    eventually(lambda: not rows_that_name(world, words), 10, lambda: rows_that_name(world, words))
    eventually(lambda: not names_in(world, words), 15, lambda: names_in(world, words))
    assert not [word for word in words if word in server.log()]
    notes = {note["id"]: note["by"] for note in send(noa, "GET", f"/api/recordings/{tape.sid}/notes").json()["notes"]}
    assert notes == {made_by["user"]: "user:[…]", made_by["noa"]: "user:noa"}
    newest = send(noa, "GET", path)
    assert newest.json()["edited_by"] == "user:[…]" and newest.header("etag") == etag, "it is the same text"
    assert send(noa, "GET", f"{path}?version=4").json()["edited_by"] == "user:noa"
    assert status_of(world, acme, held)["hold"]["reason"] == "asked by […]" and delete(world, acme, held).status == 409
    assert send(noa, "GET", "/api/business").json()["name"] == "Acme […]"
    assert {key["name"] for key in send(noa, "GET", "/api/keys").json()["keys"]} >= {"of […]", "a spare one"}
    assert [server.get("/api/session", headers=cookie).status for cookie in cookies] == [401, 200]


def segments(world):
    """How many segments the search's index has: terms of deleted documents stand in all but a single one. FTS5 writes the number of
    levels and that of segments behind four bytes."""
    [row] = world.sql("select block from call_documents_data where id = 10")
    levels, count = row["block"][4:6]
    assert levels < 128 and count < 128, "one byte each"
    return count


def is_forgotten(world):
    """Whether nothing of what was deleted is in the search's index."""
    tables = ("forgets where wanted > done", "call_documents_gone", "transcript_terms_due")
    return not any(world.sql(f"select 1 from {table}") for table in tables)


def by_erasure(world, acme, tape):
    erased(world, acme)


def by_deleting_the_call(world, acme, tape):
    assert ask(world, acme, "DELETE", f"/api/calls/{tape.call_sid}").status == 204


def by_deleting_the_recording(world, acme, tape):
    assert delete(world, acme, tape).status == 204


def by_retention(world, acme, tape):
    world.done("business", "set", acme.id, "--retention", 10)
    world.pass_time(65)


def by_retention_of_calls(world, acme, tape):
    world.done("business", "set", acme.id, "--retention", 10, "--retention-metadata", 20)
    world.pass_time(65)
    world.wait_state(tape.sid, "expired", 10)
    world.pass_time(11 * 60)


@pytest.mark.parametrize("remove, goes_whole", [(by_erasure, True), (by_deleting_the_call, True), (by_retention_of_calls, True),
                                                (by_deleting_the_recording, False), (by_retention, False)])
def test_a_scan_finds_nothing_of_what_was_removed(world, provider, acme, remove, goes_whole):  # noqa: F811
    """Of the recording: the note's text and the transcript. Of a call besides: its number and its names."""
    world.private |= {NUMBER, OTHER}
    others = call_of(world, acme, provider, OTHER)
    long_ago = email.utils.format_datetime(datetime.datetime.fromtimestamp(world.clock.now_ms() // 1000 - 40 * 86400, datetime.timezone.utc))
    tape = call_of(world, acme, provider, NUMBER, CallerName="ERASABLE-CALLER", Timestamp=long_ago)
    heard, names = ["ErasableNote", "ErasableSpeech", "ErasableTrm"], [NUMBER, NUMBER[1:], "ERASABLE-CALLER", "Dana Erasable"]
    patch = json.dumps({"customer_name": "Dana Erasable"}).encode()
    assert world.main.call("PATCH", f"/api/calls/{tape.call_sid}", MERGE, patch, acme.key("agent")).status == 200
    assert ask(world, acme, "POST", f"/api/recordings/{tape.sid}/notes", {"text": "ErasableNote"}).status == 201
    for one, said in ((others, "OthersSpeech"), (tape, "ErasableSpeech")):
        write(world, "insert into transcripts (business_id, recording_sid, status, version, created_at, updated_at)"
                     f" values ({acme.id}, '{one.sid}', 'ready', 1, 1, 1)")
        write(world, "insert into transcript_versions (business_id, recording_sid, version, made_at, document)"
                     f""" values ({acme.id}, '{one.sid}', 1, 1, '{{"text":"{said}"}}')""")
        write(world, "insert into transcript_texts (business_id, recording_sid, document_id, words, marks, text)"
                     f" values ({acme.id}, '{one.sid}', {abs(hash(one.sid)) % 10 ** 9}, '{said[:8]}Trm', '1 2 x', '{said}')")
    words = heard + names if goes_whole else heard
    assert names_in(world, words) or world.schema, "the scan finds what is there"
    remove(world, acme, tape)
    world.wait_state(tape.sid, "expired", 10)
    eventually(lambda: is_gone(world, tape), 10)
    eventually(lambda: not rows_that_name(world, words), 10, lambda: rows_that_name(world, words))
    if not world.schema:
        eventually(lambda: is_forgotten(world), 15, "the index is rewritten")
        assert not goes_whole or segments(world) == 1
        eventually(lambda: not names_in(world, words), 15, lambda: names_in(world, words))
    assert world.state(others.sid) == "ready"
    listed = world.main.get(f"/api/calls?search={OTHER[1:]}", acme.viewer).json()["calls"]
    assert len(listed) == 1, "the others are found by the index as before"


def write(world, text):
    if world.schema:
        return world.schema.change(text)
    with sqlite3.connect(world.database, timeout=20) as db:
        db.execute(text)


def test_a_number_of_the_business_is_not_erased(world, provider, acme):  # noqa: F811
    world.private.add(NUMBER)
    world.done("business", "set", acme.id, "--number", NUMBER)
    assert ask(world, acme, "POST", "/api/erasure", {"number": NUMBER}).status == 409
    for number in ("5550111", "+0123456789", "+1555", "dana", "", None):
        assert ask(world, acme, "POST", "/api/erasure", {"number": number}).status == 400, number


@pytest.mark.sanitized
@pytest.mark.threads
def test_no_order_of_webhooks_brings_an_erased_call_or_a_deleted_recording_back(world, provider, acme):  # noqa: F811
    world.private.add(NUMBER)
    wiped, deleted = call_of(world, acme, provider), call_of(world, acme, provider, OTHER)
    child = p.sid("CA")
    acme.webhook_add_call(world.main, child, ParentCallSid=wiped.call_sid, From=NUMBER)
    assert delete(world, acme, deleted).status == 204
    erased(world, acme)
    for tape in (wiped, deleted):
        eventually(lambda: is_gone(world, tape), 10)
    asked, calls = len(provider.asks), world.sql("select call_sid from calls order by 1")
    grandchild = p.sid("CA")
    deliveries = [
        lambda tape: acme.tell(world.main, tape, "in-progress"),
        lambda tape: acme.tell(world.main, tape, RecordingDuration="7"),
        lambda tape: acme.tell(world.main, tape, "absent", ErrorCode="16101"),
        lambda tape: acme.webhook_add_call(world.main, tape.call_sid, From=NUMBER, RecordingUrl=tape.url, RecordingSid=tape.sid),
    ]
    for order in itertools.permutations(deliveries):
        for deliver in order:
            deliver(wiped)
            deliver(deleted)
    acme.webhook_add_call(world.main, child, ParentCallSid=wiped.call_sid, From=NUMBER)
    late = p.sid("CA")
    acme.webhook_add_call(world.main, late, ParentCallSid=wiped.call_sid, From=NUMBER)
    acme.webhook_add_call(world.main, grandchild, ParentCallSid=late, From=NUMBER)
    assert world.sql("select call_sid from calls order by 1") == calls
    assert {world.state(t.sid) for t in (wiped, deleted)} == {"expired"} and len(provider.asks) == asked
    assert world.row(wiped.sid)["call_sid"] is None and not rows_that_name(world, [NUMBER])


def test_neither_files_nor_commands_nor_credentials_bring_anything_back(world, provider, acme, tmp_path):  # noqa: F811
    world.private.add(NUMBER)
    wiped, deleted = call_of(world, acme, provider), call_of(world, acme, provider, OTHER)
    names = {tape: files_of(world, tape)[0] for tape in (wiped, deleted)}
    assert delete(world, acme, deleted).status == 204
    erased(world, acme)
    for tape in names:
        eventually(lambda: is_gone(world, tape), 10)
    asked = len(provider.asks)
    for tape, path in names.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(tape.bytes_for(".mp3"))
        (tmp_path / f"{tape.call_sid}.{tape.sid}.mp3").write_bytes(mp3(2))
        for action in ("prepare", "retry", "retry?force=1"):
            assert world.main.post(f"/api/recordings/{tape.sid}/{action}", acme.key("admin")).status == 410
        assert world.main.get(f"/api/recordings/{tape.sid}/stream", acme.viewer, {"Range": "bytes=0-"}).status == 410
        assert world.run("fetch", tape.sid).returncode == 1
    world.run("import", tmp_path, "--business", acme.id)
    world.run("retry", "--force")
    world.run("verify", "--repair")
    world.done("business", "set", acme.id, "--auth-token-file", world.secret_file(acme.token + "x"))
    assert {world.state(t.sid) for t in names} == {"expired"} and len(provider.asks) == asked
    assert not world.sql("select 1 from calls where call_sid = ?", wiped.call_sid)


def test_the_audit_tells_of_all_that_is_kept_and_removed(world, provider, acme):  # noqa: F811
    world.private |= {NUMBER, OTHER}
    tapes = [call_of(world, acme, provider, OTHER) for _ in range(3)]
    mine = call_of(world, acme, provider)
    assert hold(world, acme, f"/api/recordings/{tapes[0].sid}").status == 204
    assert hold(world, acme, f"/api/calls/{tapes[1].call_sid}").status == 204
    number = ask(world, acme, "POST", "/api/holds", {"number": NUMBER, "reason": "a claim"}).json()["hold_id"]
    assert ask(world, acme, "POST", "/api/erasure", {"number": NUMBER}).json()["code"] == "held"
    for path in (f"/api/recordings/{tapes[0].sid}/hold", f"/api/calls/{tapes[1].call_sid}/hold", f"/api/holds/{number}"):
        assert ask(world, acme, "DELETE", path).status == 204
    assert ask(world, acme, "DELETE", f"/api/recordings/{tapes[0].sid}").status == 204
    assert ask(world, acme, "DELETE", f"/api/calls/{tapes[1].call_sid}").status == 204
    done = erased(world, acme)
    assert ask(world, acme, "PATCH", "/api/business", {"retention_days": 30}).status == 200
    world.done("business", "set", acme.id, "--retention", 1)
    world.pass_time(2 * 86400)
    world.wait_state(tapes[2].sid, "expired", 10)
    told = [(e["action"], e["object"], e["role"], bool(e["ip"]), e["details"]) for e in reversed(entries(world, acme))]
    told = [e for e in told if e[0] in ("hold_set", "hold_removed", "delete", "erasure", "settings_changed", "expire")]
    call_id, number_id = done["erasure_id"] - 1, done["erasure_id"]
    assert [e[:4] for e in told if e[2] == "admin"] == [(action, what, "admin", True) for action, what in [
        ("hold_set", tapes[0].sid), ("hold_set", tapes[1].call_sid), ("hold_set", f"hold:{number}"),
        ("hold_removed", tapes[0].sid), ("hold_removed", tapes[1].call_sid), ("hold_removed", f"hold:{number}"),
        ("delete", tapes[0].sid), ("delete", tapes[1].sid), ("delete", tapes[1].call_sid), ("erasure", f"erasure:{call_id}"),
        ("delete", mine.sid), ("delete", mine.call_sid), ("erasure", f"erasure:{number_id}"),
        ("settings_changed", f"business:{acme.id}")]]
    assert [e[4] for e in told if e[0] == "settings_changed"][-2:] == [
        {"fields": ["retention"], "retention_days": 30}, {"fields": ["retention"], "retention_days": 1}]
    assert [e[1:4] for e in told if e[0] == "expire"] == [(tapes[2].sid, "service", False)]
    assert NUMBER not in str(entries(world, acme)) and world.run("audit", "verify").returncode == 0


def test_legal_holds_stop_a_purge(world, provider, acme):  # noqa: F811
    tape = call_of(world, acme, provider)
    world.private.add(NUMBER)
    assert hold(world, acme, f"/api/recordings/{tape.sid}").status == 204
    refused = world.run("business", "remove", acme.id, "--purge")
    assert refused.returncode == 1 and "legal holds" in refused.stderr
    assert world.state(tape.sid) == "ready" and files_of(world, tape)
    world.done("business", "remove", acme.id, "--purge", "--despite-holds")
    assert not world.sql("select 1 from recordings") and not files_of(world, tape)


def test_a_retry_by_command_is_audited(world, provider, acme):  # noqa: F811
    tape = provider.tape()
    acme.tell(world.main, tape, "absent", ErrorCode="16101")
    world.wait_state(tape.sid, "failed")
    world.done("retry", "--force")
    [entry] = entries(world, acme, "retry")
    assert (entry["actor"], entry["role"], entry["object"], entry["details"]) == (
        "command", "operator", f"business:{acme.id}", {"queued": 1})


def test_an_erasure_goes_on_after_a_crash(world, provider, acme):  # noqa: F811
    world.private.add(NUMBER)
    calls = [p.sid("CA") for _ in range(40)]
    for call in calls:
        acme.webhook_add_call(world.main, call, From=NUMBER)
    tape = call_of(world, acme, provider)
    begun = ask(world, acme, "POST", "/api/erasure", {"number": NUMBER})
    assert begun.status == 202 and begun.json()["status"] == "running"
    world.main.kill()
    assert 0 < len(world.sql("select 1 from calls")) <= 41
    open_erasures = lambda: json.loads(world.done("status", "--json"))["removal"]["erasures"]
    assert open_erasures() == 1 and "Erasures that go on: 1." in world.done("status")
    world.main = world.server()
    path = f"/api/erasure/{begun.json()['erasure_id']}"
    done = eventually(lambda: (lambda e: e if e["status"] == "done" else None)(ask(world, acme, "GET", path).json()), 20)
    assert (done["calls"], done["recordings"]) == (41, 1) and not world.sql("select 1 from calls")
    eventually(lambda: is_gone(world, tape), 10)
    assert len(entries(world, acme, "erasure")) == 1 and not names_in(world, [NUMBER]) and open_erasures() == 0


def test_a_call_whose_number_only_a_recordings_webhook_told_goes_and_is_held(world, provider, acme):  # noqa: F811
    world.private |= {NUMBER, OTHER}
    tape, held, renamed = provider.tape(), provider.tape(), provider.tape()
    acme.tell(world.main, tape, From=NUMBER, To=OTHER)
    acme.tell(world.main, held, From="+15005550144", To=OTHER)
    acme.webhook_add_call(world.main, renamed.call_sid, From=OTHER)
    acme.tell(world.main, renamed, From=NUMBER)
    for recording in (tape, held, renamed):
        world.wait_state(recording.sid)
    assert world.main.get(f"/api/calls/{tape.call_sid}", acme.viewer).json()["from"] == NUMBER
    assert world.main.get(f"/api/calls/{renamed.call_sid}", acme.viewer).json()["from"] == OTHER, "the call's own webhook counts"
    assert ask(world, acme, "POST", "/api/holds", {"number": "+15005550144", "reason": "a claim"}).status == 201
    assert delete(world, acme, held).status == 409
    certificate = erased(world, acme)
    assert (certificate["calls"], certificate["recordings"]) == (1, 1)
    eventually(lambda: is_gone(world, tape), 10)
    assert world.state(held.sid) == world.state(renamed.sid) == "ready"
    eventually(lambda: not rows_that_name(world, [NUMBER, NUMBER[1:]]), 10, lambda: rows_that_name(world, [NUMBER]))
