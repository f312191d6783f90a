"""docs/benchmarks.md and docs/benchmarks.svg, made from the figures alone."""
import os
import re
import subprocess
import time
from pathlib import Path
from xml.sax.saxutils import escape

from stage import BUILD, CLIENT_CORES, CONNECTIONS, KIB, ROOT, SERVER_CORES

CACHED = "nginx, open_file_cache"
GOALS = {"status": 1.5, "bytes=0-1": 2.0, "16 KiB": 1.8, "64 KiB": 1.4, "256 KiB": 1.15, "1 MiB": 1.0}


# ---- about the run ----

def machine():
    model = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())
    memory = int(re.search(r"MemTotal:\s*(\d+)", Path("/proc/meminfo").read_text())[1]) / KIB / KIB
    system = re.search(r'PRETTY_NAME="(.*)"', Path("/etc/os-release").read_text())
    return (f"{os.cpu_count()} cores of {model[1].strip() if model else 'an unknown processor'}, {memory:.0f} GiB, "
            f"{system[1] if system else 'Linux'}, kernel {os.uname().release.split('-')[0]}")


def version():
    return subprocess.run([BUILD / "callreel", "version"], capture_output=True, text=True).stdout.split()[-1]


def about(load_before, took_s, congestion, machine_congestion):
    return {"date": time.strftime("%Y-%m-%d"), "version": version(), "machine": machine(), "load": load_before,
            "took_s": took_s, "congestion": congestion, "machine_congestion": machine_congestion,
            "server_cores": len(SERVER_CORES), "client_cores": len(CLIENT_CORES)}


def measured(a):
    own = a["machine_congestion"]
    network = f"in a network of its own, under {a['congestion']}" if own else f"under {a['congestion']}"
    if own and own != a["congestion"]:
        network += f" (the machine's {own} paces, which distorts the loopback)"
    return (f"Measured on {a['date']} with version {a['version']}, in {a['took_s']:.0f} s, {network}: {a['machine']}; "
            f"load {a['load']:.1f} before.")


# ---- tables ----

def table(head, rows):
    return [f"| {' | '.join(head)} |", "|" + "---|" + "--:|" * (len(head) - 1), *(f"| {' | '.join(row)} |" for row in rows)]


def pair(row, peer):
    """A peer's answers a second and CPU, and our ratio of both."""
    if peer not in row:
        return ["", "", "", ""]
    ours, theirs = row["callreel"], row[peer]
    return [f"{theirs['per_second']:,.0f}", f"**{ours['per_second'] / theirs['per_second']:.2f}**",
            f"{theirs['server_cpu_us']:.1f}", f"{theirs['server_cpu_us'] / ours['server_cpu_us']:.2f}"]


def serving_lines(serving):
    rows = []
    for what, row in serving.items():
        ours = row["callreel"]
        rows.append([what, f"{ours['per_second']:,.0f}", f"{ours['server_cpu_us']:.1f}",
                     f"{row['floor']['server_cpu_us']:.1f}", *pair(row, "nginx"),
                     *pair(row, CACHED), f"{GOALS[what]:g}"])
    lines = table(["answer", "callreel /s", "CPU µs", "floor µs", "nginx /s", "ratio", "CPU µs", "ratio", "with open_file_cache /s",
                   "ratio", "CPU µs", "ratio", "goal"], rows)
    latency = [[what, *(f"{row[name][q] / 1000:.2f}" if name in row else "" for name in ("callreel", "nginx", CACHED)
                        for q in ("p50_us", "p99_us"))] for what, row in serving.items()]
    return [*lines, "", f"Milliseconds from a request to its answer's last byte, with {CONNECTIONS} in hand:", "",
            *table(["answer", "callreel p50", "p99", "nginx p50", "p99", "with open_file_cache p50", "p99"], latency)]


def deciding_lines(deciding):
    ours = deciding["callreel"]
    rows = [[name, f"{row['per_second']:,.0f}", f"{ours['per_second'] / row['per_second']:.2f}",
             f"{row['server_cpu_us']:.1f}", f"{row['server_cpu_us'] / ours['server_cpu_us']:.2f}",
             f"{row['p50_us'] / 1000:.2f}", f"{row['p99_us'] / 1000:.2f}"] for name, row in deciding.items()]
    return table(["64 KiB of", "/s", "callreel's ratio", "CPU µs", "ratio", "p50 ms", "p99 ms"], rows)


