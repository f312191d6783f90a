"""Recordings become transcripts: once, in turn, over crashes and over an engine that is gone, slow, frozen or refuses."""
import json
import random
import re
import signal
import sqlite3
import threading
from pathlib import Path

import pytest

import speech_engine as e
import speech_sound
from callreel import eventually
from test_erasure import rows_that_name
from test_holds import names_in

pytestmark = pytest.mark.sanitized
DIALOGUE = [[(0.5, 2.5, 1), (8.0, 10.0, 3)], [(3.5, 6.5, 2)]]


class Stage:
    """A server with a scripted engine, and a business whose recordings say what a story wants."""

    def __init__(self, world, provider, engine, **settings):
        self.world, self.provider, self.engine = world, provider, engine
        self.settings = {"SPEECH_ENGINE": "openai", "SPEECH_URL": engine.url, **settings}
        self.server = world.server(**self.settings)
        self.business = world.business(provider)

    def recorded(self, channels=DIALOGUE, seconds=12, business=None, server=None):
        tape = self.provider.tape()
        tape.sounds["mp3"] = speech_sound.call(channels, seconds)
        (business or self.business).webhook_add_call(server or self.server, tape.call_sid)
        (business or self.business).tell(server or self.server, tape)
        return tape

    def transcript(self, tape, business=None, server=None):
        business = business or self.business
        answer = (server or self.server).get(f"/api/recordings/{tape.sid}/transcript", business.viewer)
        return answer.json() if answer.status == 200 else None

    def wait(self, tape, status="ready", within=30, error=None, **where):
        def look():
            got = self.transcript(tape, **where)
            return got if got and got["status"] == status and (error is None or (got["error"] or {}).get("code") == error) else None
        return eventually(look, within, f"the transcript of {tape.sid} is {status}")

    def failures(self):
        """Of the engine, in a row."""
        return self.world.sql("select max(failures) as n from speech_slots")[0]["n"]

    def call(self, tape):
        return self.server.get(f"/api/calls/{tape.call_sid}", self.business.viewer).json()

    def find(self, words, business=None):
        answer = self.server.get(f"/api/calls?search={words}", (business or self.business).viewer)
        return [call["call_sid"] for call in answer.json()["calls"]]


@pytest.fixture
def engine(world):
    return world.speech_engine()


@pytest.fixture
def stage(world, provider, engine):
    return Stage(world, provider, engine)


@pytest.mark.threads
def test_a_recording_is_transcribed_by_itself_and_found_by_its_words(stage):
    stage.engine.says = {1: "I want to cancel,", 2: "one moment please.", 3: "thank you"}
    tape = stage.recorded()
    made = stage.wait(tape)
    assert [(s["speaker"], s["channel"], s["text"]) for s in made["segments"]] == [
        ("customer", 0, "I want to cancel,"), ("agent", 1, "one moment please."), ("customer", 0, "thank you")]
    for segment, start in zip(made["segments"], (0.5, 3.5, 8.0), strict=True):
        assert abs(segment["start"] - start) < 0.5
    assert made["engine"] == "openai" and made["version"] == 1 and made["language"] == "en" and made["error"] is None
    assert abs(made["duration"] - 12) < 0.2 and made["progress"]["done"] == made["progress"]["total"] == 2
    assert stage.call(tape)["has_transcript"] is True
    assert stage.find("cancel") == [tape.call_sid] and stage.find("moment+cancel") == [tape.call_sid] and stage.find("nothing") == []
    row = stage.world.sql("select final_transcript from call_log where call_sid = ?", tape.call_sid)[0]
    assert row["final_transcript"].splitlines() == ["I want to cancel,", "one moment please.", "thank you"]
    assert stage.world.sql("select count(*) as n from transcript_pieces")[0]["n"] == 0
    log = stage.server.log().lower()
    assert "transcript ready" in log and not any(word in log for word in ("cancel", "moment", "thank"))


