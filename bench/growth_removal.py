"""Cases of removal: many recordings are due at once, while another business plays and sends webhooks; a hold on a number, whose
addresses are looked for among many calls."""
import json
import os
import statistics
import time

from ground import NOW_MS, Neighbour, Row, a_world, add_calls, add_recordings, cpu_s, count, database, refused, serve

RATIO = 2  # times quiet that a neighbour's p99 may reach
WINDOW_S = 5  # a neighbour's p99 is the median of the p99 of such windows: other work on the machine spoils single ones
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
    """Costs the neighbours' core little while it is not over."""
    waits = world.sql("select 1 from recordings indexed by recordings_kept where business_id = ? and status <> 'expired'"
                      " and hold is null and kept_from < ? limit 1", world.busy.id, NOW_MS - 30 * DAY_MS)
    return not waits and not world.sql("select 1 from tasks limit 1") and files_in(old, "a") == 0


def felt(neighbour, quiet, during):
    """A neighbour's figures as text, and how many times its quiet p99 it felt."""
    was, now = (statistics.median(window["p99_ms"] for window in windows) for windows in (quiet, during))
    asked, missed = sum(window["count"] for window in during), sum(map(refused, during))
    return f"{neighbour}: {missed} of {asked} refused, p99 {now:.1f} ms = {now / was:.1f} × quiet ({was:.1f})", now / was


def windows_of(neighbours, look, within):
    """The neighbours' figures, window by window, until look() is true, and the seconds until then (None: it never was)."""
    began, windows = time.monotonic(), [[] for _ in neighbours]
    for neighbour in neighbours:
        neighbour.mark()
    while True:
        until, over = time.monotonic() + WINDOW_S, False
        while not over and time.monotonic() < until:
            time.sleep(0.5)
            over = look()
        took = time.monotonic() - began
        for each, neighbour in zip(windows, neighbours):
            each.append(neighbour.mark())
        if over or took > within:
            return windows, took if over else None


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
            time.sleep(2)
            quiet, _ = windows_of((webhooks, plays), lambda: False, 2 * WINDOW_S if quick else 30)
            load, cpu = os.getloadavg()[0], cpu_s(server.pid)
            world.done("business", "set", world.busy.id, "--retention", "30")
            during, took = windows_of((webhooks, plays), lambda: is_over(world, old), within)
        cpu = cpu_s(server.pid) - cpu
        kept = (files_in(young, "b"), files_in(theirs, "c"),
                count(world, "recordings where status = 'ready'"))
        reasons = count(world, "recordings where business_id = ? and expire_reason = 'retention'", world.busy.id)
        entries = count(world, "audit where business_id = ? and action = 'expire'", world.busy.id)
    told = [felt(name, a, b) for name, a, b in zip(("webhooks", "plays"), quiet, during)]
    right = kept == (stays, stays, 2 * stays + 1) and reasons == entries == n
    done = f"all gone after {took:.0f} s" if took else f"not all gone in {within} s"
    return [Row(f"{n:,} recordings fall due at once; another's webhooks and plays",
                f"all gone within {within} s, nothing else touched, p99 ≤ {RATIO} × quiet",
                f"{done} (the server used {cpu:.0f} s of the processor; load average {load:.1f}), "
                f"{'nothing else touched' if right else f'WRONG: kept {kept}, {reasons} reasons, {entries} entries'};"
                f" {told[0][0]}; {told[1][0]}",
                took and right and not sum(map(refused, during[0] + during[1])) and all(ratio <= RATIO for _, ratio in told),
                recordings=n, took_s=took, cpu_s=cpu, load=load, ratios=[ratio for _, ratio in told])]


def hold(quick):
    """The only call with an address of the number stands behind all others."""
    n, within = (20_000, 20) if quick else (1_000_000, 240)
    number = "+15005550177"
    with a_world() as world:
        with database(world) as db:
            add_calls(db, world.busy, n, 0)
            [call] = add_calls(db, world.busy, 1, 0, letter="f")
            db.execute("update calls set from_number = ? where call_sid = ?", (f"sip:{number}@a.example", call))
            [sid] = add_recordings(db, world.busy, [call], "missing")
        server, key = serve(world), world.make_key("--business", world.busy.id, "--role", "admin")
        ask = lambda method, path, body=None: server.call(method, path, {"Content-Type": "application/json"}, body, key)
        with Neighbour(server) as webhooks:
            time.sleep(2)
            quiet, _ = windows_of((webhooks,), lambda: False, 2 * WINDOW_S if quick else 30)
            load, began = os.getloadavg()[0], time.monotonic()
            made = ask("POST", "/api/holds", json.dumps({"number": number, "reason": "a claim"}).encode())
            refused_at_once = ask("DELETE", f"/api/recordings/{sid}").status == 409
            answered = time.monotonic() - began
            is_shown = lambda: bool(world.sql("select 1 from recordings where recording_sid = ? and hold is not null", sid))
            during, took = windows_of((webhooks,), is_shown, within)
    told, ratio = felt("webhooks", quiet[0], during[0])
    shown = f"shown after {took:.0f} s" if took else f"not shown in {within} s"
    return [Row(f"a hold on a number, of which one call among {n:,} has an address; another's webhooks",
                f"it holds at once, is shown within {within} s; p99 ≤ {RATIO} × quiet",
                f"{'a deletion is refused' if refused_at_once else 'NOT HELD'} after {answered:.2f} s; {shown} (load average {load:.1f}); {told}",
                made.status == 201 and refused_at_once and took and ratio <= RATIO, calls=n, took_s=took, load=load, ratio=ratio)]


CASES = {"retention": retention, "hold": hold}
