"""How long a page of calls takes with many of them in the catalog: a real server over a database that is filled here.

    bench/catalog.py --calls 10000 --users 50 [--seconds 10] [--think 0.2]

Each user asks, waits for the answer, thinks for about as long as told, and asks again. A line of each kind of request: how
many, median, p99 and the longest, in milliseconds."""
import argparse
import asyncio
import json
import os
import random
import re
import signal
import sqlite3
import subprocess
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BUILD = ROOT / "build-release"
NAMES = ["Dana Levi", "Noa Cohen", "יעל מזרחי", "אבי פרץ", "Maria Garcia", "John Smith", "שירה אברהם", "Li Wei"]
END = int(time.time() * 1000)
SPAN_MS = 365 * 86400 * 1000


def scope(business):
    code = [0x4e00 + business // 0x5000 ** i % 0x5000 for i in range(3)]
    return "".join(map(chr, code))


def number(rng):
    return f"+1{rng.randrange(200, 1000)}{rng.randrange(10 ** 7):07d}"


def rows(count, business=1):
    """Calls, every fifth with a child leg, nearly all with a recording."""
    rng = random.Random(count)
    for i in range(count):
        at = END - SPAN_MS + SPAN_MS * i // count
        top, customer, own = f"CA{rng.getrandbits(128):032x}", number(rng), "+15005550006"
        inbound = rng.random() < 0.6
        sides = (customer, own) if inbound else (own, customer)
        name = rng.choice(NAMES) if rng.random() < 0.4 else None
        legs = [(top, None, *sides)]
        if i % 5 == 0:
            legs.append((f"CA{rng.getrandbits(128):032x}", top, own, number(rng)))
        digits = " ".join(n[1:] for leg in legs for n in leg[2:]) + " "
        for k, (sid, parent, a, b) in enumerate(legs):
            rowid = at + k << 20
            yield "call", (business, sid, parent, top, "inbound" if inbound else "outbound", a, b, "completed", 60, at + k,
                           at + k, name if k == 0 else None, at + k, at + k, rowid)
            yield "search", (rowid, scope(business), digits, f"{name}\n" if name else "")
        if i % 20:
            state = "ready" if i % 100 else "failed"
            yield "recording", (business, f"RE{rng.getrandbits(128):032x}", legs[-1][0], at, at, state, 480000, 60000, 1)


def fill(path, count):
    db = sqlite3.connect(path, isolation_level=None)
    db.executescript("pragma journal_mode = wal; pragma synchronous = off; pragma cache_size = -200000; begin")
    sql = {
        "call": "insert into calls (business_id, call_sid, parent_call_sid, top_sid, direction, from_number, to_number, status,"
                " duration_s, earliest_at, started_at, customer_name, first_seen_at, sort_at, search_id)"
                " values (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
        "search": "insert into call_search (rowid, scope, numbers, names) values (?,?,?,?)",
        "recording": "insert into recordings (business_id, recording_sid, call_sid, started_at, first_seen_at, status, bytes,"
                     " duration_ms, channels) values (?,?,?,?,?,?,?,?,?)",
    }
    held = {kind: [] for kind in sql}
    for kind, row in rows(count):
        held[kind].append(row)
        if len(held[kind]) == 10000:
            db.executemany(sql[kind], held[kind])
            held[kind].clear()
    for kind, left in held.items():
        db.executemany(sql[kind], left)
    db.execute("commit")
    db.execute("pragma wal_checkpoint(truncate)")
    db.close()


def command(env, *argv):
    return subprocess.run([BUILD / "callreel", *argv], env=env, check=True, capture_output=True, text=True).stdout


def listening(log):
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        found = re.search(r'msg="?Listening"?.*address="?127\.0\.0\.1:(\d+)', log.read_text(errors="replace"))
        if found:
            return int(found[1])
        time.sleep(0.05)
    raise SystemExit(f"it does not listen:\n{log.read_text()}")


async def ask(reader, writer, target, key):
    began = time.perf_counter()
    writer.write(f"GET {target} HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer {key}\r\n\r\n".encode())
    head = await reader.readuntil(b"\r\n\r\n")
    body = await reader.readexactly(int(re.search(rb"Content-Length: (\d+)", head)[1]))
    took = time.perf_counter() - began
    assert head.startswith(b"HTTP/1.1 200"), head
    return took, body


async def user(port, key, targets, until, think, took, rng):
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=2 ** 22)
    await asyncio.sleep(rng.random() * think)
    while time.monotonic() < until:
        kind, target = targets(rng)
        one, _ = await ask(reader, writer, target, key)
        took.setdefault(kind, []).append(one)
        if think:
            await asyncio.sleep(think * (0.5 + rng.random()))
    writer.close()


