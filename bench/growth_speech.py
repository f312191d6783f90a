"""Cases of transcripts: the cost of their searches, and of transcribing for other businesses. Rows of growth.py."""
import bisect
import contextlib
import hashlib
import itertools
import json
import random
import sys
import threading
import time

from ground import NOW_MS, Neighbour, Row, a_world, add_calls, add_recordings, database, felt, refused, serve, wait_until
from stage import CLIENT_CORES, ROOT, SERVER_CORES, Failed

sys.path.append(str(ROOT / "tests/speech"))
sys.path.append(str(ROOT / "script"))

import calls as real_calls  # noqa: E402 - found by the lines above
import engines  # noqa: E402
import speech_engine  # noqa: E402
import speech_sound  # noqa: E402

LETTERS = "abcdefghijklmnopqrstuvwxyz234567"
VOCABULARY, WORDS_A_SEGMENT, SEGMENTS_A_CALL = 20_000, 8, 30
GOAL_MS = 100
AT_ONCE = 20  # transcriptions
IDLE = ["taskset", "--cpu-list", ",".join(map(str, sorted({*SERVER_CORES, *CLIENT_CORES}))), "chrt", "--idle", "0"]


def term_of(business_id, word, kept={}):  # noqa: B006 - kept from call to call
    """As ledger/transcript_search.c makes it."""
    if (business_id, word) not in kept:
        bits = int.from_bytes(hashlib.sha256(f"{business_id}:{word}".encode()).digest()[:8], "big")
        kept[business_id, word] = "".join(LETTERS[bits >> 5 * n & 31] for n in range(12))
    return kept[business_id, word]


class Speech:
    """Words as often as in speech: the nth is said 1/n times as often as the first."""

    def __init__(self, seed):
        self.rng = random.Random(seed)
        self.sums = list(itertools.accumulate(1 / (n + 1) for n in range(VOCABULARY)))

    def word(self):
        return f"w{bisect.bisect(self.sums, self.rng.random() * self.sums[-1])}x"

    def segments(self):
        return [" ".join(self.word() for _ in range(WORDS_A_SEGMENT)) for _ in range(SEGMENTS_A_CALL)]


class Like:
    """A business of the crowd, as add_calls takes it."""

    def __init__(self, business_id, at, account_sid):
        self.id, self.at, self.account_sid = business_id, at, account_sid


def add_transcripts(db, business, calls, speech):
    sids = [f"RE{call[2:]}" for call in calls]
    for n, sid in enumerate(sids):
        segments = speech.segments()
        terms = sorted({term_of(business.id, word) for line in segments for word in line.split()})
        marks = "".join(f"{3000 * i} {3000 * i + 2900} agent\n" for i in range(len(segments)))
        at = (NOW_MS + n << 20) | business.id
        db.execute("insert into transcript_texts (business_id, recording_sid, document_id, words, marks, text) values (?, ?, ?, ?, ?, ?)",
                   (business.id, sid, at, " ".join(terms), marks, "\n".join(segments) + "\n"))
        db.execute("insert into transcripts (business_id, recording_sid, status, version, created_at, updated_at) values (?, ?, 'ready', 1, 1, 1)",
                   (business.id, sid))


def write_terms(db):
    """The rows that searches read, as the upkeep writes them."""
    db.execute("insert into transcript_terms (business_id, term, rowid) select x.business_id, j.value, x.document_id from transcript_texts x,"
               " json_each('[\"' || replace(x.words, ' ', '\",\"') || '\"]') j order by 1, 2, 3")
    db.execute("delete from transcript_terms_due")


