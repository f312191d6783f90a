"""The soak: for some minutes calls arrive, people list and play, processes are killed and frozen, the provider fails;
then all is let come to rest, and every promise is checked. script/soak runs it.

Three processes share a database and a store. `front` gets the webhooks and is killed, `worker` fills and is killed or frozen,
The process `steady` has all roles and is never killed: its memory and descriptors are measured. Real time is used."""
import hashlib
import json
import os
import random
import re
import signal
import sys
import threading
import time
from collections import Counter

import wire
from callreel import SANITIZED, eventually

FAULTS = [["not_yet:2"], ["429:1"], ["500:1"], ["cut:1"], ["short:1"], ["xml:1"], ["header_only:1"], ["redirect:1"],
          ["slow:8000"], ["stall:2"], ["no_length"], ["no_range", "cut:1"], ["dup", "shuffle"], ["late:2"], ["lost"]]
FAULTY_SHARE, CALLS_A_SECOND, PLAYERS, LISTERS = 0.4, 2, 3, 2
DISTURB_S = (4, 10)  # between two
DISTURBANCES = [("front", "kill"), ("front", "stop"), ("worker", "kill"), ("worker", "kill"), ("worker", "freeze")]
FREEZE_S = 3
REDELIVER_S = 5  # a provider that was not answered says it again
REST_S = 420  # three failures' back-off and more
MEMORY_MIB, DESCRIPTORS = 24, 8  # what `steady` may have more at the end than it had at half time
RANGES = ["bytes=0-", "bytes=0-1", "bytes=1000-1999", "bytes=-500", None]
WHILE_KILLED = (ConnectionError, TimeoutError, wire.Closed)


class Tape:
    """One recording that the provider made."""

    def __init__(self, business, simulator, made, faults):
        self.business, self.simulator, self.faults = business, simulator, faults
        self.sid, self.call_sid, self.sizes = made["recording_sid"], made["call_sid"], made["sizes"]
        self.made_at, self.told_at, self.ready_at, self.asks = time.monotonic(), time.monotonic(), None, None


