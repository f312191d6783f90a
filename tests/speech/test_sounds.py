"""The calls that are made of prompts, and the measures that are taken of their transcripts."""
import pytest

import calls
import measure
import score


@pytest.fixture(scope="module")
def call(voices):
    return calls.make(calls.prompts("tuned")[:12], seed=3)


def loudness(samples):
    return max(map(abs, samples), default=0)


def test_speakers_are_where_they_are_said_to_be(call):
    said = {0: [], 1: []}
    for channel, start, end, _ in call.utterances:
        samples = call.channels[channel]
        assert loudness(samples[int(start * calls.RATE):int((start + 0.1) * calls.RATE)]) > calls.SPEECH / 2
        said[channel].append((start, end))
    for channel, spans in said.items():
        edges = [0.0, *(edge for span in sorted(spans) for edge in span), call.seconds]
        for start, end in zip(edges[0::2], edges[1::2]):
            assert loudness(call.channels[channel][int(start * calls.RATE) + 1:int(end * calls.RATE) - 1]) <= calls.HISS


def test_a_call_has_a_long_silence_and_is_the_same_each_time(call):
    starts = sorted((start, end) for _, start, end, _ in call.utterances)
    assert max(after[0] - before[1] for before, after in zip(starts, starts[1:])) > 10
    assert calls.make(calls.prompts("tuned")[:12], seed=3).pcm() == call.pcm()


def test_an_mp3_is_as_the_provider_makes_it(call):
    for mono, channels in ((True, 3), (False, 1)):
        sound = call.mp3(mono)
        assert sound[:2] == b"\xff\xe3" and sound[2] >> 4 == 4 and sound[2] >> 2 & 3 == 2  # MPEG 2.5, 32 kbit/s, 8 kHz
        assert sound[3] >> 6 == channels and abs(len(sound) / 4000 - call.seconds) < 0.5


def test_the_two_lists_share_no_prompt():
    tuned, held = ({name for _, name, _ in calls.prompts(which)} for which in ("tuned", "held"))
    assert len(tuned) + len(held) >= 60 and not tuned & held


SAID = [(0, 1.0, 3.0, "Good morning, how are you?"), (1, 3.5, 5.0, "Fine, press one."), (0, 6.0, 7.0, "Goodbye.")]


def test_first_words_are_found_though_others_are_wrong():
    heard = measure.Heard([(0, 1.2, "good"), (0, 1.5, "warning"), (0, 1.9, "how"), (0, 2.1, "are"), (0, 2.3, "you?"),
                           (1, 3.6, "Find,"), (1, 4.0, "press"), (1, 4.4, "1."), (0, 9.0, "goodbye")])
    late = measure.first_words(SAID, heard)
    assert late == [pytest.approx(0.2), pytest.approx(3.0), pytest.approx(0.5)]
    assert measure.share_within(late, 0.5) == pytest.approx(2 / 3) and measure.percentile(late, 0.5) == pytest.approx(0.5)


def test_first_words_of_one_channel_are_found_whatever_its_number():
    for channel in (None, 0):
        heard = measure.Heard([(channel, 1.2, "good"), (channel, 3.6, "fine"), (channel, 6.0, "goodbye")])
        assert measure.first_words(SAID, heard, mono=True) == [pytest.approx(0.2), pytest.approx(0.1), pytest.approx(0.0)]


def test_words_in_pieces_are_joined():
    heard = measure.Heard.answer({"segments": [{"text": "", "words": [{"word": " go", "start": 1.0}, {"word": "od", "start": 1.1}, {"word": " day", "start": 1.5}]}]})
    assert heard.words == [(None, 1.0, "good"), (None, 1.5, "day")]


def test_a_segment_on_the_others_channel_is_found():
    right = {"start": 1.1, "end": 2.9, "channel": 0, "text": "Good morning how are you"}
    wrong = {"start": 3.6, "end": 4.9, "channel": 0, "text": "Fine press one"}
    assert measure.wrong_channels(SAID, {"segments": [right, wrong]}) == [wrong]


def test_numbers_and_spellings_are_no_errors(scoring):
    found = score.score([("Press one, please; it's fully-featured.", "press 1 please it is fully featured"), ("a b c d", "a x c")], scoring)
    assert [one["errors"] for one in found["each"]] == [0, 2] and found["words"] == 11


def test_who_begins_while_the_other_talks_is_known():
    said = [(0, 1.0, 3.0, "a"), (1, 2.5, 4.0, "b"), (0, 4.0, 5.0, "c"), (0, 4.5, 6.0, "d")]
    assert [calls.begins_within(said, one) for one in said] == [False, True, False, False]
