"""What was heard against what was said: words of a transcript as the API gives it, or of an engine's own answer."""
import re
from difflib import SequenceMatcher

NUMBERS = dict(zip("0123456789", "zero one two three four five six seven eight nine".split()))


def bare(word):
    return NUMBERS.get(word, re.sub(r"[^\w']", "", word.lower()))


class Heard:
    """Words with their times: (channel or None, start_s, word), in the order in which they were given."""

    def __init__(self, words):
        self.words = [(channel, start, part) for channel, start, text in words for part in re.split(r"[\s-]+", text.strip()) if bare(part)]

    @classmethod
    def transcript(cls, document):
        """Of GET /api/recordings/{id}/transcript."""
        return cls([(segment["channel"], word["start"], word["word"]) for segment in document["segments"]
                    for word in segment["words"] or [{"start": segment["start"], "word": segment["text"]}]])

    @classmethod
    def answer(cls, answer, channel=None):
        """Of whisper.cpp's verbose JSON: a word without a leading space goes on with the one before."""
        words = []
        for segment in answer["segments"]:
            for word in segment.get("words") or [{"word": " " + segment["text"], "start": segment["start"]}]:
                if words and not word["word"].startswith(" "):
                    words[-1][2] += word["word"]
                else:
                    words.append([channel, word["start"], word["word"].strip()])
        return cls(words)

    def text(self, channel=None):
        return " ".join(word for of, _, word in self.words if channel in (None, of))

    def of(self, channel):
        return [(start, bare(word)) for of, start, word in self.words if channel is None or of == channel]


def first_words(utterances, heard, mono=False):
    """For each utterance how many seconds after its start its first word was put; None where neither its first nor its second word
    was heard. mono: both speakers were heard in one channel."""
    late = []
    if mono:
        utterances = [(None, *rest) for _, *rest in utterances]
    by_channel = {channel for channel, *_ in utterances}
    for channel in sorted(by_channel, key=str):
        said = [(start, n, bare(word)) for of, start, _, words in utterances if of == channel
                for n, word in enumerate(part for part in re.split(r"[\s-]+", words) if bare(part))]
        found = heard.of(channel)
        times = {}
        for a, b, size in SequenceMatcher(None, [word for _, _, word in said], [word for _, word in found], autojunk=False).get_matching_blocks():
            times.update({a + n: found[b + n][0] for n in range(size)})
        for at, (start, n, _) in enumerate(said):
            if n == 0:
                first = times.get(at)
                if first is None and at + 1 < len(said) and said[at + 1][1] == 1 and at + 1 in times:
                    first = times[at + 1]
                late.append(None if first is None else first - start)
    return late


def share_within(late, seconds):
    """The share of the utterances whose first word was put within so many seconds; those that were not heard do not count."""
    known = [abs(value) for value in late if value is not None]
    return sum(value <= seconds for value in known) / max(len(known), 1)


def percentile(values, share):
    ordered = sorted(abs(value) for value in values if value is not None)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else None


def wrong_channels(utterances, document):
    """Segments whose words were said on the other channel."""
    def likeness(segment, utterance):
        a, b = [bare(w) for w in segment["text"].split()], [bare(w) for w in utterance[3].split()]
        same = sum(block.size for block in SequenceMatcher(None, a, b, autojunk=False).get_matching_blocks())
        return same / max(len(a), 1)

    wrong = []
    for segment in document["segments"]:
        near = [u for u in utterances if u[1] < segment["end"] + 1 and u[2] > segment["start"] - 1]
        best = max(near, key=lambda u: likeness(segment, u), default=None)
        if best and likeness(segment, best) >= 0.5 and best[0] != segment["channel"]:
            wrong.append(segment)
    return wrong
