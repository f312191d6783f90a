"""How many webhooks a second a PostgreSQL server takes, and what each costs.

   postgres.py [--count N] [--connections N] [--processes N] [--businesses N] [--rtt-ms MS] [--rounds N] [--top N] [--no-fsync]
   postgres.py claims [--claimers N] [--seconds N] [--rtt-ms MS] [--rounds N] [--top N] [--no-fsync] [--complete] [--one-by-one]
   postgres.py --table [--rounds N]      measures the rows of docs/benchmarks.md, and writes them there

Starts a server of its own, with fsync, and that many `serve --role web`; each business has a sender of its own. Prints a line
of JSON a round: webhooks a second, milliseconds at p50 and p99; processor time of callreel and of PostgreSQL, statements,
transactions and bytes of WAL for each webhook. Processor time and counts hardly depend on what else the machine does; the rate
does. claims: how many recordings a second N workers claim, of 20,000 waiting and of 1,000,000 of 10,000 businesses.
--rtt-ms: a proxy before the server delays each way by half of it. --top: the statements that took longest."""
import argparse
import contextlib
import json
import os
import resource
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "script"), str(ROOT / "tests/story"), str(ROOT / "bench")]
import postgres_server  # noqa: E402 - found by the line above
from stage import BUILD, free_port  # noqa: E402

TICKS = os.sysconf("SC_CLK_TCK")


def arguments(argv):
    parser = argparse.ArgumentParser(prog="script/bench postgres")
    parser.add_argument("what", nargs="?", choices=["webhooks", "claims"], default="webhooks")
    for name, value in (("count", 20000), ("claimers", 4), ("seconds", 10), ("connections", 64), ("processes", 1), ("businesses", 1), ("rounds", 3), ("top", 0)):
        parser.add_argument(f"--{name}", type=int, default=value)
    parser.add_argument("--rtt-ms", type=float, default=0)
    for name in ("no-fsync", "complete", "one-by-one"):
        parser.add_argument(f"--{name}", action="store_true")
    parser.add_argument("--bare", action="store_true", help="at the end: how many calls a second inserts of their rows alone reach")
    parser.add_argument("--table", action="store_true")
    parser.add_argument("--waits", action="store_true", help="what connections wait for, sampled each 10 ms")
    return parser.parse_args(argv)


# ---- what the server did ----

def ask(url, text):
    return subprocess.run(["psql", "-X", "-q", "-A", "-t", "-d", url, "-c", text], check=True, capture_output=True, text=True,
                          timeout=60).stdout.strip()


def server_pids(url):
    """The postmaster and all that it started."""
    postmaster = int(ask(url, "select pg_read_file('postmaster.pid')").split()[0])
    return [postmaster, *map(int, Path(f"/proc/{postmaster}/task/{postmaster}/children").read_text().split())]


def cpu_us(pid):
    """Of the process and of its children that have ended."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, fields[11:15])) * 1_000_000 // TICKS


def run_us(pid):
    total = 0
    for task in Path(f"/proc/{pid}/task").iterdir():
        with contextlib.suppress(OSError):
            total += int((task / "schedstat").read_text().split()[0])
    return total // 1000


def figures(url, servers):
    """Counters since the server's start."""
    pids = server_pids(url)
    wal, commits, calls = json.loads(ask(url, "select json_build_array(pg_current_wal_insert_lsn() - '0/0', (select sum(xact_commit) from"
                                              " pg_stat_database), (select sum(calls) from pg_stat_statements where toplevel))"))
    # schedstat counts nanoseconds of what lives; the postmaster's stat has those that ended
    return {"postgres_us": sum(run_us(pid) for pid in pids if Path(f"/proc/{pid}").exists()) + ended_us(pids[0]),
            "callreel_us": sum(run_us(server.pid) for server in servers), "wal_bytes": wal, "commits": commits, "statements": calls,
            "proxy_us": sum(run_us(pid) for pid in children_named("bench_delay"))}


def children_named(name):
    children = Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()
    return [pid for pid in children if Path(f"/proc/{pid}/comm").read_text().strip() == name]


def ended_us(pid):
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, fields[13:15])) * 1_000_000 // TICKS


def show_top(url, n, count):
    rows = ask(url, "select round(total_plan_time::numeric * 1000), plans, round(total_exec_time::numeric * 1000), calls, rows, toplevel,"
                    " regexp_replace(left(query, 150), '\\s+', ' ', 'g')"
                    f" from pg_stat_statements order by total_plan_time + total_exec_time desc limit {n}")
    for row in rows.splitlines():
        plan_us, plans, us, calls, many, top, text = row.split("|", 6)
        print(f"  {float(plan_us) / count:8.1f} us {int(plans) / count:6.3f} plans {float(us) / count:8.1f} us {int(calls) / count:6.3f} calls"
              f" {int(many) / count:6.2f} rows {'' if top == 't' else '(inside) '}{text}", file=sys.stderr)


