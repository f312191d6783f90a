"""Cases of removal: many recordings are due at once, while another business plays and sends webhooks."""
import os
import time

from ground import NOW_MS, Neighbour, Row, a_world, add_calls, add_recordings, cpu_s, count, database, felt, refused, serve, wait_until

RATIO = 2  # times quiet that a neighbour's p99 may reach
DAY_MS = 86_400_000
BYTES = b"\xff\xfb\x90\x00" * 300


def add_ready(world, business, n, days, letter):
    """Ready recordings of calls that began so many days ago, each with a file. Returns their directory."""
    month = time.strftime("%Y/%m", time.gmtime(NOW_MS / 1000 - days * 86400))
    place = world.recordings() / str(business.id) / month
    place.mkdir(parents=True, exist_ok=True)
    at = NOW_MS - days * DAY_MS
    with database(world) as db:
        calls = add_calls(db, business, n, 0, at=at, letter=letter)
        sids = add_recordings(db, business, calls, "ready", at=at, bytes=len(BYTES), content_type="audio/mpeg", etag='"e"',
                              modified_at=at, ready_at=at, duration_ms=60000, channels=1, lease_token=1)
        stems = [(f"{business.id}/{month}/{call}.{sid}", sid) for call, sid in zip(calls, sids)]
        db.executemany("update recordings set stem = ?1, name = ?1 || '.mp3' where business_id = ?2 and recording_sid = ?3",
                       [(stem, business.id, sid) for stem, sid in stems])
    for stem, _ in stems:
        with open(world.recordings() / f"{stem}.mp3", "wb") as f:
            f.write(BYTES)
    return place


def files_in(place, letter):
    return sum(1 for entry in os.scandir(place) if entry.name.startswith(f"CA{letter}")) if place.exists() else 0


def is_over(world, old):
    waits = count(world, "recordings where business_id = ? and status = 'ready' and kept_from < ?", world.busy.id,
                  NOW_MS - 30 * DAY_MS)
    return not waits and not count(world, "tasks") and files_in(old, "a") == 0


def retention(quick):
    n, stays, within = (5_000, 500, 120) if quick else (100_000, 5_000, 600)
    with a_world() as world:
        server = serve(world)
        tape = world.other.at.tape(seconds=20)
        world.other.tell(server, tape)
        world.wait_state(tape.sid, business_id=world.other.id)
        server.stop()
        old = add_ready(world, world.busy, n, 45, "a")
        young = add_ready(world, world.busy, stays, 20, "b")
        theirs = add_ready(world, world.other, stays, 45, "c")
        server = serve(world)
        with Neighbour(server) as webhooks, Neighbour(server, "play", id=tape.sid) as plays:
            quiet = [webhooks.quiet(quick)]
            plays.mark()
            quiet += [plays.quiet(quick)]
            load, cpu = os.getloadavg()[0], cpu_s(server.pid)
            webhooks.mark(), plays.mark()
            world.done("business", "set", world.busy.id, "--retention", "30")
            over, took = wait_until(lambda: is_over(world, old), within, every=1)
            during = [webhooks.mark(), plays.mark()]
        cpu = cpu_s(server.pid) - cpu
        kept = (files_in(young, "b"), files_in(theirs, "c"),
                count(world, "recordings where status = 'ready'"))
        reasons = count(world, "recordings where business_id = ? and expire_reason = 'retention'", world.busy.id)
        entries = count(world, "audit where business_id = ? and action = 'expire'", world.busy.id)
    told = [felt(a, b) for a, b in zip(quiet, during)]
    right = kept == (stays, stays, 2 * stays + 1) and reasons == entries == n
    done = f"all gone after {took:.0f} s" if took else f"not all gone in {within} s"
    return [Row(f"{n:,} recordings fall due at once; another's webhooks and plays",
                f"all gone within {within} s, nothing else touched, p99 ≤ {RATIO} × quiet",
                f"{done} ({cpu:.0f} s of the processor, {1e6 * cpu / n:.0f} µs each; load average {load:.1f}), "
                f"{'nothing else touched' if right else f'WRONG: kept {kept}, {reasons} reasons, {entries} entries'};"
                f" webhooks: {told[0][0]}; plays: {told[1][0]}",
                over and right and not any(map(refused, during)) and all(ratio <= RATIO for _, ratio in told),
                recordings=n, took_s=took, cpu_s=cpu, load=load, quiet=quiet, during=during)]


CASES = {"retention": retention}