class Soak:
    def __init__(self, world, seed, faults):
        self.world, self.rng, self.faults = world, random.Random(seed), faults
        self.over, self.lock = threading.Event(), threading.Lock()
        self.tapes, self.heard, self.disturbed, self.wrong = [], [], [], []
        self.counts, self.figures, self.freeze_s = Counter(), [], FREEZE_S
        world.settings.update(DOWNLOADS_PER_BUSINESS=8)
        self.begin_processes()
        self.sides = []
        for name in ("Acme", "Beta"):
            simulator = world.simulator(f"simulator-{name}")
            business = world.business(simulator, name)
            business.key("viewer")
            url = f"http://127.0.0.1:{self.front.port}/webhooks/twilio/{business.id}"
            answer = wire.call(simulator.port, "PUT", "/sim/webhooks", {"Content-Type": "application/json"},
                               json.dumps({"url": url}).encode())
            assert answer.status == 204, answer
            self.sides.append((business, simulator))

    def begin_processes(self):
        self.front = self.world.server("front")
        self.steady = self.world.server("steady", ADMIN_LISTEN="127.0.0.1:0")
        self.worker = self.world.server("worker", role="worker")

    def complain(self, sentence):
        with self.lock:
            if len(self.wrong) < 20:
                self.wrong.append(sentence)

    def require(self, look, within, sentence, every=0.05):
        """Waits until look() is true; reports a failure after the deadline."""
        try:
            eventually(look, within, every=every)
        except AssertionError:
            self.complain(sentence() if callable(sentence) else sentence)

    # ---- the load and the faults ----

    def calls(self, rng):
        """Makes calls; sends the webhooks again of recordings of which none, or not the last one, arrived."""
        while not self.over.wait(rng.expovariate(CALLS_A_SECOND)):
            business, simulator = rng.choice(self.sides)
            faults = rng.choice(self.faults) if rng.random() < FAULTY_SHARE else []
            made = simulator.make_call(seconds=rng.choice([2, 5, 10, 30]), faults=faults, legs=rng.choice([1, 1, 2]))
            with self.lock:
                self.tapes.append(Tape(business, simulator, made, faults))
            self.counts["calls"] += 1

    def tell_again(self, tape):
        tape.told_at = time.monotonic()
        wire.call(tape.simulator.port, "PUT", f"/sim/recordings/{tape.sid}", {"Content-Type": "application/json"},
                  b'{"status":"completed","faults":[]}')
        self.counts["webhooks told again"] += 1

    def look(self):
        """Notes which recordings became ready, and how many requests the provider had had by then."""
        rows = {row["recording_sid"]: row["status"] for row in self.world.sql("select recording_sid, status from recordings")}
        now = time.monotonic()
        for tape in list(self.tapes):
            if tape.ready_at:
                continue
            if rows.get(tape.sid) == "ready":
                tape.asks, tape.ready_at = tape.simulator.counts(tape.sid), now
            elif rows.get(tape.sid, "missing") == "missing" and now - tape.told_at > REDELIVER_S:
                self.tell_again(tape)
        return bool(self.tapes) and all(tape.ready_at for tape in self.tapes)

    def watch(self, _):
        while not self.over.wait(0.5):
            self.look()
            self.figures.append((time.monotonic(), *usage(self.steady.pid)))

    def play(self, rng):
        while not self.over.wait(rng.expovariate(10)):
            if not self.tapes:
                continue
            tape, server = rng.choice(self.tapes[-60:]), rng.choice([self.front, self.steady])
            was_ready, part = tape.ready_at is not None, rng.choice(RANGES)
            headers = {"Prefer": "wait=5", **({"Range": part} if part else {})}
            try:
                answer = server.get(f"/api/recordings/{tape.sid}/stream", tape.business.viewer, headers)
            except WHILE_KILLED:
                self.counts["cut off by a kill"] += 1
                continue
            self.judge(tape, part, answer, was_ready)

    def judge(self, tape, part, answer, was_ready):
        self.counts["plays"] += 1
        if answer.status in (200, 206):
            first = 0
            if answer.status == 206:
                first, _, total = map(int, re.fullmatch(r"bytes (\d+)-(\d+)/(\d+)", answer.header("content-range")).groups())
                if total not in tape.sizes.values():
                    self.complain(f"{tape.sid}: {total} bytes long, not {tape.sizes}")
            with self.lock:
                self.heard.append((tape, first, len(answer.body), hashlib.sha256(answer.body).digest()))
        elif not self.may_refuse(answer, was_ready):
            self.complain(f"{tape.sid} ({tape.faults}), ready {was_ready}, {part}: {answer}")

    def may_refuse(self, answer, was_ready):
        return answer.status in (202, 404, 503) and not was_ready

    def list(self, rng):
        targets = ("/api/calls", "/api/calls?limit=100&legs=all", "/api/calls?search=CA1", "/api/stats",
                   "/api/calls?recording_status=ready&limit=50")
        while not self.over.wait(rng.expovariate(5)):
            business, _ = rng.choice(self.sides)
            target = rng.choice(targets)
            try:
                answer = rng.choice([self.front, self.steady]).get(target, business.key("admin"))
            except WHILE_KILLED:
                continue
            self.counts["lists"] += 1
            if answer.status != 200 and not (answer.status == 503 and answer.header("retry-after")):
                self.complain(f"{target}: {answer}")

    def disturb(self, rng):
        while not self.over.wait(rng.uniform(*DISTURB_S)):
            name, how = rng.choice(DISTURBANCES)
            began = time.monotonic()
            self.disturb_process(name, how)
            self.disturbed.append((began, time.monotonic()))
            self.counts[f"{how}s"] += 1

    def disturb_process(self, name, how):
        process = getattr(self, name)
        if how == "freeze":
            process.signal(signal.SIGSTOP)
            self.over.wait(self.freeze_s)
            process.signal(signal.SIGCONT)
        else:
            process.kill() if how == "kill" else process.stop()
            setattr(self, name, self.again(process))

    def again(self, process):
        return self.world.again(process)

    def more_acts(self):
        return []

    def start(self, act, number=0):
        def run():
            try:
                act(random.Random(f"{self.rng.random()} {act.__name__} {number}"))
            except BaseException as why:  # noqa: BLE001 - told with what else went wrong
                self.complain(f"{act.__name__}: {type(why).__name__}: {why}")
        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        return thread

    def run(self, seconds):
        acts = [self.calls, self.watch, self.disturb, *self.more_acts()] + [self.play] * PLAYERS + [self.list] * LISTERS
        for business, _ in self.sides:
            business.key("admin")
        self.began = time.monotonic()
        threads = [self.start(act, i) for i, act in enumerate(acts)]
        self.over.wait(seconds)
        self.over.set()
        for thread in threads:
            thread.join(60)
            assert not thread.is_alive(), "an actor never ended"
        try:
            self.world.pass_time_until(self.look, within=REST_S)
        except AssertionError:
            self.complain(f"not ready: {[(tape.faults, self.world.row(tape.sid, tape.business.id)) for tape in self.tapes if not tape.ready_at]}")

    # ---- what must hold ----

    def check(self):
        self.ready = [tape for tape in self.tapes if tape.ready_at]
        self.check_asks()
        self.check_bytes()
        self.check_rest()
        self.check_steady()
        return self.wrong

    def is_undisturbed(self, tape):
        return not any(began < tape.ready_at + 1 and ended > tape.made_at - 1 for began, ended in self.disturbed)

    def check_asks(self):
        """Asserts that no recording is downloaded after it was ready, and only once if no process died and the provider had no fault."""
        for tape in self.ready:
            counts = tape.simulator.counts(tape.sid)
            self.counts["downloads"] += counts["complete"]
            if counts["downloads"] != tape.asks["downloads"]:
                self.complain(f"{tape.sid} was downloaded after it was ready: {tape.asks}, {counts}")
            if counts["complete"] > 1 and self.is_undisturbed(tape) and not set(tape.faults) & {"xml:1", "header_only:1"}:
                self.complain(f"{tape.sid} ({tape.faults}) was downloaded more than once: {counts}")

    def check_bytes(self):
        """Asserts that all bytes that were played are those of the file, and that a sample of the files equals the provider's recordings."""
        files, kinds = {}, {}
        for row in self.world.sql("select recording_sid, name from recordings where status = 'ready'"):
            path = self.world.recordings() / row["name"]
            files[row["recording_sid"]], kinds[row["recording_sid"]] = path.read_bytes(), path.suffix
        for tape, first, n, digest in self.heard:
            if tape.ready_at and hashlib.sha256(files[tape.sid][first:first + n]).digest() != digest:
                self.complain(f"{tape.sid}: somebody heard other bytes at {first}, {n}")
        for tape in self.ready:
            if len(files[tape.sid]) != tape.sizes[kinds[tape.sid][1:]]:
                self.complain(f"{tape.sid}: {len(files[tape.sid])} bytes, not {tape.sizes}")
        for tape in self.rng.sample(self.ready, min(20, len(self.ready))):
            if tape.simulator.media(tape.sid, kinds[tape.sid]).body != files[tape.sid]:
                self.complain(f"{tape.sid} is not what the provider has")

    def check_rest(self):
        self.require(lambda: not self.world.parts(), 60, "parts of fills that are over were not swept")
        done = self.world.run("verify", within=120)
        if done.returncode:
            self.complain(f"verify: {done.stdout[-1000:]}")
        rest = {"callreel_listeners": 0, "callreel_queue_depth": 0, 'callreel_recordings{status="ready"}': len(self.ready)}
        for name, wanted in rest.items():
            self.require(lambda: self.steady.figures().get(name) == wanted, 30, f"{name} is not {wanted} at rest")
        stored = {row["call_sid"] for row in self.world.sql("select call_sid from calls")}
        for tape in self.tapes:
            if tape.call_sid not in stored:
                self.complain(f"the call {tape.call_sid} is not there")

    def check_steady(self):
        """Asserts that descriptors return to their number before, except those of open recordings, whose cache has a ceiling."""
        middle = self.began + (self.figures[-1][0] - self.began) / 2
        early = [figures for figures in self.figures if figures[0] <= middle][-5:]
        self.memory = (max(f[1] for f in early), usage(self.steady.pid)[0])
        self.descriptors = (max(f[2] for f in early), usage(self.steady.pid)[1])
        if not SANITIZED and self.memory[1] - self.memory[0] > MEMORY_MIB:  # a sanitizer keeps what was freed
            self.complain(f"memory of a process that was left alone grew: {self.memory} MiB")
        if self.descriptors[1] - self.descriptors[0] > DESCRIPTORS:
            self.complain(f"descriptors of a process that was left alone grew: {self.descriptors}")

    def told(self):
        faulty = sum(bool(tape.faults) for tape in self.tapes)
        c = self.counts
        rest = ", ".join(f"{c[name]} {name}" for name in ("kills", "stops", "freezes", "webhooks told again"))
        return (f"{c['calls']} calls, {faulty} with a provider's fault; {c['plays']} plays, {c['lists']} lists; {rest}\n"
                f"{len(self.ready)} ready, {c['downloads']} whole downloads\n"
                f"the process left alone: memory {self.memory[0]:.0f} then {self.memory[1]:.0f} MiB, "
                f"descriptors {self.descriptors[0]} then {self.descriptors[1]}")


