"""Calls of real voices through the whole program with a real engine."""
import urllib.error

import pytest

import calls
import measure
import score
from conftest import made_world
from engines import cpu_seconds, transcribe
from through import Service

pytestmark = pytest.mark.usefixtures("voices")
WER_MOST = 0.07
FIRST_WORD_S, FIRST_WORD_SHARE = 0.5, 0.95


@pytest.fixture(scope="module", params=["half", pytest.param("whole", marks=pytest.mark.long)])
def call(request):
    """A call of half of the prompts, or of all."""
    return calls.make(calls.prompts("held")[::2 if request.param == "half" else 1], seed=7)


@pytest.fixture(scope="module")
def heard_call(engines, tmp_path_factory, call):
    """The transcript of the call, and the engine's processor time for it."""
    engine = engines("tiny.en")
    before = cpu_seconds(engine.child.pid)
    world = made_world(tmp_path_factory.mktemp("world"))
    try:
        service = Service(world, engine.url)
        return service.transcript(service.tell(call.mp3(), seconds=call.seconds)), cpu_seconds(engine.child.pid) - before
    finally:
        world.close()


def test_an_english_call_of_two_speakers_is_heard_right(heard_call, scoring, call):
    document, _ = heard_call
    assert document["status"] == "ready" and document["language"] == "en" and document["gaps"] == [], document
    heard = measure.Heard.transcript(document)
    found = score.score([(call.words(channel), heard.text(channel)) for channel in (0, 1)], scoring)
    late = measure.first_words(call.utterances, heard)
    assert found["wer"] <= WER_MOST, (found, heard.text())
    assert measure.wrong_channels(call.utterances, document) == []
    assert measure.share_within(late, FIRST_WORD_S) >= FIRST_WORD_SHARE, sorted(value for value in late if value is not None)
    assert sum(value is None for value in late) <= 0.1 * len(late)
    assert {segment["speaker"] for segment in document["segments"]} == {"customer", "agent"}
    assert abs(document["duration"] - call.seconds) < 0.5


def test_the_same_mixed_has_no_speakers(engines, world, scoring, call):
    service = Service(world, engines("tiny.en").url)
    document = service.transcript(service.tell(call.mp3(mono=True), channels=1, seconds=call.seconds))
    heard = measure.Heard.transcript(document)
    assert {segment["speaker"] for segment in document["segments"]} == {None}
    found = score.score([(call.words(), heard.text())], scoring)
    assert found["wer"] <= WER_MOST, (found, heard.text())
    late = measure.first_words(call.utterances, heard, mono=True)
    alone = [value for utterance, value in zip(call.utterances, late, strict=True) if not calls.begins_within(call.utterances, utterance)]
    assert len(alone) >= 0.6 * len(late) and measure.share_within(alone, FIRST_WORD_S) >= FIRST_WORD_SHARE, late


@pytest.mark.parametrize("model", ["tiny.en", pytest.param("base", marks=pytest.mark.long)])
def test_what_is_no_speech_makes_no_text(engines, world, model):
    service = Service(world, engines(model, threads=2 if model == "base" else 1).url)
    told = {name: service.tell(sound, channels=1) for name, sound in calls.no_speech().items()}
    for name, recording_sid in told.items():
        document = service.transcript(recording_sid)
        nothing = document["status"] == "failed" and document["error"]["code"] == "no_speech"
        assert nothing or (document["status"] == "ready" and document["text"] == ""), (name, document)


@pytest.mark.long
@pytest.mark.parametrize("language", ["es", "fr", "it", "ru"])
def test_other_languages_are_told_and_found(engines, world, language):
    service = Service(world, engines("base", threads=2).url, SPEECH_LANGUAGE="auto")
    rows = calls.phrases(language)
    call = calls.make([row[:3] for row in rows], seed=1)
    document = service.transcript(service.tell(call.mp3(), seconds=call.seconds), within=400)
    assert document["language"] == language, document
    for *_, words in rows:
        assert service.matches(words), (words, document["text"])


@pytest.mark.long
def test_what_is_not_audio_is_500_as_the_engines_own_faults(faster_whisper):
    """So callreel can't tell them apart by the status."""
    with pytest.raises(urllib.error.HTTPError, match="500"):
        transcribe(faster_whisper, b"no audio")


@pytest.mark.long
def test_an_engine_that_gives_no_words_is_enough(world, scoring, faster_whisper, call):
    service = Service(world, faster_whisper.url)
    document = service.transcript(service.tell(call.mp3(), seconds=call.seconds), within=600)
    heard = measure.Heard.transcript(document)
    found = score.score([(call.words(channel), heard.text(channel)) for channel in (0, 1)], scoring)
    assert document["status"] == "ready" and found["wer"] <= WER_MOST, (found, heard.text())


@pytest.mark.long
def test_silence_is_not_paid_for(engines, heard_call, call):
    """The engine's processor time for a call is well below that for its two whole channels."""
    engine, (_, seconds) = engines("tiny.en"), heard_call
    before = cpu_seconds(engine.child.pid)
    for channel in (0, 1):
        transcribe(engine, call.one_channel(channel), language="en")
    assert seconds <= 0.6 * (cpu_seconds(engine.child.pid) - before)
