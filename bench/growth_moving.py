"""Cases of moving in: the files of an earlier system, and the lists of a provider that has stored recordings for months."""
import json
import os
import resource
import subprocess
import time

from ground import Row, a_world, count

from stage import CLIENT_CORES, CORES

from callreel import CALLREEL
from sound import mp3

IMPORT_RATE = 2_000  # files a second


def write_files(directory, n):
    """Files of an earlier system, each other bytes: the tag at the end of each is its own."""
    sound = mp3(2)
    for i in range(n):
        place = directory / f"{i % 40:02d}"
        place.mkdir(parents=True, exist_ok=True)
        (place / f"CA{i:032x}.mp3").write_bytes(sound + b"TAG" + f"{i:0125d}".encode())
    os.sync()


def run_import(world, directory):
    """The report, and the seconds and processor seconds of the command."""
    os.sched_setaffinity(0, CORES)
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    done = subprocess.run([CALLREEL, "import", directory, "--business", str(world.busy.id), "--link", "--json"],
                          env=world.environment(), capture_output=True, text=True)
    os.sched_setaffinity(0, CLIENT_CORES)
    took, after = time.monotonic() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return json.loads(done.stdout), took, cpu


def import_files(quick):
    n = 10_000 if quick else 100_000
    with a_world() as world:
        old = world.directory / "old"
        write_files(old, n)
        load = os.getloadavg()[0]
        report, took, cpu = run_import(world, old)
        again, took_again, _ = run_import(world, old)
        ready = count(world, "recordings where status = 'ready'")
    right = report["linked"] == again["already"] == ready == n and not report["refused_count"]
    return [Row(f"import of {n:,} files by links", f"≥ {IMPORT_RATE:,} files/s, nothing refused; again: nothing to do",
                f"{n / took:,.0f} files/s ({took:.1f} s, {1000 * cpu / n:.2f} ms of the processor a file; load average {load:.1f});"
                f" again: {took_again:.1f} s{'' if right else f', WRONG: {report}, {again}, {ready} ready'}",
                right and n / took >= IMPORT_RATE, files=n, took_s=took, cpu_s=cpu, again_s=took_again, load=load)]


CASES = {"import": import_files}
