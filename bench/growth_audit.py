"""Case of the audit: what plays cost the server's processor with an entry each, and without."""
import os
import shutil
import socket
import statistics
import subprocess
import tempfile
import time

from ground import NOW_MS, Row, a_world, add_calls, add_recordings, count, cpu_s, database, serve, wait_until
from stage import BUILD, run

MOST = 0.02  # of a play's processor time
SECONDS, RATE = 60, 8000  # of a recording: 64 kbit/s
CONNECTIONS = 4
VERIFIED = 10_000  # entries a second
ENTRIES = {True: 3_000, False: 30_000}  # of bench_audit


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
    return sids


def play_all(server, key, sids, method="GET"):
    """Plays each recording as a browser does, from its first byte to its end. The server's processor seconds."""
    lines = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(CONNECTIONS)]
    began = cpu_s(server.pid)
    for place, sid in enumerate(sids):
        line = lines[place % CONNECTIONS]
        line.sendall(f"{method} /api/recordings/{sid}/stream HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {key}\r\n"
                     "Range: bytes=0-\r\nAccept: */*\r\n\r\n".encode())
        head = b""
        while b"\r\n\r\n" not in head:
            head += line.recv(65536)
        head, _, body = head.partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 206 " if method == "GET" else b"HTTP/1.1 200 "), head
        left = SECONDS * RATE - len(body) if method == "GET" else 0
        while left > 0:
            left -= len(line.recv(1 << 20))
    time.sleep(0.6)  # until the last entries are written
    took = cpu_s(server.pid) - began
    for line in lines:
        line.close()
    return took


def per_entry(quick):
    """What bench_audit says: nanoseconds, and instructions by callgrind (which has no SHA instructions)."""
    with tempfile.TemporaryDirectory(dir="/var/tmp") as one, tempfile.TemporaryDirectory(dir="/var/tmp") as two:
        ns, instructions = float(run([BUILD / "bench/bench_audit", one, ENTRIES[quick]])), None
        if shutil.which("valgrind"):
            said = subprocess.run(["valgrind", "--tool=callgrind", "--toggle-collect=append_group", "--callgrind-out-file=/dev/null",
                                   BUILD / "bench/bench_audit", two, "3000"], capture_output=True, text=True, check=True).stderr
            [line] = [line for line in said.splitlines() if "Collected :" in line]
            instructions = int(line.split(":")[1]) / 3000
    return ns, instructions


def audit(quick):
    n, rounds = (300, 2) if quick else (2_000, 7)
    shares, with_us, without_us = [], [], []
    with a_world() as world:
        sids = add_ready(world, n)
        server = serve(world)
        play_all(server, world.other.viewer, sids)  # opens all files
        for _ in range(rounds):
            key = world.make_key("--business", world.other.id, "--role", "viewer")
            play_all(server, key, sids, "HEAD")  # the playback's line in the log and its count: HEAD is no entry
            entries = count(world, "audit where action = 'play'")
            first = play_all(server, key, sids[1:])  # each play is a playback of its own, and an entry
            wait_until(lambda: count(world, "audit where action = 'play'") == entries + n - 1, 10)
            written = count(world, "audit where action = 'play'") - entries
            again = play_all(server, key, sids[1:])  # the same requests, of playbacks that are known: no entry
            assert written == n - 1 == count(world, "audit where action = 'play'") - entries, (written, n)
            shares.append(first / again - 1)
            with_us.append(first * 1e6 / (n - 1))
            without_us.append(again * 1e6 / (n - 1))
    ns, instructions = per_entry(quick)
    share = statistics.median(with_us) / statistics.median(without_us) - 1
    counted = f", {instructions:,.0f} instructions by callgrind" if instructions else ""
    return [Row(f"{n:,} plays of a minute each, every one an entry of the audit", f"≤ {MOST:.0%} more of the processor than without entries",
                f"{statistics.median(with_us):.1f} µs a play with, {statistics.median(without_us):.1f} µs without: "
                f"{share:+.1%} (single rounds {min(shares):+.1%} to {max(shares):+.1%}, load average {os.getloadavg()[0]:.1f}); "
                f"an entry alone: {ns / 1000:.1f} µs{counted}", share <= MOST, plays=n, with_us=with_us, without_us=without_us,
                entry_ns=ns, entry_instructions=instructions)]


def verify(quick):
    """The command's own start included."""
    entries = 20_000 if quick else 500_000
    with tempfile.TemporaryDirectory(dir="/var/tmp") as place:
        run([BUILD / "bench/bench_audit", place, entries])
        env = {"PATH": os.environ["PATH"], "DATA_DIR": place, "DATABASE_URL": f"sqlite://{place}/audit.db"}
        began, load = time.monotonic(), os.getloadavg()[0]
        said = subprocess.run([BUILD / "callreel", "audit", "verify"], env=env, capture_output=True, text=True, check=True).stdout
        took = time.monotonic() - began
    assert said == f"{entries + 1} entries of 1 chains verified: 0 faults\n", said
    return Row(f"callreel audit verify, {entries:,} entries", f"≥ {VERIFIED:,} entries a second",
               f"{entries / took:,.0f} entries a second ({took:.1f} s, load average {load:.1f})", entries / took >= VERIFIED,
               entries=entries, took_s=took)


CASES = {"audit": lambda quick: [*audit(quick), verify(quick)]}
