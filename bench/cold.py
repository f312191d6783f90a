"""Recordings that are not stored: the time to their first byte, and what many listeners of one slow fill get.

The simulator is the provider. The same recording at the same pace goes through nginx's cache and Varnish for comparison."""
import random
import statistics
import threading

import peers
from stage import Listener, listen, percentile, resident_kib

HERD = 1000
HERD_SECONDS = 30
PROMPT_MS = 50


# ---- how soon it begins ----

def ask_one(port, path, *headers):
    [seen] = listen([Listener(0, port, path, "Connection: close", *headers)])
    return seen


def first_bytes(stage, count):
    """Medians of milliseconds to the first byte of audio: from the provider itself, and through callreel, in turns."""
    direct, through, unplayed = [], [], 0
    for _ in range(count):
        sid = stage.make_recording(20, status="in-progress")["recording_sid"]
        seen = ask_one(stage.simulator, stage.provider_path(sid), stage.provider_bearer())
        direct.append(seen["first_us"] / 1000)
        sid = stage.make_recording(20, status="in-progress")["recording_sid"]
        seen = ask_one(stage.port, stage.stream(sid), stage.bearer(), "Range: bytes=0-", "Sec-Fetch-Dest: audio")
        if seen["status"] in (200, 206) and seen["whole"]:
            through.append(seen["first_us"] / 1000)
        else:
            unplayed += 1
    return {"asked": count, "not_played": unplayed, "provider_ms": statistics.median(direct),
            "callreel_ms": statistics.median(through) if through else None}


# ---- one slow fill, many listeners ----

class MemoryWatch:
    """The maximum memory of processes while they are watched."""

    def __init__(self, pids):
        self.pids, self.most_kib, self.before_kib, self.over = pids, 0, resident_kib(pids), threading.Event()
        self.thread = threading.Thread(target=self.watch)

    def watch(self):
        while not self.over.wait(0.1):
            self.most_kib = max(self.most_kib, resident_kib(self.pids))

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        self.thread.join()

    def grown_kib(self):
        return max(0, self.most_kib - self.before_kib)


def plan_of(ports, path, headers, count, seconds, chance):
    """Starts the first listener at once, the others at random times of the fill; half of them with a range, as players do, half without."""
    moments = [0.0] + sorted(chance.uniform(50, seconds * 1000 * 0.95) for _ in range(count - 1))
    return [Listener(moment, ports[i % len(ports)], path, "Connection: close", *headers,
                     *(["Range: bytes=0-", "Sec-Fetch-Dest: audio"] if i % 2 == 0 else ["Accept: audio/*"]))
            for i, moment in enumerate(moments)]


def is_played(seen):
    return seen["status"] in (200, 206) and seen["first_us"] >= 0


def herd(ports, pids, path, headers, count, seconds):
    chance = random.Random(1)
    with MemoryWatch(pids) as watch:
        seen = listen(plan_of(ports, path, headers, count, seconds, chance))
    late = [each["first_us"] / 1000 for each in seen[1:] if is_played(each)]
    statuses = {}
    for each in seen:
        statuses[str(each["status"])] = statuses.get(str(each["status"]), 0) + 1
    first = {f"first_{name}_ms": percentile(late, share) if late else None
             for name, share in (("p50", 0.5), ("p99", 0.99), ("most", 1))}
    return {"listeners": count, "statuses": statuses, "played": sum(is_played(each) for each in seen),
            "hashes": [each["hash"] for each in seen if is_played(each) and each["whole"]],
            "bytes": max(each["bytes"] for each in seen), "late": count - 1,
            "prompt": sum(ms <= PROMPT_MS for ms in late), **first, "grown_kib": watch.grown_kib()}


def slow_recording(stage, audio_seconds, seconds, *faults):
    made = stage.make_recording(audio_seconds, status="in-progress")
    pace = made["sizes"]["mp3"] // seconds
    stage.order("PUT", f"/sim/recordings/{made['recording_sid']}", {"faults": [f"slow:{pace}", *faults]})
    return made["recording_sid"]


def true_hash(stage, sid):
    """The hash of the provider's recording."""
    stage.order("PUT", f"/sim/recordings/{sid}", {"faults": []})
    return ask_one(stage.simulator, stage.provider_path(sid), stage.provider_bearer())["hash"]


def compared(stage, sid, result):
    """Adds the number of requests to the provider, and of listeners that got the right bytes."""
    downloads, right = stage.seen(sid)["downloads"], true_hash(stage, sid)
    hashes = result.pop("hashes")
    return {**result, "downloads": downloads, "right": hashes.count(right)}


def herds(stage, directory, second, count, seconds):
    """{server: the results of the listeners of one slow recording}; without a length, a shorter recording with fewer listeners."""
    credentials = stage.provider_bearer().replace("Authorization: ", "")
    table = {}

    def through(name, sid, listeners, length_s, ports, pids, path, *headers):
        table[name] = compared(stage, sid, herd(ports, pids, path, headers, listeners, length_s))

    for suffix, faults, n, length_s in (("", [], count, seconds),
                                        (", no length", ["no_length"], max(10, count // 4), max(3, seconds // 5))):
        place = directory / f"herd-{len(faults)}"
        place.mkdir()
        sids = [slow_recording(stage, max(60, length_s * 8), length_s, *faults) for _ in range(3)]
        through("callreel" + suffix, sids[0], n, length_s, [stage.port, second[0]], [stage.pid, second[1]],
                stage.stream(sids[0]), stage.bearer())
        with peers.nginx_cache(place / "nginx", stage.simulator, peers.GOOD,
                               f'proxy_set_header Authorization "{credentials}";') as (port, pids):
            through("nginx, proxy_cache" + suffix, sids[1], n, length_s, [port], pids, stage.provider_path(sids[1]))
        with peers.varnish(place / "varnish", stage.simulator,
                           f'set bereq.http.Authorization = "{credentials}";') as (port, pids):
            through("Varnish" + suffix, sids[2], n, length_s, [port], pids, stage.provider_path(sids[2]))
    return table


def growth(stage, count, sizes, seconds):
    """[[bytes, KiB of memory that the listeners added]]: it should not grow with the recording's size."""
    rows = []
    for audio_seconds in sizes:
        sid = slow_recording(stage, audio_seconds, seconds)
        result = herd([stage.port], [stage.pid], stage.stream(sid), [stage.bearer()], count, seconds)
        rows.append([result["bytes"], result["grown_kib"]])
    return rows