async def measure(port, key, args, known):
    took = {}

    def target_of(kind):
        def choose(rng):
            some = rng.choice(known)
            return kind, {"first page": "/api/calls", "100 rows": "/api/calls?limit=100",
                          "search, whole number": f"/api/calls?search=%2B{some[1:]}",
                          "search, last 7 digits": f"/api/calls?search={some[-7:]}",
                          "search, last 4 digits": f"/api/calls?search={some[-4:]}",
                          "search, 3 digits": f"/api/calls?search={some[-3:]}",
                          "search, name": "/api/calls?search=garc",
                          "failed recordings": "/api/calls?recording_status=failed",
                          "without recording": "/api/calls?has_recording=false",
                          "completed inbound": "/api/calls?status=completed&direction=inbound",
                          "a week ago": f"/api/calls?until={time.strftime('%Y-%m-%d', time.gmtime(END / 1000 - 7 * 86400))}",
                          }[kind]
        return choose

    kinds = ("first page", "100 rows", "search, whole number", "search, last 7 digits", "search, last 4 digits",
             "search, 3 digits", "search, name", "failed recordings", "without recording", "completed inbound", "a week ago")
    for kind in [kind for kind in kinds if args.only in kind]:
        until = time.monotonic() + args.seconds
        await asyncio.gather(*(user(port, key, target_of(kind), until, args.think, took, random.Random(n))
                               for n in range(args.users)))
        ms = sorted(1000 * t for t in took[kind])
        print(f"{args.calls:>9} calls  {kind:<22} {len(ms):>6} requests  median {ms[len(ms) // 2]:7.2f}  "
              f"p99 {ms[len(ms) * 99 // 100]:7.2f}  longest {ms[-1]:7.2f} ms", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--calls", type=int, default=10000), parser.add_argument("--users", type=int, default=50)
    parser.add_argument("--seconds", type=float, default=5), parser.add_argument("--think", type=float, default=0.2)
    parser.add_argument("--only", default="", help="kinds of requests with that in their name")
    parser.add_argument("--data", help="keep the database there, and take the one that is there already")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        data = Path(args.data or scratch)
        env = {**os.environ, "DATA_DIR": str(data), "LISTEN": "127.0.0.1:0", "MIN_FREE_BYTES": "0"}
        if not (data / "callreel.db").exists():
            command(env, "migrate")
            command(env, "business", "add", "--name", "Acme")
            began = time.monotonic()
            fill(data / "callreel.db", args.calls)
            size = (data / "callreel.db").stat().st_size
            print(f"{args.calls:>9} calls  filled in {time.monotonic() - began:.0f} s, {size / 1e6:.0f} MB", flush=True)
        key = json.loads(command(env, "key", "create", "--json", "--business", "1", "--role", "viewer"))["key"]
        log = Path(scratch) / "log"
        with open(log, "wb") as out:
            server = subprocess.Popen([BUILD / "callreel", "serve"], env=env, stdout=out, stderr=out)
        try:
            port = listening(log)
            asyncio.run(measure(port, key, args, some_numbers(data / "callreel.db")))
        finally:
            server.send_signal(signal.SIGTERM)
            server.wait(20)


def some_numbers(path):
    db = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    found = [n for n, in db.execute("select from_number from calls where direction = 'inbound' order by call_sid limit 2000")]
    db.close()
    return found


if __name__ == "__main__":
    main()