def test_without_speech_nothing_is_sent(stage):
    tape = stage.recorded([[], []], 5)
    stage.wait(tape, "failed", error="no_speech")
    assert stage.engine.asks == [] and stage.call(tape)["has_transcript"] is False
    assert stage.world.state(tape.sid) == "ready"


def test_what_a_business_says_decides(stage):
    stage.world.done("business", "set", stage.business.id, "--transcribe", "asked", "--language", "he")
    words = stage.world.directory / "words.txt"
    words.write_text("Acme, Zebra")
    stage.world.done("business", "set", stage.business.id, "--vocabulary", words)
    tape = stage.recorded()
    stage.world.wait_state(tape.sid)
    assert stage.transcript(tape) is None
    assert stage.server.post(f"/api/recordings/{tape.sid}/transcribe", stage.business.key("agent")).status == 202
    stage.wait(tape)
    assert all(ask.language == "he" and "Zebra" in ask.fields["prompt"] for ask in stage.engine.asks)
    assert "Zebra" not in stage.server.log()


@pytest.mark.threads
def test_an_engine_that_comes_back_is_asked_again(stage):
    stage.engine.leave()
    tape = stage.recorded()
    stage.wait(tape, "queued", error="engine_unreachable")
    stage.engine.come_back()
    stage.wait(tape)
    assert set(stage.engine.times_sent().values()) == {1}


def test_an_engine_that_is_busy_is_asked_when_it_says(stage):
    stage.engine.acts = [e.error(429, retry_after=2)]
    tape = stage.recorded()
    stage.wait(tape, "queued", error="rate_limited")
    stage.wait(tape)


def test_an_engine_that_freezes_is_asked_again(stage):
    silent, half = threading.Event(), threading.Event()
    stage.engine.acts = [e.until_gone(silent), e.until_gone(half, half=True)]
    tape = stage.recorded()
    for gone in (silent, half):
        stage.world.pass_time_until(gone.is_set)
    stage.world.pass_time_until(lambda: stage.transcript(tape)["status"] == "ready")
    assert sorted(stage.engine.times_sent().values()) == [1, 3]


def test_an_engine_that_is_gone_for_ten_minutes_delays_all_and_loses_nothing(stage):
    stage.engine.acts = [e.hears(), e.hang]
    tapes = [stage.recorded([[(0.5, 2.5, n)], [(3.5, 6.5, 10 + n)]]) for n in range(3)]
    eventually(lambda: len(stage.engine.asks) == 2, 30, "the second piece is asked for")
    stage.engine.leave()
    until, failures = stage.world.clock.now_ms() + 600_000, 0
    while stage.world.clock.now_ms() < until:
        stage.world.pass_time_until(lambda n=failures: stage.failures() > n, step=20)
        failures = stage.failures()
    assert failures > 10 and all(stage.transcript(tape)["status"] == "queued" for tape in tapes)
    stage.engine.come_back()
    for tape in tapes:
        stage.world.pass_time_until(lambda tape=tape: stage.transcript(tape)["status"] == "ready")
    assert sorted(stage.engine.times_sent().values()) == [1, 1, 1, 1, 1, 2], "a piece that was cut off is sent again, no stored one"
    assert stage.world.sql("select count(*) as n from transcript_versions")[0]["n"] == 3


def test_a_piece_that_is_refused_while_others_pass_is_a_gap(stage):
    stage.engine.on(lambda ask: 2 in ask.sentences, e.error(500))
    tape = stage.recorded()
    made = stage.wait(tape)
    assert [s["channel"] for s in made["segments"]] == [0, 0]
    assert len(made["gaps"]) == 1 and made["gaps"][0]["reason"] == "engine_error"
    assert abs(made["gaps"][0]["start"] - 3.5) < 0.5 and abs(made["gaps"][0]["end"] - 6.5) < 0.5
    assert max(stage.engine.times_sent().values()) == 3