class Waits(threading.Thread):
    """Counts what the connections of callreel wait for."""

    def __init__(self, url):
        super().__init__(daemon=True)
        self.url, self.over, self.text = url, threading.Event(), ""

    def run(self):
        text = ("select coalesce(wait_event_type || ':' || wait_event, 'runs') || ' ' || state from pg_stat_activity where"
                " application_name like 'callreel%' and state <> 'idle'")
        child = subprocess.Popen(["psql", "-X", "-q", "-A", "-t", "-d", self.url], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        while not self.over.wait(0.01):
            child.stdin.write(text + ";\n")
            child.stdin.flush()
        self.text = child.communicate()[0]

    def end(self):
        self.over.set()
        self.join()
        lines = self.text.splitlines()
        for what in sorted(set(lines), key=lines.count, reverse=True)[:12]:
            print(f"  {lines.count(what):6} {what}", file=sys.stderr)


# ---- the run ----

def send_all(a, servers, businesses):
    senders = max(a.processes, a.businesses)
    share, connections = a.count // senders, max(1, a.connections // senders)
    children = []
    for i in range(senders):
        server, business = servers[i % len(servers)], businesses[i % len(businesses)]
        children.append(subprocess.Popen([BUILD / "bench/bench_webhooks", "127.0.0.1", str(server.port), str(business.id), business.account_sid,
                                          business.token, str(share), str(connections)], stdout=subprocess.PIPE, text=True))
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    found = [json.loads(child.communicate(timeout=600)[0]) for child in children]
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    spent_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {"answered": sum(f["answered"] for f in found), "seconds": max(f["seconds"] for f in found), "sender_us": spent_s * 1e6,
            "p50_ms": max(f["p50_ms"] for f in found), "p99_ms": max(f["p99_ms"] for f in found)}


def round_of(a, url, servers, businesses):
    ask(url, "select pg_stat_statements_reset()")
    waits = Waits(url) if a.waits else None
    before = figures(url, servers)
    if waits:
        waits.start()
    sent = send_all(a, servers, businesses)
    if waits:
        waits.end()
    after = figures(url, servers)
    n = sent["answered"]
    each = {name: round((after[name] - before[name]) / n, 2) for name in after}
    print(json.dumps({"a_second": round(n / sent["seconds"]), "p50_ms": sent["p50_ms"], "p99_ms": sent["p99_ms"], **each,
                      "sender_us": round(sent["sender_us"] / n, 2), "load": os.getloadavg()[0]}), flush=True)
    if a.top:
        show_top(url, a.top, n)


# ---- claims ----

CLAIM_CASES = ((20_000, 1_000), (1_000_000, 10_000))
QUEUED = """
truncate recordings, businesses, turns, changes, recording_count_slots, recording_total_slots; update fill_counts set n = 0;
set session_replication_role = replica;
insert into businesses (business_id, name, created_at) select i, 'Acme', 1 from generate_series(1, {businesses}) i;
insert into recordings (business_id, recording_sid, call_sid, provider_status, url, source, first_seen_at, status, rank, enqueued_at,
  completed_at, kept_from)
select 1 + i % {businesses}, 'RE' || md5(i::text), 'CA' || md5(i::text), 'completed',
  'https://api.twilio.com/2010-04-01/Accounts/AC0123456789abcdef0123456789abcdef/Recordings/RE' || md5(i::text), 'DialVerb',
  1700000000000 + i, 'queued', 1, 1700000000000 + i, 1700000000000 + i, 1700000000000 + i from generate_series(1, {waiting}) i;
insert into turns (rank, business_id, fills, served_at, due_at)
select rank, business_id, fills, served_at, due_at from turns_expected;
set session_replication_role = default; analyze"""


def claims_of(a, url, ours, waiting, businesses):
    """The queue is made again, without triggers."""
    ask(url, "set search_path = callreel, public; " + QUEUED.format(waiting=waiting, businesses=businesses))
    for text in ("vacuum", "checkpoint"):
        ask(url, text)
    words = [word for word, wanted in (("complete", a.complete), ("one-by-one", a.one_by_one)) if wanted]
    for _ in range(a.rounds):
        ask(url, "select pg_stat_statements_reset()")
        before = figures(url, [])
        said = subprocess.run([BUILD / "bench/bench_claimers", ours, str(a.claimers), str(a.seconds), *words], check=True,
                              capture_output=True, text=True, timeout=600).stdout
        after, found = figures(url, []), json.loads(said)
        each = {name: round((after[name] - before[name]) / found["claims"], 2) for name in after if name != "callreel_us"}
        print(json.dumps({"waiting": waiting, "businesses": businesses, **found, **each, "load": os.getloadavg()[0]}), flush=True)
        if a.top:
            show_top(url, a.top, found["claims"])


def run_claims(a, url, ours):
    with tempfile.TemporaryDirectory(prefix="callreel-bench-", dir="/var/tmp") as name:
        env = {**os.environ, "DATABASE_URL": url, "DATA_DIR": name, "RECORDINGS_DIR": name}
        subprocess.run([BUILD / "callreel", "migrate"], env=env, check=True, stdout=subprocess.DEVNULL, timeout=60)
    for waiting, businesses in CLAIM_CASES:
        claims_of(a, url, ours, waiting, businesses)


@contextlib.contextmanager
def delayed(url, rtt_ms):
    """The server's URL, behind the proxy."""
    if not rtt_ms:
        yield url
        return
    port, target = free_port(), int(url.rpartition(":")[2].split("/")[0])
    child = subprocess.Popen([BUILD / "bench/bench_delay", str(port), str(target), str(round(rtt_ms * 500))])
    try:
        time.sleep(0.2)
        yield url.replace(f":{target}/", f":{port}/")
    finally:
        child.kill()
        child.wait()


def send_rounds(a, url, ours):
    with tempfile.TemporaryDirectory(prefix="callreel-bench-", dir="/var/tmp") as name:
        os.environ |= {"CALLREEL_TEST_POSTGRES": ours, "CALLREEL_BUILD": str(BUILD)}
        import callreel
        world = callreel.World(name)
        world.settings.update(WEBHOOKS_PER_BUSINESS=1000000)
        try:
            provider = world.provider()
            businesses = [world.business(provider, f"Acme {i}") for i in range(a.businesses)]
            servers = [world.server(f"web{i}", "web") for i in range(a.processes)]
            for _ in range(a.rounds):
                round_of(a, url, servers, businesses)
            if a.bare:
                print(json.dumps({"bare_a_second": bare_inserts(url, world.schema.name)}))
        finally:
            world.close()


def run(a):
    settings = {"fsync": "off" if a.no_fsync else "on", "shared_preload_libraries": "pg_stat_statements",
                "pg_stat_statements.track": "all" if a.top else "top",
                "pg_stat_statements.track_planning": "on" if a.top else "off", "max_wal_size": "4GB", "shared_buffers": "256MB"}
    with postgres_server.running(**settings) as url, delayed(url, a.rtt_ms) as ours:
        ask(url, "create extension pg_stat_statements")
        run_claims(a, url, ours) if a.what == "claims" else send_rounds(a, url, ours)


# ---- the rows of docs/benchmarks.md ----

BARE_SET, BARE_CALLS = 45, 9000
TABLE = {"1": ["--connections=1", "--count=1000"], "64": ["--bare"],
         "64, to 4 businesses and 4 processes": ["--processes=4", "--businesses=4"]}


def bare_inserts(url, schema):
    """How many calls with their recordings a second, when one connection inserts nothing but their rows (bare_inserts.sql)."""
    text = (ROOT / "bench/bare_inserts.sql").read_text()
    for name, value in (("SCHEMA", schema), ("SIZE", BARE_SET), ("CALLS", BARE_CALLS)):
        text = text.replace(f":{name}", str(value))
    done = subprocess.run(["psql", "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-d", url], input=text, check=True, capture_output=True,
                          text=True, timeout=300)
    began, ended = map(float, done.stdout.split())
    return round(BARE_CALLS / (ended - began))


def measure_table(a):
    """The median round, by its rate, of each row of TABLE."""
    import page
    from bench import FIGURES
    load, began, rows, bare = os.getloadavg()[0], time.monotonic(), {}, {}
    for what, options in TABLE.items():
        done = subprocess.run([sys.executable, __file__, "--rtt-ms=0.6", f"--rounds={a.rounds}", *options],
                              check=True, stdout=subprocess.PIPE, text=True)
        print(f"{what}:\n{done.stdout}", end="", flush=True)
        found = [json.loads(line) for line in done.stdout.splitlines()]
        rounds = [each for each in found if "a_second" in each]
        rows[what] = sorted(rounds, key=lambda each: each["a_second"])[len(rounds) // 2]
        bare.update(*(each for each in found if "bare_a_second" in each))
    figures = json.loads(FIGURES.read_text())
    figures["postgres"] = {"rows": rows, **bare, "about": page.about(load, time.monotonic() - began, None, None)}
    FIGURES.write_text(json.dumps(figures, indent=1, ensure_ascii=False) + "\n")
    page.write(figures)


def main(argv):
    a = arguments(argv)
    if a.table:
        measure_table(a)
    else:
        run(a)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