def usage(pid):
    """Memory in MiB, and the number of descriptors without those of recordings."""
    with open(f"/proc/{pid}/status") as status:
        kib = int(re.search(r"VmRSS:\s+(\d+) kB", status.read())[1])
    count = 0
    for fd in os.listdir(f"/proc/{pid}/fd"):
        try:
            count += "/recordings/" not in os.readlink(f"/proc/{pid}/fd/{fd}")
        except OSError:
            pass  # closed since
    return kib / 1024, count


def soak(world, seconds, seed, faults=tuple(FAULTS)):
    """Prints the failures and a short result."""
    s = Soak(world, seed, faults)
    s.run(seconds)
    return s.check(), s.told()


def main():
    import argparse
    import resource
    import tempfile
    from callreel import World

    options = argparse.ArgumentParser(prog="script/soak")
    options.add_argument("--minutes", type=float, default=5)
    options.add_argument("--seed", type=int, default=time.time_ns() % 1_000_000)
    options.add_argument("--postgres", action="store_true", help="on PostgreSQL, whose servers are disturbed as well")
    chosen = options.parse_args()
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    os.umask(0o022)
    print(f"soak: {chosen.minutes:g} minutes, --seed {chosen.seed}", flush=True)
    directory = tempfile.mkdtemp(prefix="callreel-soak-")
    if chosen.postgres:
        import soak_postgres
        wrong, told = soak_postgres.soak(directory, chosen.minutes * 60, chosen.seed, FAULTS)
    else:
        world = World(directory)
        try:
            wrong, told = soak(world, chosen.minutes * 60, chosen.seed)
        finally:
            world.close()
    print(told)
    if wrong:
        print("\n".join(f"WRONG: {sentence}" for sentence in wrong), f"logs and data are in {directory}", sep="\n")
        return 1
    import shutil
    shutil.rmtree(directory)
    print("all holds")
    return 0


if __name__ == "__main__":
    sys.exit(main())
