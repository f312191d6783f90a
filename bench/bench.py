"""The bench: callreel beside other servers, in one run.

   bench.py [--quick] [--congestion NAME] [hot|standing|cold]…      all of them without a name

Figures go to docs/benchmarks.json, and from there into docs/benchmarks.md and .svg; parts that were not asked for keep
what they had. --quick measures a little of each and writes nothing: to see that it runs."""
import argparse
import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import cold
import hot
import page
import standing
from stage import CLIENT_CORES, ROOT, Failed, Stage

PARTS = ("hot", "standing", "cold")
INSIDE = "CALLREEL_BENCH_INSIDE"
FIGURES = ROOT / "docs/benchmarks.json"


def congestion():
    return Path("/proc/sys/net/ipv4/tcp_congestion_control").read_text().strip()


def in_network_of_its_own(name):
    """Restarts in a network namespace whose congestion control does not pace, if that is allowed."""
    if os.environ.get(INSIDE):
        return
    as_root = ["--map-root-user", "--user"] if os.geteuid() else []
    inside = ["unshare", *as_root, "--net", "sh", "-c",
              'ip link set lo up && echo "$0" >/proc/sys/net/ipv4/tcp_congestion_control && exec "$@"', name]
    if not shutil.which("unshare") or not shutil.which("ip"):
        return
    if subprocess.run([*inside, "true"], capture_output=True).returncode == 0:
        os.environ[INSIDE] = congestion()
        os.execvp(inside[0], [*inside, sys.executable, *sys.argv])


@contextlib.contextmanager
def stage_of(settings=None):
    with tempfile.TemporaryDirectory(prefix="callreel-bench-", dir="/var/tmp") as name, contextlib.ExitStack() as stack:
        directory = Path(name)
        yield stack, Stage(stack, directory, settings), directory


def measure_hot(quick):
    rounds, seconds, share = (1, 0.2, 0.05) if quick else (7, 0.4, 1)
    with stage_of() as (stack, stage, directory):
        [sid] = standing.make_recordings(stage, 1, 600)
        serving, crowded = hot.serving(stack, stage, directory, sid, rounds, seconds)
        return {"serving": serving, "crowded": crowded,
                "deciding": hot.deciding(stack, stage, directory, sid, rounds, seconds),
                "webhooks": hot.webhooks(stage, 1 if quick else 5, share)}


def measure_standing(quick):
    with stage_of({"DOWNLOADS_PER_BUSINESS": "16"}) as (stack, stage, directory):
        sids = standing.make_recordings(stage, 5 if quick else standing.COLD_LISTENERS, 300)
        hot.lay_out(stage, directory, sids[0])
        return {"memory": standing.memory(stack, stage, directory, sids[0], 0.01 if quick else 1),
                "cold_pages": standing.cold_pages(stack, stage, directory, sids, 2 if quick else 20)}


def measure_cold(quick):
    count, seconds = (20, 4) if quick else (cold.HERD, cold.HERD_SECONDS)
    with stage_of() as (_, stage, directory):
        second = stage.serve()
        return {"first_bytes": cold.first_bytes(stage, 3 if quick else 41),
                "herds": cold.herds(stage, directory, second, count, seconds),
                "growth": cold.growth(stage, count // 10, [60, 600] if quick else [240, 3600], 3)}


def arguments():
    parser = argparse.ArgumentParser(prog="script/bench")
    parser.add_argument("--quick", action="store_true", help="a little of each; writes nothing")
    parser.add_argument("--congestion", default="reno", help="of the bench's own network: reno")
    parser.add_argument("parts", nargs="*", metavar="|".join(PARTS), help="only these")
    a = parser.parse_args()
    wrong = [part for part in a.parts if part not in PARTS]
    if wrong:
        parser.error(f"there is no part {wrong[0]}")
    return a


def main():
    a = arguments()
    in_network_of_its_own(a.congestion)
    os.sched_setaffinity(0, CLIENT_CORES)
    figures = json.loads(FIGURES.read_text()) if FIGURES.exists() and not a.quick else {}
    measures = {"hot": measure_hot, "standing": measure_standing, "cold": measure_cold}
    try:
        for part in a.parts or PARTS:
            load, began = os.getloadavg()[0], time.monotonic()
            found = measures[part](a.quick)
            figures[part] = {**found, "about": page.about(load, time.monotonic() - began, congestion(),
                                                          os.environ.get(INSIDE))}
            print(page.part(part, figures[part]), flush=True)
    except Failed as why:
        print(f"script/bench: {why}", file=sys.stderr)
        return 1
    if not a.quick:
        FIGURES.write_text(json.dumps(figures, indent=1) + "\n")
        page.write(figures)
    return 0


if __name__ == "__main__":
    sys.exit(main())
