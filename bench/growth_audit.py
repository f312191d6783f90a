"""Case of the audit: the processor time of the server for plays, with an entry each, and without."""
import os
import re
import shutil
import socket
import statistics
import struct
import subprocess
import tempfile
import time

from ground import NOW_MS, Row, a_world, add_calls, add_recordings, count, cpu_s, database, serve, wait_until
from stage import BUILD, run

MOST = 0.02  # of a playback's processor time
SECONDS, RATE = 60, 8000  # of a recording: 64 kbit/s
CONNECTIONS, BLOCK = 4, 100
VERIFIED = 10_000  # entries a second
ENTRIES = {True: 3_000, False: 100_000}  # of bench_audit
POINTS = 1_800  # of a waveform
PEAKS = struct.pack("<iIiiIi", 2, 1, 8000, SECONDS * 8000 // POINTS, POINTS, 1) + bytes(2 * POINTS)  # audiowaveform's data, version 2


def add_ready(world, n):
    """Ready recordings with the same bytes each. Returns their SIDs."""
    data = b"\xff\xfb\x90\x00" + bytes(SECONDS * RATE - 4)
    month = time.strftime("%Y/%m", time.gmtime(NOW_MS / 1000))
    place = world.recordings() / str(world.other.id) / month
    place.mkdir(parents=True, exist_ok=True)
    first = world.directory / "first.mp3"
    first.write_bytes(data)
    with database(world) as db:
        calls = add_calls(db, world.other, n, 0)
        sids = add_recordings(db, world.other, calls, "ready", bytes=len(data), content_type="audio/mpeg", etag='"e"',
                              modified_at=NOW_MS, ready_at=NOW_MS, duration_ms=SECONDS * 1000, channels=1, lease_token=1)
        for call, sid in zip(calls, sids):
            stem = f"{world.other.id}/{month}/{call}.{sid}"
            db.execute("update recordings set stem = ?, name = ? where recording_sid = ?", (stem, stem + ".mp3", sid))
            os.link(first, world.recordings() / f"{stem}.mp3")
        db.executemany("insert into waveforms (business_id, recording_sid, bytes) values (?, ?, ?)",
                       [(world.other.id, sid, PEAKS) for sid in sids])
    return sids


class Listener:
    """One that asks for what the page asks for when somebody presses play: the sound from its first byte to its end, the peaks
    and the notes. Its requests go over CONNECTIONS connections."""

    def __init__(self, server, key):
        self.lines = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(CONNECTIONS)]
        self.key, self.asked = key, 0

    def ask(self, path, status=200, method="GET", more=""):
        line = self.lines[self.asked % CONNECTIONS]
        self.asked += 1
        line.sendall(f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {self.key}\r\n{more}Accept: */*\r\n\r\n"
                     .encode())
        head = b""
        while b"\r\n\r\n" not in head:
            head += line.recv(65536)
        head, _, body = head.partition(b"\r\n\r\n")
        assert head.startswith(f"HTTP/1.1 {status} ".encode()), head
        [length] = re.findall(rb"\r\ncontent-length: (\d+)", head, re.I)
        left = int(length) - len(body) if method == "GET" else 0
        while left > 0:
            left -= len(line.recv(1 << 20))
        return int(length)

    def hear(self, sid):
        assert self.ask(f"/api/recordings/{sid}/stream", 206, more="Range: bytes=0-\r\n") == SECONDS * RATE

    def play(self, sid):
        self.hear(sid)
        assert self.ask(f"/api/recordings/{sid}/waveform") > POINTS
        self.ask(f"/api/recordings/{sid}/notes")

    def close(self):
        for line in self.lines:
            line.close()


def answering_s(server):
    return cpu_s(server.pid, "http loop") + cpu_s(server.pid, "read-")


def writing_s(server):
    return cpu_s(server.pid, "db_writer")


def spent(server, work, sids):
    """Processor seconds that the server's threads that answer take for work() of each recording."""
    began = answering_s(server)
    for sid in sids:
        work(sid)
    return answering_s(server) - began


def idle_rate(server, seconds=4):
    """Processor seconds a second of the writer where nobody asks: it looks whether there is work."""
    began = writing_s(server)
    time.sleep(seconds)
    return (writing_s(server) - began) / seconds


class Round:
    """Processor microseconds of a playback of a listener whose playbacks are known, which is no entry, and of the writer for each
    entry of a new listener's playbacks: what it does beyond what it does when idle."""

    def __init__(self, world, server, sids, known, idle, work):
        new = Listener(server, world.make_key("--business", world.other.id, "--role", "viewer"))
        entries = lambda: count(world, "audit where action = 'play'")
        self.base = spent(server, work(known), sids) * 1e6 / len(sids)
        time.sleep(1.5)  # those that were forgotten are written
        before, writer, began = entries(), writing_s(server), time.monotonic()
        for sid in sids:
            work(new)(sid)
        wait_until(lambda: entries() >= before + len(sids), 10)
        self.writer = (writing_s(server) - writer - idle * (time.monotonic() - began)) * 1e6 / len(sids)
        time.sleep(1.5)  # nothing more comes
        assert entries() == before + len(sids), (entries(), before)
        new.close()


def per_entry(quick):
    """The figures of bench_audit: nanoseconds where it is written and where it is answered, and instructions by callgrind (which has no
    SHA instructions) where it is written."""
    with tempfile.TemporaryDirectory(dir="/var/tmp") as one, tempfile.TemporaryDirectory(dir="/var/tmp") as two:
        ns = [float(word) for word in run([BUILD / "bench/bench_audit", one, ENTRIES[quick]]).split()]
        instructions = None
        if shutil.which("valgrind"):
            said = subprocess.run(["valgrind", "--tool=callgrind", "--toggle-collect=append_group", "--callgrind-out-file=/dev/null",
                                   BUILD / "bench/bench_audit", two, "3000"], capture_output=True, text=True, check=True).stderr
            [line] = [line for line in said.splitlines() if "Collected :" in line]
            instructions = int(line.split(":")[1]) / 3000
    return ns, instructions


class Rounds:
    """Medians of several rounds of the same work. answered_us: the time that an entry adds in the thread that answers."""

    def __init__(self, world, server, sids, rounds, known, idle, answered_us, work):
        made = [Round(world, server, sids, known, idle, work) for _ in range(rounds)]
        self.bases, self.writers, self.answered = [r.base for r in made], [r.writer for r in made], answered_us
        self.share = (answered_us + statistics.median(self.writers)) / statistics.median(self.bases)

    def said(self):
        base, writer = statistics.median(self.bases), statistics.median(self.writers)
        return (f"{self.share:+.1%}: {base:.0f} µs without; an entry adds {self.answered:.1f} µs where it is answered and {writer:.1f} µs where"
                f" it is written (load average {os.getloadavg()[0]:.1f})")

    def figures(self):
        return {"base_us": self.bases, "writer_us": self.writers, "answered_us": self.answered}


def audit(quick):
    """An entry adds too little where it is answered to be seen in the difference of two runs: bench_audit measures it."""
    n, rounds = (400, 2) if quick else (2_000, 8)
    (written_ns, answered_ns), instructions = per_entry(quick)
    with a_world() as world:
        sids = add_ready(world, n)
        server = serve(world)
        known = Listener(server, world.other.viewer)
        for sid in sids:
            known.play(sid)  # opens all files, and makes its playbacks known
        wait_until(lambda: count(world, "audit where action = 'play'") == n, 10)
        idle = idle_rate(server)
        plays, sounds = (Rounds(world, server, sids, rounds, known, idle, answered_ns / 1000, work)
                         for work in (lambda listener: listener.play, lambda listener: listener.hear))
        known.close()
    counted = f", {instructions:,.0f} instructions by callgrind" if instructions else ""
    return [Row("playbacks of a minute, as the page asks for them (sound, peaks, notes), every one an entry of the audit",
                f"≤ {MOST:.0%} more of the server's processor time than without entries", plays.said(), plays.share <= MOST, plays=n,
                **plays.figures()),
            Row("the same, of the request for the sound alone", "shown beside", sounds.said(), True, plays=n, **sounds.figures()),
            Row("an entry alone, written in full groups", "shown beside", f"{written_ns / 1000:.1f} µs{counted}", True,
                entry_ns=written_ns, entry_instructions=instructions)]


def verify(quick):
    """The command's own start included."""
    entries = 20_000 if quick else 500_000
    with tempfile.TemporaryDirectory(dir="/var/tmp") as place:
        run([BUILD / "bench/bench_audit", place, entries])
        env = {"PATH": os.environ["PATH"], "DATA_DIR": place, "DATABASE_URL": f"sqlite://{place}/audit.db"}
        began, load = time.monotonic(), os.getloadavg()[0]
        said = subprocess.run([BUILD / "callreel", "audit", "verify"], env=env, capture_output=True, text=True, check=True).stdout
        took = time.monotonic() - began
    entries = 2 * entries + 1  # bench_audit writes them one way and the other
    assert said == f"{entries} entries of 1 chains verified: 0 faults\n", said
    return Row(f"callreel audit verify, {entries:,} entries", f"≥ {VERIFIED:,} entries a second",
               f"{entries / took:,.0f} entries a second ({took:.1f} s, load average {load:.1f})", entries / took >= VERIFIED,
               entries=entries, took_s=took)


CASES = {"audit": lambda quick: [*audit(quick), verify(quick)]}
