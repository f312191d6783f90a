"""callreel transcribe, and the lines of check and status on the speech engine."""
import json

import pytest

from speech_engine import error, says

HEARD = says([(0.0, 2.2, "Ask what you can do for your country.")])
ENGINE = {"SPEECH_ENGINE": "openai", "SPEECH_PRICE": "0.006"}


@pytest.fixture
def recordings(world, provider):
    """Three ready recordings of a minute each, of calls on three days."""
    business = world.business(provider)
    server = world.server()
    tapes = []
    for day in (1, 2, 3):
        tape = provider.tape(seconds=60)
        business.webhook_add_call(server, tape.call_sid, StartTime=f"Mon, 0{day} Jun 2026 10:00:00 +0000")
        business.tell(server, tape, RecordingStartTime=f"Mon, 0{day} Jun 2026 10:00:00 +0000")
        tapes.append(tape)
    for tape in tapes:
        world.wait_state(tape.sid)
    return tapes


def transcribe(world, *argv, **settings):
    done = world.run("transcribe", *argv, "--json", env={**ENGINE, **settings})
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def queued(world):
    return {row["recording_sid"] for row in world.sql("select recording_sid from tasks where kind = 'transcribe'")}


@pytest.mark.sanitized
def test_it_says_minutes_and_price_before_it_queues(world, recordings):
    first = transcribe(world, "--since", "2026-06-02", "--dry-run")
    assert first["dry_run"] and first["recordings"] == 2 and first["minutes"] == pytest.approx(2, abs=0.1) and first["queued"] == 0
    assert first["price"] == pytest.approx(0.012, abs=0.001) and queued(world) == set()
    assert transcribe(world, "--since", "2026-06-02")["queued"] == 2
    assert queued(world) == {tape.sid for tape in recordings[1:]}
    assert transcribe(world, "--since", "2026-01-01", "--missing")["queued"] == 1
    assert queued(world) == {tape.sid for tape in recordings}
    text = world.done("transcribe", "--since", "2026-06-02", env=ENGINE)
    assert text == "0 recordings, 0.0 minutes of audio, 0.00 by SPEECH_PRICE.\n0 recordings are queued.\n"


def test_one_is_asked_for_by_its_call_or_its_own_sid(world, recordings):
    assert transcribe(world, recordings[0].sid)["queued"] == 1
    assert transcribe(world, recordings[1].call_sid)["queued"] == 1
    assert queued(world) == {tape.sid for tape in recordings[:2]}
    status = json.loads(world.done("status", "--json"))["transcripts"]
    assert status == {"queue_depth": 2, "speed": None, "today": {"transcripts": 0, "recorded_minutes": 0, "sent_minutes": 0, "price": None}}
    lines = world.done("status", env=ENGINE).splitlines()
    assert "Transcripts: 2 wait or are made.  Today: 0, of 0.0 minutes; 0.0 minutes of speech sent, 0.00 by SPEECH_PRICE." in lines
    [line] = [line for line in world.done("status").splitlines() if line.startswith("Transcripts: 2 wait")]
    assert line.endswith("SPEECH_ENGINE is none for this command; if it is for the server too, they wait for an engine.")


def test_what_can_not_be_done_is_said(world, provider):
    world.business(provider)
    for argv, code, sentence in ((["RE" + "0" * 32], 1, "recording or call RE" + "0" * 32 + " is not known"),
                                 ([], 2, "either an ID or --since TIME is needed"),
                                 (["--since", "soon"], 2, "--since must be a time like 2026-11-21T08:00:00Z or a date"),
                                 (["12"], 2, "12 is not the SID of a recording or a call")):
        done = world.run("transcribe", *argv, env=ENGINE)
        assert done.returncode == code and done.stderr.startswith(f"callreel transcribe: {sentence}")
    done = world.run("transcribe", "--since", "2026-01-01")
    assert (done.returncode, done.stderr) == (1, "callreel transcribe: there is no engine: SPEECH_ENGINE is none\n")


def speech_findings(world, **settings):
    done = world.run("check", "--json", env={**ENGINE, **settings}, within=40)
    return [(finding["level"].lower(), finding["finding"], finding["mend"]) for finding in json.loads(done.stdout)["findings"] if finding["about"] == "speech"]


def test_check_says_what_each_engine_heard(world, provider):
    world.business(provider)
    good, deaf = world.speech_engine(key="sk-of-the-story"), world.speech_engine()
    good.default = HEARD
    deaf.default = says([(0.0, 1.0, "thank you")])
    [first, second] = speech_findings(world, SPEECH_URL=f"{good.url}, {deaf.url}", SPEECH_API_KEY="sk-of-the-story")
    assert first[0] == "ok" and first[1].startswith(f"{good.url} (whisper-1) heard in ")
    assert first[1].endswith('"Ask what you can do for your country."')
    assert second[0] == "warn" and 'heard "thank you" where "ask what you can do for your country" was said' in second[1]
    [ask] = good.asks
    assert 1.5 < ask.seconds < 3 and ask.language == "en" and ask.fields["response_format"] == "verbose_json"


def test_check_says_why_an_engine_gives_no_text(world, provider):
    world.business(provider)
    engine = world.speech_engine()
    engine.default = error(401)
    [(level, text, mend)] = speech_findings(world, SPEECH_URL=engine.url)
    assert level == "fail" and "auth_failed" in text and "SPEECH_API_KEY" in mend
    engine.leave()
    [(level, text, mend)] = speech_findings(world, SPEECH_URL=engine.url)
    assert level == "fail" and "engine_unreachable" in text and "script/whisper serve" in mend
    assert speech_findings(world, SPEECH_ENGINE="none") == []


def test_check_asks_google_with_a_token_of_the_service_account(world, provider):
    world.business(provider)
    engine = world.speech_engine()
    engine.default = HEARD
    settings = engine.google_settings(world.directory)
    [(level, text, _)] = speech_findings(world, **settings)
    assert level == "ok" and "(long) heard in" in text and len(engine.tokens) == 1
    [(level, text, _)] = speech_findings(world, **{**settings, "GOOGLE_APPLICATION_CREDENTIALS": str(world.directory / "none.json")})
    assert level == "fail" and "has no service account" in text
