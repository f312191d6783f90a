"""Word error rates, speed and true times of transcripts, by engine and model, on calls that nothing was tuned on.

   speech.py [--model tiny.en|base]... [--set held|tuned] [--calls N] [--service] [--faster-whisper] [--languages] [--json FILE]

Each row is one way of sending the same calls (two channels, 8 kHz, 32 kbit/s, made by tests/speech/calls.py):
  whole channels   each channel as it is, to the engine itself: what a program without callreel's pieces would do
  pieces           as a worker does it: speech cut out, sent in pieces, mapped back (bench/transcribe.c)
  pieces, mono     the same, both speakers mixed into one channel
  service          through the whole program, from the provider's webhook to the transcript that the API gives (--service)
WER: wrong words by the English normaliser of whisper-normalizer, counted by jiwer. RTF: the engine's processor seconds for a second of
the recording. First words: how far from the truth the time of each utterance's first word is, the median and the 90th percentile,
and the share within 0.5 s. The engine runs with one thread."""
import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.dont_write_bytecode = True
sys.path[:0] = [str(ROOT / folder) for folder in ("tests/speech", "tests/story", "script")]
os.environ.setdefault("CALLREEL_BUILD", str(ROOT / "build-release"))

import callreel  # noqa: E402
import calls  # noqa: E402
import measure  # noqa: E402
import score  # noqa: E402
import whisper_install  # noqa: E402
from engines import FasterWhisper, Whisper, cpu_seconds, transcribe  # noqa: E402
from through import Service  # noqa: E402

SECONDS_FOR_A_CALL = 1800


class Row:
    """Figures of one way to send the calls."""

    def __init__(self, engine, model, sent):
        self.engine, self.model, self.sent = engine, model, sent
        self.pairs, self.late, self.recorded, self.used, self.wall, self.wrong = [], [], 0.0, 0.0, 0.0, 0
        self.found = "en"  # the language

    def add(self, call, heard, channels, used, wall):
        self.pairs += [(call.words(channel), heard.text(channel)) for channel in channels]
        self.late += measure.first_words(call.utterances, heard, mono=channels == (None,))
        self.recorded, self.used, self.wall = self.recorded + call.seconds, self.used + used, self.wall + wall

    def add_document(self, call, document, mono, used, wall):
        self.add(call, measure.Heard.transcript(document), (None,) if mono else (0, 1), used, wall)
        self.wrong += 0 if mono else len(measure.wrong_channels(call.utterances, document))
        self.found = document["language"]

    def figures(self, python, language="en"):
        found = score.score(self.pairs, python, language)
        return {"engine": self.engine, "model": self.model, "sent": self.sent, "language": language, "found": self.found, "wer": round(found["wer"], 4), "words": found["words"],
                "rtf": round(self.used / self.recorded, 3), "wall_rtf": round(self.wall / self.recorded, 3), "seconds": round(self.recorded),
                "first_word_median_s": measure.percentile(self.late, 0.5), "first_word_p90_s": measure.percentile(self.late, 0.9),
                "first_word_within_half": round(measure.share_within(self.late, 0.5), 3), "utterances": len(self.late),
                "wrong_channels": self.wrong}


def whole_channels(engine, name, model, call_list):
    row = Row(name, model, "whole channels")
    for call in call_list:
        began, used = time.monotonic(), cpu_seconds(engine.child.pid)
        words = []
        for channel in (0, 1):
            words += measure.Heard.answer(transcribe(engine, call.one_channel(channel), language="en"), channel).words
        row.add(call, measure.Heard(words), (0, 1), cpu_seconds(engine.child.pid) - used, time.monotonic() - began)
    return row


def document_of(engine, sound, language):
    """The transcript that bench_transcribe makes of a file."""
    program = callreel.BUILD / "bench/bench_transcribe"
    with tempfile.NamedTemporaryFile(suffix=".mp3") as file:
        file.write(sound)
        file.flush()
        wanted = [] if language == "auto" else [language]
        done = subprocess.run([program, file.name, engine.url, *wanted], capture_output=True, text=True, check=False, timeout=SECONDS_FOR_A_CALL)
    if done.returncode:
        raise AssertionError(f"bench_transcribe ended with {done.returncode}: {done.stderr}")
    document = json.loads(done.stdout)
    if document["gaps"]:  # else what the engine was too slow for would count as its errors
        raise AssertionError(f"pieces have no answer: {done.stderr}")
    return document


