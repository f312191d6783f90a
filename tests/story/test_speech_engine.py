"""The scripted speech engine itself, on which stories about transcripts rely."""
import base64
import json
import threading

import pytest

import speech_engine
import speech_sound
import wire
from callreel import eventually
from speech_engine import bytes_changed, changed, cut_at, error, hears, hold, says, split_character

CALL = [(0.5, 2.0, 1), (2.6, 4.0, 42)]


@pytest.fixture
def engine(world):
    return world.speech_engine()


def piece(sentences=CALL, seconds=5.0, rate=16000):
    return speech_sound.call([sentences], seconds, rate)


def transcribe(engine, audio, headers=(), **fields):
    form = {"response_format": "verbose_json", **fields}
    parts = [f'--edge\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode() for name, value in form.items()]
    parts.append(b'--edge\r\nContent-Disposition: form-data; name="file"; filename="a.wav"\r\n\r\n' + audio + b"\r\n--edge--\r\n")
    return wire.call(engine.port, "POST", speech_engine.TRANSCRIPTIONS,
                     [("Content-Type", "multipart/form-data; boundary=edge"), *headers], b"".join(parts))


def recognize(engine, audio, token=None):
    body = json.dumps({"config": {"languageCodes": ["iw-IL"]}, "content": base64.b64encode(audio).decode()}).encode()
    headers = [("Content-Type", "application/json")] + ([("Authorization", f"Bearer {token}")] if token else [])
    return wire.call(engine.port, "POST", "/v2/projects/p/locations/l/recognizers/_:recognize", headers, body)


def test_it_hears_sentences_where_they_are(engine):
    engine.says[1] = "hello there,"
    answer = transcribe(engine, piece(), prompt="Acme").json()
    assert answer["text"] == "hello there, sentence 42" and answer["language"] == "english"
    assert [(s["start"], s["end"]) for s in answer["segments"]] == [(pytest.approx(0.5, abs=0.05), pytest.approx(2.0, abs=0.05)),
                                                                   (pytest.approx(2.6, abs=0.05), pytest.approx(4.0, abs=0.05))]
    assert [w["word"] for w in answer["segments"][0]["words"]] == [" hello", " there,"]
    [ask] = engine.asks
    assert ask.sentences == [1, 42] and ask.seconds == 5.0 and ask.fields["prompt"] == "Acme"
    eventually(lambda: engine.answered == [ask])


@pytest.mark.parametrize("rate", [8000, 16000])
@pytest.mark.parametrize("noise", [0, 200])
def test_every_sentence_is_told_from_the_others(rate, noise):
    for first in range(0, speech_sound.SENTENCES, 10):
        sentences = [(0.5 + n, 1.2 + n, first + n) for n in range(10)]
        _, samples = speech_sound.read_wav(speech_sound.call([sentences], 11, rate, noise))
        assert [heard for _, _, heard in speech_sound.hear(samples, rate)] == list(range(first, first + 10))


def test_words_come_in_three_shapes_or_not_at_all(engine):
    engine.says[1] = "good morning."
    engine.acts = [hears(words="tokens"), hears(words="top"), hears(words=None)]
    tokens, top, none = (transcribe(engine, piece([(0.5, 2.0, 1)])).json() for _ in range(3))
    assert [w["word"] for w in tokens["segments"][0]["words"]] == [" go", "od", " mo", "rn", "in", "g", "."]
    assert [w["word"] for w in top["words"]] == ["good", "morning."] and "words" not in top["segments"][0]
    assert "words" not in none and "words" not in none["segments"][0]
    assert transcribe(engine, piece(), response_format="json").json() == {"text": "good morning. sentence 42"}


def test_google_needs_a_token_for_a_signed_assertion(engine, tmp_path):
    assert recognize(engine, piece()).json()["results"][0]["alternatives"][0]["transcript"] == "sentence 1"
    engine.google_settings(tmp_path)
    assert recognize(engine, piece(), "wrong").status == 401
    refused = wire.call(engine.port, "POST", "/token", [("Content-Type", "application/x-www-form-urlencoded")], b"grant_type=x&assertion=a.b.c")
    assert refused.status == 400 and refused.json()["error"] == "invalid_grant"


def test_faults_are_what_they_are_called(engine):
    engine.acts = [error(429, retry_after=7), cut_at(10), bytes_changed(split_character, words="tokens"), changed(lambda value: {**value, "duration": -1})]
    engine.says[1] = "שלום לכם"
    limited = transcribe(engine, piece())
    assert limited.status == 429 and limited.header("retry-after") == "7"
    cut = transcribe(engine, piece())
    assert cut.status == 200 and len(cut.body) == 10 < int(cut.header("content-length"))
    torn = transcribe(engine, piece())
    with pytest.raises(UnicodeDecodeError):
        torn.body.decode()
    assert transcribe(engine, piece()).json()["duration"] == -1
    engine.on(lambda ask: 42 in ask.sentences, error(500))
    assert transcribe(engine, piece()).status == 500
    assert transcribe(engine, piece([(0.2, 1.5, 3)])).status == 200


def test_it_goes_and_comes_back_at_its_port(engine):
    engine.leave()
    with pytest.raises(ConnectionRefusedError):
        transcribe(engine, piece())
    engine.come_back()
    assert transcribe(engine, piece()).status == 200


def test_it_counts_what_is_asked_at_once_and_again(engine):
    gate = threading.Event()
    engine.acts = [hold(gate, says([])), hold(gate, says([]))]
    both = [threading.Thread(target=transcribe, args=(engine, piece())) for _ in range(2)]
    for thread in both:
        thread.start()
    eventually(lambda: engine.working == 2)
    gate.set()
    for thread in both:
        thread.join()
    assert engine.most_at_once == 2 and list(engine.times_sent().values()) == [2]


def test_an_api_key_is_asked_for(world):
    engine = world.speech_engine(key="sk-story")
    assert transcribe(engine, piece()).status == 401
    assert transcribe(engine, piece(), [("Authorization", "Bearer sk-story")]).status == 200