def hot_lines(f):
    a = f["about"]
    return [
        "## Ready recordings", "", measured(a), "",
        "callreel checks a bearer token and its business at each request. nginx serves the same file and checks nothing; "
        "of its settings, `tcp_nopush` and `tcp_nodelay` each on and off, the best at each size, as it comes and with "
        "`open_file_cache`. `status` is a recording's status object, for which nginx returns a constant. "
        f"{CONNECTIONS} connections, kept alive, one request in hand on each; a worker process or loop a core on "
        f"{a['server_cores']} of the cores, the load on {a['client_cores']}. Servers take turns within a round; medians of "
        "the rounds. CPU is the server's own, user and system, an answer; a ratio above 1 is in callreel's favour. "
        "The floor is what the kernel alone takes: a program that answers with the same bytes whatever it is asked.", "",
        "![callreel beside nginx](benchmarks.svg)", "", *serving_lines(f["serving"]), "",
        "Beside servers that decide who may, and caches. `auth_request` asks the smallest service there can be, which compares "
        "one header and whose CPU counts, as nginx's manual has it (a connection each time) and over connections that are kept; "
        "the caches check nothing and have the file already.", "",
        *deciding_lines(f["deciding"]), "",
        f"Milliseconds of one listener's `bytes=0-1` while {CONNECTIONS} others download a mebibyte each, again and again:", "",
        *table(["", "p50", "p99"], [[name, f"{row['p50_us'] / 1000:.2f}", f"{row['p99_us'] / 1000:.2f}"]
                                    for name, row in f["crowded"].items()]), "",
        "## Webhooks", "", "Signed, each of a recording of its own, and on disk (fsync) before its 204; writes of all "
        "connections share commits.", "",
        *table(["connections", "webhooks /s", "p50 ms", "p99 ms"],
               [[str(n), f"{rate:,.0f}", f"{p50:.2f}", f"{p99:.2f}"] for n, rate, p50, p99 in f["webhooks"]])]


def standing_lines(f):
    m, count = f["memory"], f["memory"]["connections"]
    rows = [[name, f"{kib / KIB:.1f}", f"{kib * KIB / count:,.0f}"] for name, kib in m["added_kib"].items()]
    pages = [[name, f"{p['p50_ms']:.1f}", f"{p['p99_ms']:.1f}", f"{p['most_ms']:.1f}", f"{p['requests']:,}",
              f"{p['cold'] / p['requests']:.0%}"] for name, p in f["cold_pages"].items()]
    return [
        "## Connections and cold pages", "", measured(f["about"]), "",
        f"Resident memory that {count:,} kept connections add, each of which was used once:", "",
        *table(["", "MiB", "bytes a connection"], rows), "",
        f"{m['listeners']:,} listeners of a mebibyte who take nothing of it add {m['listeners_kib'] / KIB:.1f} MiB to callreel "
        f"({m['listeners_kib'] * KIB / m['listeners']:,.0f} bytes each).", "",
        "Milliseconds to the first byte where none of the file is in the page cache, for as many listeners at once as there are "
        "files, on new connections:", "",
        *table(["", "p50", "p99", "most", "requests", "cold"], pages)]


def cold_lines(f):
    first, herds = f["first_bytes"], f["herds"]
    if first["callreel_ms"] is None:
        begins = f"None of {first['asked']} recordings was played through."
    else:
        begins = (f"The first byte of audio comes {first['callreel_ms']:.1f} ms after the connect, from the provider itself "
                  f"{first['provider_ms']:.1f} ms: medians of {first['asked']} new recordings each, in turns"
                  + (f"; {first['not_played']} were not played." if first["not_played"] else "."))
    rows = []
    for name, h in herds.items():
        statuses = ", ".join(f"{count:,} × {status}" for status, count in sorted(h["statuses"].items()))
        rows.append([name, f"{h['downloads']:,}", statuses, f"{h['right']:,} of {h['listeners']:,}",
                     *("never" if h[q] is None else f"{h[q]:,.0f}" for q in ("first_p50_ms", "first_p99_ms", "first_most_ms")),
                     f"{h['prompt'] / h['late']:.1%}", f"{h['grown_kib'] / KIB:.1f}"])
    sizes = "; ".join(f"{size / 1e6:.1f} MB: {kib / KIB:.1f} MiB" for size, kib in f["growth"])
    return [
        "## Recordings that are not here yet", "", measured(f["about"]), "", begins, "",
        "One recording that the provider sends slowly, and listeners who join at random moments of it, every second one with "
        "`Range: bytes=0-`; at callreel over two processes on one data directory. First byte: milliseconds from a late "
        "joiner's connect to its first byte of audio, which was there already. nginx's lock holds late joiners as long as it "
        "takes (its default lets them download for themselves after 5 s). Memory is what all of the server's processes grew by.",
        "",
        *table(["", "downloads", "answers", "whole and right", "first byte p50", "p99", "most", "within 50 ms",
                "memory MiB"], rows), "",
        f"What callreel grew by while listeners took a recording of {sizes}."]