def in_pieces(engine, name, model, call_list, mono=False, language="en"):
    row = Row(name, model, "pieces, mono" if mono else "pieces")
    for call in call_list:
        began, used = time.monotonic(), cpu_seconds(engine.child.pid)
        document = document_of(engine, call.mp3(mono), language)
        row.add_document(call, document, mono, cpu_seconds(engine.child.pid) - used, time.monotonic() - began)
    return row


def through_service(engine, name, model, call_list, **settings):
    row = Row(name, model, "service")
    with tempfile.TemporaryDirectory(prefix="callreel-bench-") as directory:
        world = callreel.World(directory)
        try:
            service = Service(world, engine.url, **settings)
            for call in call_list:
                began, used = time.monotonic(), cpu_seconds(engine.child.pid)
                document = service.transcript(service.tell(call.mp3(), 2, call.seconds), SECONDS_FOR_A_CALL)
                if document["status"] != "ready":
                    raise AssertionError(f"no transcript: {document['error']}")
                row.add_document(call, document, False, cpu_seconds(engine.child.pid) - used, time.monotonic() - began)
        finally:
            world.close()
    return row


def languages(engine, name, model, python):
    """Each language once: a call of its prompts; the language is not told to the engine."""
    rows = []
    for language in ("es", "fr", "it", "ru"):
        call = calls.make([row[:3] for row in calls.phrases(language)], seed=1)
        rows.append(in_pieces(engine, name, model, [call], language="auto").figures(python, language))
    return rows


def tell(rows, figures):
    """Adds the figures, and says on stderr that there are some."""
    rows.append(figures)
    print(f"{figures['model']} {figures['sent']} {figures['language']}: WER {100 * figures['wer']:.1f} %", file=sys.stderr, flush=True)


def table(rows):
    print("| engine | model | language | sent | WER | RTF | first word: median, 90 %, within 0.5 s | wrong channel |\n|---|---|---|---|---|---|---|---|")
    for row in rows:
        times = "–" if row["first_word_median_s"] is None else \
            f"{row['first_word_median_s']:.2f} s, {row['first_word_p90_s']:.2f} s, {100 * row['first_word_within_half']:.0f} %"
        print(f"| {row['engine']} | {row['model']} | {row['language']}{'' if row['found'] == row['language'] else ' (found: ' + row['found'] + ')'} | {row['sent']} | {100 * row['wer']:.1f} % | {row['rtf']:.3f} | {times} | {row['wrong_channels']} |")


def main():
    options = argparse.ArgumentParser(prog="script/bench speech", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--model", action="append", choices=list(whisper_install.MODELS), help="default: tiny.en")
    options.add_argument("--set", default="held", choices=["held", "tuned"], help="the prompts; default: held")
    options.add_argument("--calls", type=int, default=2, help="calls with these prompts, each in another order; default: 2")
    options.add_argument("--service", action="store_true", help="through the whole program as well")
    options.add_argument("--faster-whisper", action="store_true", help="its server besides (500 MB of packages)")
    options.add_argument("--languages", action="store_true", help="Spanish, French, Italian and Russian with base")
    options.add_argument("--json", type=Path, help="write the figures there as well")
    said = options.parse_args()
    if missing := calls.missing():
        sys.exit(f"script/bench speech: {missing}")
    python = whisper_install.python_with(*score.PINS)
    call_list = [calls.make(calls.prompts(said.set), seed=100 + n) for n in range(said.calls)]
    rows = []
    for model in said.model or ["tiny.en"]:
        with Whisper(model) as engine:
            tell(rows, whole_channels(engine, "whisper.cpp", model, call_list).figures(python))
            tell(rows, in_pieces(engine, "whisper.cpp", model, call_list).figures(python))
            tell(rows, in_pieces(engine, "whisper.cpp", model, call_list, mono=True).figures(python))
            if said.service:
                tell(rows, through_service(engine, "whisper.cpp", model, call_list).figures(python))
        if said.faster_whisper:
            with FasterWhisper(model) as engine:
                tell(rows, in_pieces(engine, "faster-whisper", model, call_list).figures(python))
    if said.languages:
        with Whisper("base") as engine:
            for figures in languages(engine, "whisper.cpp", "base", python):
                tell(rows, figures)
    table(rows)
    if said.json:
        said.json.write_text(json.dumps(rows, indent=1) + "\n")


if __name__ == "__main__":
    try:
        main()
    except whisper_install.Unable as why:
        sys.exit(f"script/bench speech: {why}")