def test_refused_credentials_are_told(stage):
    stage.engine.key = "right"
    tape = stage.recorded()
    stage.wait(tape, "queued", error="auth_failed")
    assert stage.world.state(tape.sid) == "ready"


@pytest.mark.threads
def test_a_deletion_ends_what_runs_and_leaves_nothing(stage):
    gate = threading.Event()
    stage.engine.acts = [e.hold(gate, e.hears())]
    tape = stage.recorded()
    eventually(lambda: stage.engine.asks, 15, "the engine is asked")
    assert stage.server.call("DELETE", f"/api/recordings/{tape.sid}", key=stage.business.key("admin")).status == 204
    eventually(lambda: stage.engine.working == 0 or gate.is_set() or not stage.world.sql("select 1 from speech_slots where lease_owner is not null"),
               2, "the request ended")
    gate.set()
    eventually(lambda: all(not stage.world.sql(f"select 1 from {table}") for table in TABLES), 10, "nothing is left")
    other = stage.recorded()
    stage.wait(other)


TABLES = ("transcripts", "transcript_versions", "transcript_pieces", "transcript_texts")


def call_of(minutes):
    """Each minute has two sentences."""
    return speech_sound.wav([speech_sound.channel([(1.0, 3.0, 1), (31.0, 34.0, 2)], 60) * minutes])


@pytest.mark.parametrize("minutes", [30, pytest.param(180, marks=pytest.mark.long)])
def test_a_deletion_ends_the_transcription_of_a_long_call(stage, minutes):
    gone, stored = threading.Event(), 2
    stage.engine.acts = [e.hears()] * stored + [e.until_gone(gone)]
    tape = stage.provider.tape()
    tape.sounds["mp3"] = call_of(minutes)
    stage.business.tell(stage.server, tape)
    eventually(lambda: len(stage.engine.asks) == stored + 1, 120, "some pieces are heard, and the next one is asked for")
    assert stage.world.sql("select count(*) as n from transcript_pieces")[0]["n"] == stored
    assert stage.world.sql("select 1 from speech_slots where lease_owner is not null")
    folder = stage.world.recordings() / str(stage.business.id)
    assert any(path.is_file() for path in folder.rglob("*"))
    assert stage.server.call("DELETE", f"/api/recordings/{tape.sid}", key=stage.business.key("admin")).status == 204
    assert gone.wait(30), "its request ended, though the engine never answered"
    eventually(lambda: not stage.world.sql("select 1 from speech_slots where lease_owner is not null"), 10, "the engine is free")
    eventually(lambda: not any(stage.world.sql(f"select 1 from {table}") for table in TABLES), 10, "no row is left")
    eventually(lambda: not any(path.is_file() for path in folder.rglob("*")), 10, "no file is left")
    assert not stage.world.sql("select 1 from tasks where kind = 'transcribe'")
    stage.wait(stage.recorded())
    assert len(stage.engine.asks) == stored + 3


def test_an_erasure_leaves_no_word_of_the_transcript(stage):
    stage.engine.says = {1: "Erasablesaid one", 2: "Erasablesaid two", 3: "Erasablesaid three"}
    tape = stage.recorded()
    stage.wait(tape)
    assert (names_in(stage.world, ["Erasablesaid"]) or stage.world.schema) and rows_that_name(stage.world, ["Erasablesaid"]), "the scan finds what is there"
    admin = stage.business.key("admin")
    begun = stage.server.post("/api/erasure", admin, {"Content-Type": "application/json"}, json.dumps({"number": "+15005550100"}).encode())
    assert begun.status in (200, 202), begun
    for scan in (rows_that_name, names_in):
        eventually(lambda scan=scan: not scan(stage.world, ["Erasablesaid"]), 15, lambda scan=scan: scan(stage.world, ["Erasablesaid"]))
    assert stage.find("Erasablesaid") == [] and not stage.world.sql("select 1 from transcripts")


