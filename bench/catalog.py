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
BUILD = Path(os.environ.get("CALLREEL_BUILD") or ROOT / "build-release")
NAMES = ["Dana Levi", "Noa Cohen", "יעל מזרחי", "אבי פרץ", "Maria Garcia", "John Smith", "שירה אברהם", "Li Wei"]
END = int(time.time() * 1000)
SPAN_MS = 365 * 86400 * 1000


SYLLABLES = ["ka", "zu", "bel", "qui", "xor", "man", "tov", "ri", "ne", "lo", "sha", "gar", "dim", "pol", "ves"]


def names():
    """Names: some are frequent, and 20,000 are rare."""
    rng = random.Random(5)
    return NAMES + [" ".join("".join(rng.choice(SYLLABLES) for _ in range(n)).title() for n in (2, 3)) for _ in range(20000)]


def rows_sql(count):
    """Calls, every fifth with a child leg, nearly all with a recording, in the order of their keys: SQLite writes each page once."""
    known = len(names())
    every = f"with recursive g(i) as (select 0 union all select i + 1 from g where i + 1 < {count})"
    at = f"({END - SPAN_MS} + {SPAN_MS} * i / {count})"

    def sid(kind, n):
        hashed = ", ".join(f"({n} * {factor} + {more}) % 4294967296"
                           for factor, more in ((2654435761, 97), (2246822519, 11), (3266489917, 5)))
        return f"printf('{kind}%08x%08x%08x%08x', {hashed}, {n})"

    def number(n):
        return f"printf('+1%03d%07d', 200 + ({n} * 48271) % 800, ({n} * 69621 + 12345) % 10000000)"

    own, child = "'+15005550006'", sid("CA", f"(i + {count})")
    calls = f"""
insert into calls (business_id, call_sid, parent_call_sid, top_sid, direction, from_number, to_number, status, duration_s,
  earliest_at, started_at, customer_name, first_seen_at, sort_at, unrecorded)
{every}, legs(i, child) as (select i, 0 from g union all select i, 1 from g where i % 5 = 0)
select 1, iif(child, {child}, {sid("CA", "i")}) as sid, iif(child, {sid("CA", "i")}, null), {sid("CA", "i")},
  iif(i % 10 < 6, 'inbound', 'outbound'),
  case when not child and i % 10 < 6 then {number("i")} else {own} end,
  case when child and i % 10 < 6 then printf('client:agent%d', i / 5 % 40) when child then {number("(i + 77777)")} when i % 10 < 6 then {own} else {number("i")} end,
  'completed', 10 + i * 7919 % 600, {at} + child, {at} + child,
  iif(not child and i % 5 < 2, name_of(iif(i % 3, i * 7919 % {known}, i % {len(NAMES)})), null), {at} + child, {at} + child,
  iif(i % 20 = 0 and i % 100, 1, null)
from legs order by sid"""
    recordings = f"""
insert into recordings (business_id, recording_sid, call_sid, started_at, first_seen_at, status, error_code, bytes,
  duration_ms, channels, listed_at)
{every} select 1, {sid("RE", "i")} as sid, iif(i % 5, {sid("CA", "i")}, {child}), {at}, {at},
  iif(i % 100, 'ready', 'failed'), iif(i % 100, null, 'provider_error'), 480000, 60000, 1, {at}
from g where i % 20 or i % 100 = 0 order by sid"""
    return calls, recordings