def timed_searches(server, key, businesses, asks, users, seed):
    took, wrong, lock = [], [], threading.Lock()

    def user(number):
        speech = Speech(seed + number)
        with server.connect() as connection:
            for n in range(asks // users):
                wanted = [speech.word(), f"{speech.word()}+{speech.word()}", f"w{speech.rng.randrange(VOCABULARY)}x", "nobodysaid"][n % 4]
                business = speech.rng.choice(businesses)
                began = time.monotonic()
                answer = connection.call("GET", f"/api/calls?search={wanted}", [("Authorization", f"Bearer {key}"), ("X-Business-Id", str(business))])
                with lock:
                    took.append(1000 * (time.monotonic() - began))
                    if answer.status != 200:
                        wrong.append(str(answer))

    threads = [threading.Thread(target=user, args=(number,)) for number in range(users)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    took.sort()
    return {"median_ms": took[len(took) // 2], "p99_ms": took[int(len(took) * 0.99)], "most_ms": took[-1], "count": len(took), "wrong": wrong[:3]}


def timed_alone(server, key, business, word, asks):
    """Milliseconds of each of so many searches for a word."""
    took = []
    with server.connect() as connection:
        for _ in range(asks):
            began = time.monotonic()
            answer = connection.call("GET", f"/api/calls?search={word}", [("Authorization", f"Bearer {key}"), ("X-Business-Id", str(business))])
            took.append(1000 * (time.monotonic() - began))
            found = len(json.loads(answer.body)["calls"])
    took.sort()
    return took[len(took) // 2], found


def transcripts(quick):
    crowd, calls, large, asks = (20, 20, 100, 400) if quick else (200, 150, 3_333, 4_000)
    speech = Speech(1)
    with a_world() as world:
        with database(world) as db:
            first = world.other.id + 1
            db.executemany("insert into businesses (business_id, name, created_at) values (?, ?, ?)",
                           [(first + i, f"Business {i}", NOW_MS) for i in range(crowd)])
            everyone = [Like(first + i, world.other.at, world.other.account_sid) for i in range(crowd)]
            for business, count in [(world.busy, large)] + [(one, calls) for one in everyone]:
                made = add_calls(db, business, count, 0)
                add_recordings(db, business, made, "ready", bytes=480000, total=480000, transcribed=1)
                add_transcripts(db, business, made, speech)
            db.execute("insert into transcript_texts (business_id, recording_sid, document_id, words, marks, text) select ?, 'RE1', 5, ?, ?, ?",
                       (world.busy.id, term_of(world.busy.id, "onlythere"), "0 1 a\n", "onlythere\n"))
            write_terms(db)
        server = serve(world)
        key = world.platform_key
        ids = [one.id for one in everyone] + [world.busy.id] * (crowd // 10)
        figures = timed_searches(server, key, ids, asks, 4, 7)
        anothers, found_anothers = timed_alone(server, key, everyone[0].id, "onlythere", 200)
        nobodys, found_nobodys = timed_alone(server, key, everyone[0].id, "neversaid", 200)
    segments = (crowd * calls + large) * SEGMENTS_A_CALL
    same = abs(anothers - nobodys) <= 0.2 * max(anothers, nobodys)
    return [Row(f"{segments:,} segments of {crowd + 1} businesses, 4 users: searches of transcripts",
                f"p99 ≤ {GOAL_MS} ms; a word that another business has is not found, in the same time as one that nobody has",
                f"median {figures['median_ms']:.1f}, p99 {figures['p99_ms']:.1f}, longest {figures['most_ms']:.0f} ms;"
                f" another's {anothers:.2f}, nobody's {nobodys:.2f} ms",
                figures["p99_ms"] <= GOAL_MS and not figures["wrong"] and same and found_anothers == found_nobodys == 0, **figures)]


# ---- beside the rest ----

def tell(server, business, sound, seconds):
    """Tells of a recording with that sound; returns its SID once it is ready."""
    tape = business.at.tape(seconds=seconds)
    tape.sounds["mp3"] = sound
    business.webhook_add_call(server, tape.call_sid)
    business.tell(server, tape)
    server.world.wait_state(tape.sid, within=120, business_id=business.id)
    return tape.sid


def count_status(world, status):
    return world.sql("select count(*) as n from transcripts where status = ?", status)[0]["n"]


def beside_plays(quick):
    at_once, seconds = (4, 5) if quick else (AT_ONCE, 20)
    case = f"{at_once} transcriptions at once, real engines (tiny.en) at idle weight on the same cores, beside another's plays"
    if missing := real_calls.missing():
        raise Failed(missing)
    sound = real_calls.make(real_calls.prompts("tuned")[:20], seed=5)
    with contextlib.ExitStack() as stack:
        running = [stack.enter_context(engines.Whisper("tiny.en", wrapper=IDLE)) for _ in range(at_once)]
        world = stack.enter_context(a_world())
        server = serve(world, SPEECH_ENGINE="openai", SPEECH_URL=",".join(engine.url for engine in running), SPEECH_CONCURRENCY=at_once,
                       SPEECH_LANGUAGE="en")
        for business in (world.busy, world.other):
            world.done("business", "set", business.id, "--transcribe", "asked")
        played = tell(server, world.other, sound.mp3(), sound.seconds)
        heard = [tell(server, world.busy, sound.mp3(), sound.seconds) for _ in range(at_once)]
        plays = stack.enter_context(Neighbour(server, "play", id=played, key=world.other.viewer))
        quiet = plays.quiet(quick)
        for sid in heard:
            server.post(f"/api/recordings/{sid}/transcribe", world.busy.key("agent"))
        all_run, _ = wait_until(lambda: count_status(world, "running") == at_once, 60)
        plays.mark()
        time.sleep(seconds)
        during, still = plays.mark(), count_status(world, "running")
        done, took = wait_until(lambda: count_status(world, "ready") == at_once, 1800, every=0.5)
    text, ratio = felt(quiet, during)
    return Row(case, "plays: none refused, p99 ≤ 2 × quiet", f"{text}; {still} still ran at the end; all done {took or 0:.0f} s later",
               all_run and still and done and ratio <= 2 and not refused(during), quiet=quiet, during=during)


def cancelling(quick):
    minutes, times = (30, 2) if quick else (180, 5)
    sound = speech_sound.wav([speech_sound.channel([(1.0, 3.0, 1), (31.0, 34.0, 2)], 60) * minutes])
    took = []
    with a_world() as world:
        engine = world.speech_engine()
        server = serve(world, SPEECH_ENGINE="openai", SPEECH_URL=engine.url)
        for _ in range(times):
            gone = threading.Event()
            engine.acts = [speech_engine.hears()] * (len(engine.asks) + 2) + [speech_engine.until_gone(gone)]
            asked = len(engine.asks) + 3
            sid = tell(server, world.busy, sound, minutes * 60)
            if not wait_until(lambda n=asked: len(engine.asks) >= n, 300, every=0.01)[0]:
                raise Failed("the engine was not asked")
            began = time.monotonic()
            server.call("DELETE", f"/api/recordings/{sid}", key=world.busy.key("admin"))
            took.append(1000 * (time.monotonic() - began if gone.wait(60) else float("inf")))
        left = sum(len(world.sql(f"select 1 from {table}")) for table in ("transcript_texts", "transcript_versions"))
    return Row(f"a call of {minutes} minutes is deleted while it is transcribed, {times} times", "the engine's request ends within 2 s",
               f"{min(took):.0f} to {max(took):.0f} ms after the request to delete it", max(took) <= 2000 and not left, took_ms=took)


def transcribing(quick):
    return [cancelling(quick), beside_plays(quick)]


CASES = {"transcripts": transcripts, "transcribing": transcribing}