def test_google_is_asked_with_a_token(world, provider, engine):
    stage = Stage(world, provider, engine, **engine.google_settings(world.directory))
    engine.says = {1: "one", 2: "two", 3: "three"}
    made = stage.wait(stage.recorded())
    assert [s["text"] for s in made["segments"]] == ["one", "two", "three"] and made["engine"] == "google"
    assert len(engine.tokens) == 1 and all(ask.kind == "google" for ask in engine.asks)


@pytest.mark.threads
def test_a_killed_worker_sends_no_stored_piece_again(world, provider, engine):
    stage = Stage(world, provider, engine)
    kill_at_random_moments(stage, recordings=4, kills=2, seed=7)


@pytest.mark.long
def test_fifty_kills_in_a_hundred_transcriptions(world, provider, engine):
    stage = Stage(world, provider, engine)
    kill_at_random_moments(stage, recordings=100, kills=50, seed=8)


def kill_at_random_moments(stage, recordings, kills, seed):
    rng = random.Random(seed)
    sentences = [[(2.0 * n, 2.0 * n + 1.5, n) for n in range(20)]]
    tapes = [stage.recorded(sentences, 42) for _ in range(recordings)]
    for tape in tapes:
        stage.world.wait_state(tape.sid, within=60)
    for _ in range(kills):
        answered = len(stage.engine.asks) + rng.randrange(1, 3)
        eventually(lambda n=answered: len(stage.engine.asks) >= n or done(stage) == recordings, 60, "the engine is asked")
        stage.server.kill()
        stage.world.pass_time(31)
        stage.server = stage.world.again(stage.server, **stage.settings)
    for tape in tapes:
        made = stage.wait(tape, within=120)
        assert made["version"] == 1 and [s["text"].count("sentence") for s in made["segments"]]
        assert made["text"].count("sentence") == 20
    assert stage.world.sql("select count(*) as n from transcript_versions")[0]["n"] == recordings
    pieces = stage.engine.times_sent()
    # two pieces a recording; a kill costs the one that was sent and not stored
    assert sum(pieces.values()) <= 2 * recordings + kills


def done(stage):
    return stage.world.sql("select count(*) as n from transcripts where status = 'ready'")[0]["n"]


@pytest.mark.threads
def test_two_workers_share_an_engine_that_takes_one_request_at_a_time(world, provider, engine):
    stage = Stage(world, provider, engine, SPEECH_CONCURRENCY=4)
    world.server("second", role="worker", **stage.settings)
    tapes = [stage.recorded() for _ in range(6)]
    for tape in tapes:
        stage.wait(tape, within=60)
    assert engine.most_at_once == 1 and len(engine.asks) == 12
    assert world.sql("select count(*) as n from transcript_versions")[0]["n"] == 6


@pytest.mark.threads
def test_a_frozen_worker_is_taken_over_and_changes_nothing(world, provider, engine):
    gate = threading.Event()
    engine.acts = [e.hold(gate, e.hears())]
    stage = Stage(world, provider, engine)
    tape = stage.recorded()
    assert stage.business.viewer
    eventually(lambda: engine.asks, 15, "the engine is asked")
    stage.server.freeze()
    world.pass_time(31)
    second = world.server("second", **stage.settings)
    made = stage.wait(tape, within=60, server=second)
    gate.set()
    stage.server.signal(signal.SIGCONT)
    stage.server.wait_listening()
    assert stage.wait(tape)["version"] == made["version"] == 1
    assert world.sql("select count(*) as n from transcript_versions")[0]["n"] == 1


def memory_kib(server, name):
    return int(re.search(rf"{name}:\s+(\d+)", Path(f"/proc/{server.pid}/status").read_text())[1])