def fill(path, count):
    """Inserts without indexes and triggers and creates them afterwards: the server builds the search documents, as after an upgrade."""
    db = sqlite3.connect(path, isolation_level=None)
    db.executescript("pragma synchronous = off; pragma cache_size = -400000; begin")
    made = db.execute("select type, name, sql from sqlite_schema where tbl_name in ('calls', 'recordings')"
                      " and type in ('index', 'trigger') and sql is not null").fetchall()
    for kind, name, _ in made:
        db.execute(f"drop {kind} {name}")
    some = names()
    db.create_function("name_of", 1, lambda n: some[n], deterministic=True)
    for sql in rows_sql(count):
        db.execute(sql)
    for _, _, sql in made:
        db.execute(sql)
    db.execute("insert into recording_counts (business_id, status, code, n, bytes)"
               " select business_id, status, coalesce(error_code, ''), count(*), iif(status = 'ready', sum(bytes), 0)"
               " from recordings group by 1, 2, 3")
    db.execute("insert into call_documents_build values (0, 0, '')")
    db.execute("insert into call_facets_build values (0, 0, '')")
    tags = db.execute("select call_sid from calls where top_sid = call_sid and abs(sort_at / 1000) % 50 = 0").fetchall()
    db.executemany("update calls set tags = '[\"vip\",\"late\"]' where business_id = 1 and call_sid = ?", tags)
    db.execute("commit")
    db.execute("pragma wal_checkpoint(truncate)")
    db.close()


def wait_for_documents(path):
    began = time.monotonic()
    db = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    while db.execute("select exists (select 1 from call_documents_build) or exists (select 1 from call_facets_build)"
                     " or exists (select 1 from call_documents_blocks where marks is null and (is_open = 0 or added >= 256))"
                     " or exists (select 1 from call_documents_new_blocks)").fetchone()[0]:
        time.sleep(1)
    db.close()
    if time.monotonic() - began > 5:
        print(f"indexed by the server in {time.monotonic() - began:.0f} s", flush=True)


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
    took, rare = {}, names()[len(NAMES):]

    def target_of(kind):
        def choose(rng):
            some = rng.choice(known)
            return kind, {"first page": "/api/calls", "100 rows": "/api/calls?limit=100",
                          "search, whole number": f"/api/calls?search=%2B{some[1:]}",
                          "search, last 7 digits": f"/api/calls?search={some[-7:]}",
                          "search, last 4 digits": f"/api/calls?search={some[-4:]}",
                          "search, 3 digits": f"/api/calls?search={some[-3:]}",
                          "search, name": "/api/calls?search=garc",
                          "search, rare name": f"/api/calls?search={'+'.join(rng.choice(rare).split()).lower()[:9]}",
                          "stats": "/api/stats",
                          "failed recordings": "/api/calls?recording_status=failed",
                          "without recording": "/api/calls?has_recording=false",
                          "completed inbound": "/api/calls?status=completed&direction=inbound",
                          "one agent": f"/api/calls?agent=agent{rng.randrange(40)}",
                          "one agent, longest": f"/api/calls?agent=agent{rng.randrange(40)}&sort=-duration",
                          "own number, oldest": "/api/calls?own_number=%2B15005550006&sort=started_at",
                          "a tag": "/api/calls?tag=vip",
                          "agent and tag": f"/api/calls?agent=agent{rng.randrange(40)}&tag=late",
                          "longest": "/api/calls?sort=-duration",
                          "longest outbound": "/api/calls?sort=-duration&direction=outbound&has_recording=true",
                          "over 10 minutes": "/api/calls?min_duration=605",
                          "number of all": "/api/calls?count=1",
                          "number of an agent's": f"/api/calls?agent=agent{rng.randrange(40)}&count=1",
                          "a week ago": f"/api/calls?until={time.strftime('%Y-%m-%d', time.gmtime(END / 1000 - 7 * 86400))}",
                          }[kind]
        return choose

    kinds = ("first page", "100 rows", "search, whole number", "search, last 7 digits", "search, last 4 digits",
             "search, 3 digits", "search, name", "search, rare name", "stats", "failed recordings", "without recording", "completed inbound", "a week ago",
             "one agent", "one agent, longest", "own number, oldest", "a tag", "agent and tag", "longest", "longest outbound",
             "over 10 minutes", "number of all", "number of an agent's")
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
    parser.add_argument("--at-once", action="store_true", help="measure while the server still indexes")
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
        key = json.loads(command(env, "key", "create", "--json", "--business", "1", "--role", "admin"))["key"]
        log = Path(scratch) / "log"
        with open(log, "wb") as out:
            server = subprocess.Popen([BUILD / "callreel", "serve"], env=env, stdout=out, stderr=out)
        try:
            port = listening(log)
            if not args.at_once:
                wait_for_documents(data / "callreel.db")
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