def growth_lines(f):
    rows = [[row["case"], row["wanted"], row["reached"], "ok" if row["ok"] else "**short**"]
            for cases in f["cases"].values() for row in cases]
    return [
        "## What must not grow", "", measured(f["about"]), "",
        "`script/bench growth`: each row on fresh servers with a directory of their own, the small beside the large in one run, "
        "or the requests of another business before and while it happens: a webhook every 20 ms on eight connections in turns, each timed "
        "from the moment at which it was due. Processor time is that of the server's threads.", "",
        "| case | to reach | reached | |", "|---|---|---|---|", *(f"| {' | '.join(row)} |" for row in rows)]


def postgres_lines(f):
    a = f["about"]
    rows = [[what, f"{row['a_second']:,}", f"{row['p50_ms']:.1f}", f"{row['p99_ms']:.1f}",
             *(f"{row[name]:,.0f}" for name in ("postgres_us", "callreel_us", "sender_us", "proxy_us")), f"{row['statements']:.1f}"]
            for what, row in f["rows"].items()]
    return [
        "## Webhooks on PostgreSQL", "",
        f"Measured on {a['date']} with version {a['version']}, in {a['took_s']:.0f} s: {a['machine']}; load {a['load']:.1f} before.", "",
        "`script/bench postgres --table`: webhooks as above, with the server behind a proxy that makes each round trip 0.6 ms longer; the "
        "server (with fsync), the proxy, callreel and the sender share the machine. Of some rounds the one in the middle. "
        "Microseconds of the processor and statements are those of one webhook. One connection that inserts the rows of the second line "
        f"in sets of 45, without triggers, and does nothing else, reaches {f['bare_a_second']:,} calls with their recordings a second.", "",
        *table(["connections", "webhooks /s", "p50 ms", "p99 ms", "server µs", "callreel µs", "sender µs", "proxy µs", "statements"], rows)]


LINES = {"hot": hot_lines, "standing": standing_lines, "cold": cold_lines, "growth": growth_lines,
         "postgres": postgres_lines}


def part(name, figures):
    return "\n".join(LINES[name](figures)) + "\n"


# ---- the plot ----

WIDTH, LEFT, BAR, GAP = 720, 110, 16, 14
COLOURS = {"callreel": "#0b6e4f", "nginx": "#9aa0a6", CACHED: "#c9cdd2"}


def bar(y, share, server, text):
    width = max(1, share * (WIDTH - LEFT - 170))
    return (f'<rect x="{LEFT}" y="{y}" width="{width:.1f}" height="{BAR - 3}" fill="{COLOURS[server]}"/>'
            f'<text x="{LEFT + width + 6:.1f}" y="{y + BAR - 6}" font-size="11" fill="#444">{escape(text)}</text>')


def plot(serving):
    """Answers a second, each size on a scale of its own."""
    shapes, y = [], 52
    for what, row in serving.items():
        most = max(row[server]["per_second"] for server in COLOURS if server in row)
        shapes.append(f'<text x="{LEFT - 10}" y="{y + BAR * sum(server in row for server in COLOURS) / 2 + 3:.0f}" font-size="13" text-anchor="end">'
                      f"{escape(what)}</text>")
        for server in (name for name in COLOURS if name in row):
            rate = row[server]["per_second"]
            ratio = "" if server == "callreel" else f"  (callreel: {row['callreel']['per_second'] / rate:.2f} ×)"
            shapes.append(bar(y, rate / most, server, f"{rate:,.0f} /s{ratio}"))
            y += BAR
        y += GAP
    legend = "".join(f'<rect x="{LEFT + i * 200}" y="30" width="11" height="11" fill="{colour}"/>'
                     f'<text x="{LEFT + i * 200 + 16}" y="40" font-size="12">{escape(name)}</text>'
                     for i, (name, colour) in enumerate(COLOURS.items()))
    return (f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {y}" width="{WIDTH}" height="{y}" '
            'font-family="system-ui, sans-serif" role="img"><title>Answers a second, callreel beside nginx</title>'
            f'<rect width="{WIDTH}" height="{y}" fill="#fff"/><text x="{LEFT}" y="18" font-size="14" font-weight="600">'
            f"Answers a second; callreel checks a token, nginx nothing</text>{legend}{''.join(shapes)}</svg>\n")


def write(figures):
    lines = ["# Benchmarks", "",
             "`script/bench` measures a release build beside other servers on one machine and makes this page. Where the "
             "machine was not ours alone **the ratios count, not the figures.**"]
    for name, make in LINES.items():
        if name in figures:
            lines += ["", *make(figures[name])]
    (ROOT / "docs/benchmarks.md").write_text("\n".join(lines) + "\n")
    if "hot" in figures:
        (ROOT / "docs/benchmarks.svg").write_text(plot(figures["hot"]["serving"]))