@pytest.mark.long
def test_three_hours_keep_their_times_and_take_little_memory(world, provider, engine):
    stage = Stage(world, provider, engine)
    stage.wait(stage.recorded(), within=60)
    world.done("business", "set", stage.business.id, "--transcribe", "asked")
    minutes = 180
    tape = provider.tape()
    tape.sounds["mp3"] = call_of(minutes)
    stage.business.tell(stage.server, tape)
    world.wait_state(tape.sid, within=120)
    before = memory_kib(stage.server, "VmRSS")
    Path(f"/proc/{stage.server.pid}/clear_refs").write_text("5")  # the peak begins again
    assert stage.server.post(f"/api/recordings/{tape.sid}/transcribe", stage.business.key("agent")).status == 202
    made = stage.wait(tape, within=600)
    assert memory_kib(stage.server, "VmHWM") - before <= 40 * 1024
    assert made["text"].count("sentence 1") == made["text"].count("sentence 2") == minutes
    starts = [segment["start"] for segment in made["segments"]]
    wanted = [60 * n + at for n in range(minutes) for at in (1.0, 31.0)]
    assert len(starts) == len(wanted) and all(abs(a - b) < 0.5 for a, b in zip(starts, wanted, strict=True))


@pytest.mark.threads
def test_another_business_is_next_whatever_one_has_to_transcribe(world, provider, engine):
    gate = threading.Event()
    stage = Stage(world, provider, engine)
    engine.default = e.hold(gate, e.hears())
    many = [stage.recorded() for _ in range(12)]
    for tape in many:
        world.wait_state(tape.sid)
    eventually(lambda: engine.asks, 15, "the first one is heard")
    other = world.business(provider, "Other")
    tape = stage.recorded([[(0.5, 2.5, 50)]], 4, other)
    world.wait_state(tape.sid, business_id=other.id)
    eventually(lambda: stage.transcript(tape, other), 10, "it is queued")
    engine.default = e.hears()
    gate.set()
    stage.wait(tape, business=other)
    order = [50 in ask.sentences for ask in engine.asks]
    assert order.index(True) <= 4, "at most what ran already, and one more"
    for one in many:
        stage.wait(one, within=60)


def queue_many(world, business, recording_sid, count):
    """Recordings of a business that are to be transcribed, each with the same file."""
    with sqlite3.connect(world.database, timeout=20) as db:
        columns = [name for _, name, *_ in db.execute("pragma table_info(recordings)") if name not in ("recording_sid", "call_sid")]
        db.execute(f"""
            with recursive n(i) as (select 1 union all select i + 1 from n where i < ?)
            insert into recordings (recording_sid, {", ".join(columns)})
            select printf('RE%032x', i), {", ".join(f"r.{name}" for name in columns)} from n, recordings r where r.recording_sid = ?""",
                   (count, recording_sid))
        db.execute("insert into transcripts (business_id, recording_sid, status, etag, created_at, updated_at)"
                   " select business_id, recording_sid, 'queued', etag, 1, 1 from recordings where business_id = ? and call_sid is null", (business.id,))
        db.execute("insert into tasks (kind, business_id, recording_sid, rank, due_at, again_at, created_at)"
                   " select 'transcribe', business_id, recording_sid, 2, 0, 0, 1 from transcripts where status = 'queued' and created_at = 1")
    db.close()


def test_another_business_is_next_where_one_has_100_000_recordings_to_transcribe(world, provider, engine):
    gate = threading.Event()
    stage = Stage(world, provider, engine)
    if world.schema:
        pytest.skip("the rows are inserted into SQLite")
    engine.default = e.hold(gate, e.hears())
    first = stage.recorded()
    eventually(lambda: engine.asks, 15, "the first one is heard")
    queue_many(world, stage.business, first.sid, 100_000)
    other = world.business(provider, "Other")
    tape = stage.recorded([[(0.5, 2.5, 50)]], 4, other)
    world.wait_state(tape.sid, business_id=other.id)
    eventually(lambda: stage.transcript(tape, other), 10, "it is queued")
    gate.set()
    stage.wait(tape, business=other)
    order = [50 in ask.sentences for ask in engine.asks]
    assert order.index(True) <= 4, "at most the two pieces that ran already, and two of one more recording"
