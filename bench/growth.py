"""Measures what must not get slower when the data grows: one row for each case, small beside large data, or a neighbour before and during.

   growth.py [--quick] [--json] [NAME...]      all of them without a name

Each case has fresh servers with a directory of their own. Figures go to docs/benchmarks.json, and from there into
docs/benchmarks.md; cases that were not asked for keep what they had. --quick takes smaller states and shorter times, under
five minutes in all, and writes nothing. It is a yardstick: a case that is short is said to be, and is no failure."""
import argparse
import json
import os
import sys
import time
import traceback

import growth_audit
import growth_moving
import growth_people
import growth_queue
import growth_removal
import growth_speech
import page
import standing
from bench import FIGURES, congestion
from ground import Row
from stage import CLIENT_CORES

CASES = {**growth_queue.CASES, **growth_people.CASES, **growth_removal.CASES, **growth_moving.CASES, **growth_audit.CASES,
         **growth_speech.CASES}


def arguments(argv):
    parser = argparse.ArgumentParser(prog="script/bench growth")
    parser.add_argument("--quick", action="store_true", help="smaller and shorter; writes nothing")
    parser.add_argument("--json", action="store_true", help="the rows as JSON")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"only these of {', '.join(CASES)}")
    a = parser.parse_args(argv)
    wrong = [name for name in a.names if name not in CASES]
    if wrong:
        parser.error(f"there is no case {wrong[0]}")
    return a


def measure(name, quick):
    """The case's rows; a case that can't be measured counts as missed."""
    try:
        return CASES[name](quick)
    except Exception as why:
        traceback.print_exc()
        return [Row(name, "to be measured", f"not measured: {type(why).__name__}: {why}", False)]


def line_of(row):
    return f"{'ok   ' if row.ok else 'short'}  {row.case}\n         wanted: {row.wanted}\n         reached: {row.reached}"


def main(argv):
    a = arguments(argv)
    os.sched_setaffinity(0, CLIENT_CORES)
    standing.allow_descriptors()
    load, began, found = os.getloadavg()[0], time.monotonic(), {}
    for name in a.names or CASES:
        rows = measure(name, a.quick)
        found[name] = [row.as_json() for row in rows]
        print(json.dumps(found[name]) if a.json else "\n".join(map(line_of, rows)), flush=True)
    if a.quick:
        return 0
    figures = json.loads(FIGURES.read_text()) if FIGURES.exists() else {}
    kept = figures.get("growth", {}).get("cases", {})
    cases = {name: found.get(name) or kept[name] for name in CASES if name in found or name in kept}
    figures["growth"] = {"cases": cases, "about": page.about(load, time.monotonic() - began, congestion(), None)}
    FIGURES.write_text(json.dumps(figures, indent=1, ensure_ascii=False) + "\n")
    page.write(figures)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
