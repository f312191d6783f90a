"""Makes calls with known words out of real voices: prompts of Debian's asterisk-core-sounds-*-wav, which the lists beside this file
name with their words. No sound is kept in the tree.

    call = calls.make(calls.prompts("held"), seed=1)        # two speakers in turn, with pauses, overlap and a long silence
    call.mp3()                                              # two channels, 8 kHz, 32 kbit/s; mp3(mono=True): mixed
    call.utterances                                         # (channel, start_s, end_s, words), by start

The sounds are CC-BY-SA 3.0 (Russian: CC-BY 3.0); README.md names the speakers."""
import io
import math
import random
import subprocess
import wave
from array import array
from pathlib import Path

HERE = Path(__file__).resolve().parent
SOUNDS = Path("/usr/share/asterisk/sounds")
MUSIC = Path("/usr/share/asterisk/moh")
VOICES = {"en": "en_US_f_Allison", "es": "es_MX_f_Allison", "fr": "fr_CA_f_June", "it": "it_IT_m_Carlo", "ru": "ru_RU_f_IvrvoiceRU"}
RATE = 8000
SPEECH = 330  # magnitude, about -40 dBFS: a prompt begins and ends where it is louder
OVERLAP_S = 0.6  # at most, as in most conversations: words that two say at once are lost when channels are mixed
HISS = 6  # the greatest magnitude of the noise on the line
FRAME = RATE // 100


def missing():
    """What must be installed, in one sentence; empty if nothing is missing."""
    absent = [f"asterisk-core-sounds-{language}-wav" for language, voice in VOICES.items() if not (SOUNDS / voice).is_dir()]
    absent += [] if MUSIC.is_dir() else ["asterisk-moh-opsound-wav"]
    if subprocess.run(["which", "lame"], capture_output=True, check=False).returncode:
        absent.append("lame")
    return f"these Debian packages are missing: {' '.join(absent)}" if absent else ""


def prompts(which):
    """The list "tuned" or "held": (language, name, words)."""
    rows = [line.split("\t") for line in (HERE / f"prompts_{which}.tsv").read_text().splitlines() if line and not line.startswith("#")]
    return [("en", name, words) for name, words in rows]


def phrases(language):
    """Prompts of another language: (language, name, words, some of the words to search for)."""
    rows = [line.split("\t") for line in (HERE / "phrases.tsv").read_text().splitlines() if line and not line.startswith("#")]
    return [tuple(row) for row in rows if row[0] == language]


def samples_of(path):
    with wave.open(str(path)) as sound:
        assert (sound.getnchannels(), sound.getframerate(), sound.getsampwidth()) == (1, RATE, 2), path
        return array("h", sound.readframes(sound.getnframes()))


def voice(language, name):
    """The samples of a prompt from its first to its last loud frame."""
    samples = samples_of(SOUNDS / VOICES[language] / f"{name}.wav")
    loud = [n for n in range(0, len(samples), FRAME) if max(map(abs, samples[n:n + FRAME])) > SPEECH]
    return samples[loud[0]:loud[-1] + FRAME]


class Call:
    """Samples of two channels, and who says what when."""

    def __init__(self, channels, utterances):
        self.channels, self.utterances = channels, utterances

    @property
    def seconds(self):
        return len(self.channels[0]) / RATE

    def words(self, channel=None):
        """All words in the order in which they are said."""
        return " ".join(words for of, _, _, words in self.utterances if channel in (None, of))

    def mixed(self):
        return array("h", (max(-32768, min(32767, sum(values))) for values in zip(*self.channels)))

    def pcm(self, mono=False):
        if mono:
            return self.mixed().tobytes()
        both = array("h", bytes(4 * len(self.channels[0])))
        both[0::2], both[1::2] = self.channels
        return both.tobytes()

    def mp3(self, mono=False):
        """As the provider makes it: 8 kHz, 32 kbit/s."""
        argv = ["lame", "--quiet", "-r", "-s", "8", "--bitwidth", "16", "--signed", "--little-endian", "-m", "m" if mono else "j",
                "-b", "32", "--resample", "8", "-", "-"]
        return subprocess.run(argv, input=self.pcm(mono), capture_output=True, check=True).stdout

    def one_channel(self, channel):
        """A channel by itself, as WAV."""
        return wav(self.channels[channel])


def begins_within(utterances, utterance):
    """Whether the other one still talks when it begins. In one channel its first words can't be told from theirs."""
    channel, start, *_ = utterance
    return any(of != channel and since < start < until for of, since, until, _ in utterances)


def wav(samples):
    made = io.BytesIO()
    with wave.open(made, "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(RATE)
        out.writeframes(samples.tobytes())
    return made.getvalue()


def no_speech():
    """Sounds in which nobody speaks: silence, a ringing tone, noise that swells, three tenths of a second of a voice, music."""
    chance = random.Random(5)
    ring = [int(5000 * (math.sin(2 * math.pi * 440 * n / RATE) + math.sin(2 * math.pi * 480 * n / RATE)) / 2) if n // RATE % 6 < 2 else 0 for n in range(14 * RATE)]
    noise, low = [], 0.0
    for n in range(12 * RATE):
        low = 0.97 * low + chance.uniform(-1, 1)
        noise.append(int(400 * low * (1 + math.sin(2 * math.pi * n / RATE / 3))))
    short = [0] * RATE + list(voice("en", "invalid")[:3 * RATE // 10]) + [0] * (2 * RATE)
    return {"silence": wav(array("h", bytes(2 * 8 * RATE))), "ringing": wav(array("h", ring)), "noise": wav(array("h", noise)), "too short": wav(array("h", short)),
            **{path.stem: wav(samples_of(path)[20 * RATE:50 * RATE]) for path in sorted(MUSIC.glob("*.wav"))}}


def make(rows, seed, overlap=0.2):
    """A call of all these prompts in random order. Speakers alternate; every fifth utterance or so begins while the other still
    talks (overlap); every tenth pause is a long silence of 10 to 20 s, as when a caller is put on hold."""
    chance = random.Random(seed)
    rows = chance.sample(rows, len(rows))
    placed, end, channel = [], 1.0, chance.randrange(2)
    for n, (language, name, words) in enumerate(rows):
        samples = voice(language, name)
        pause = chance.uniform(0.4, 2.5)
        if n % 10 == 5:
            pause = chance.uniform(10, 20)
        elif n and chance.random() < overlap:
            pause = -min(OVERLAP_S, 0.3 * (placed[-1][2] - placed[-1][1]))
        start = max(end + pause, max((e for c, _, e, _, _ in placed if c == channel), default=0) + 0.3)
        end = start + len(samples) / RATE
        placed.append((channel, start, end, words, samples))
        channel = 1 - channel if chance.random() < 0.85 else channel
    total = int((max(e for _, _, e, _, _ in placed) + 1.5) * RATE)
    channels = [(array("h", (chance.randint(-HISS, HISS) for _ in range(RATE))) * (total // RATE + 1))[:total] for _ in range(2)]
    for of, start, _, _, samples in placed:
        channels[of][int(start * RATE):int(start * RATE) + len(samples)] = samples
    return Call(channels, sorted(((c, s, e, w) for c, s, e, w, _ in placed), key=lambda utterance: utterance[1]))
