"""Sound that says which sentence it is: for stories about transcripts, without a real voice and without a real recogniser.

A sentence is a number from 0 to 99. Its sound is a tone of its own, so the scripted engine (speech_engine.py) hears the number, and
whatever the story lets it say for that number. The sound is far above the service's threshold for speech, has syllables like a
voice, and lies at the same place after another sample rate, MP3 or G.711.

    call = speech_sound.call([[(0.5, 2.0, 1)], [(2.6, 4.0, 2), (9.0, 11.5, 3)]], seconds=12)   # WAV: a list of a channel's sentences
    tape.sounds["mp3"] = call"""
import math
import random
import struct
from array import array
from itertools import pairwise

RATE = 8000
LOWEST_HZ, STEP_HZ, SENTENCES = 400, 20, 100
LOUD = 9000  # of 32767
FRAME_S = 0.02
SILENCE_FRAMES = 10  # as many silent frames in a row end a sentence
SILENT = 250  # mean magnitude


def hz_of(sentence):
    assert 0 <= sentence < SENTENCES
    return LOWEST_HZ + STEP_HZ * sentence


def sentence_sound(sentence, seconds, rate=RATE, loud=LOUD):
    """Samples of one sentence: a tone whose loudness rises and falls four times a second."""
    turn, syllable = 2 * math.pi * hz_of(sentence) / rate, 2 * math.pi * 4 / rate
    return array("h", (int(loud * (0.7 + 0.3 * math.sin(syllable * n)) * math.sin(turn * n)) for n in range(int(seconds * rate))))


def channel(sentences, seconds, rate=RATE, noise=0, loud=LOUD, seed=0):
    """Samples of a channel: (start, end, sentence) each, in seconds; noise is the greatest magnitude of what lies below all."""
    chance = random.Random(seed)
    samples = array("h", (chance.randint(-noise, noise) for _ in range(int(seconds * rate)))) if noise else array("h", bytes(2 * int(seconds * rate)))
    for start, end, sentence in sentences:
        at = int(start * rate)
        for n, value in enumerate(sentence_sound(sentence, end - start, rate, loud)):
            samples[at + n] = max(-32768, min(32767, samples[at + n] + value))
    return samples


def wav(channels, rate=RATE):
    """A WAV file of channels that are equally long."""
    count = len(channels)
    samples = array("h", bytes(2 * count * len(channels[0])))
    for n, of_channel in enumerate(channels):
        samples[n::count] = of_channel
    data = samples.tobytes()
    form = struct.pack("<HHIIHH", 1, count, rate, 2 * count * rate, 2 * count, 16)
    return (b"RIFF" + struct.pack("<I", 36 + len(data)) + b"WAVEfmt " + struct.pack("<I", 16) + form
            + b"data" + struct.pack("<I", len(data)) + data)


def call(channels, seconds, rate=RATE, noise=0):
    """A WAV file of a call: for each channel its sentences."""
    return wav([channel(sentences, seconds, rate, noise, seed=n) for n, sentences in enumerate(channels)], rate)


def read_wav(data):
    """The sample rate and the samples of a WAV file with one channel of 16 bits; None if it is anything else."""
    if data[:4] != b"RIFF" or data[8:12] != b"WAVE":
        return None
    at, form, samples = 12, None, None
    while at + 8 <= len(data):
        name, size = data[at:at + 4], struct.unpack_from("<I", data, at + 4)[0]
        if name == b"fmt ":
            form = struct.unpack_from("<HHIIHH", data, at + 8)
        if name == b"data":
            samples = data[at + 8:at + 8 + size]
        at += 8 + size + size % 2
    if not form or samples is None or form[1] != 1 or form[5] != 16:
        return None
    return form[2], array("h", samples[:len(samples) // 2 * 2])


def frames_with_sound(samples, rate):
    """(first, last) frame of each stretch of sound."""
    size = int(rate * FRAME_S)
    found = []
    for n in range(len(samples) // size):
        if sum(map(abs, samples[n * size:(n + 1) * size])) / size < SILENT:
            continue
        if found and n - found[-1][1] <= SILENCE_FRAMES:
            found[-1][1] = n
        else:
            found.append([n, n])
    return found


def hear(samples, rate):
    """The sentences that a perfect recogniser would hear: (start, end, sentence) each, in seconds. None stands for a sound that is none."""
    heard = []
    for first, last in frames_with_sound(samples, rate):
        start, end = first * FRAME_S, (last + 1) * FRAME_S
        inside = samples[int((start + FRAME_S) * rate):int((end - FRAME_S) * rate)]
        crossings = sum(1 for a, b in pairwise(inside) if (a < 0) != (b < 0))
        hz = crossings * rate / 2 / max(len(inside), 1)
        sentence = round((hz - LOWEST_HZ) / STEP_HZ)
        whole = 0 <= sentence < SENTENCES and abs(hz - hz_of(sentence)) < STEP_HZ / 3
        heard.append((start, end, sentence if whole else None))
    return heard
