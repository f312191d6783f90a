"""Recordings that are not here yet: how soon they begin, and what many listeners of one slow fill get.

The simulator is the provider. The same recording at the same pace goes through nginx's cache and Varnish for comparison."""
import contextlib
import json
import random
import statistics
import threading
import time
from pathlib import Path

import peers
from stage import Failed, Listener, listen, percentile, resident_kib

HERD = 1000
HERD_SECONDS = 30
PROMPT_MS = 50
BYTES_A_SECOND_OF_AUDIO = 4000  # mp3 at 32 kbit/s, about


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
    """The most that processes have in memory while it is watched."""

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
    """The first at once, the others at random moments of the fill; half of them as players ask, half without a range."""
    moments = [0.0] + sorted(chance.uniform(50, seconds * 1000 * 0.95) for _ in range(count - 1))
    return [Listener(moment, ports[i % len(ports)], path, "Connection: close", *headers,
                     *(["Range: bytes=0-", "Sec-Fetch-Dest: audio"] if i % 2 == 0 else ["Accept: audio/*"]))
            for i, moment in enumerate(moments)]


def herd(ports, pids, path, headers, count, seconds):
    chance = random.Random(1)
    with MemoryWatch(pids) as watch:
        seen = listen(plan_of(ports, path, headers, count, seconds, chance))
    first = [each["first_us"] / 1000 if each["first_us"] >= 0 and each["status"] in (200, 206) else float("inf")
             for each in seen]
    late = first[1:]
    statuses = {}
    for each in seen:
        statuses[str(each["status"])] = statuses.get(str(each["status"]), 0) + 1
    return {"listeners": count, "statuses": statuses, "bodies": len({(each["hash"], each["bytes"]) for each in seen}),
            "bytes": max(each["bytes"] for each in seen), "whole": sum(each["whole"] for each in seen),
            "prompt": sum(ms <= PROMPT_MS for ms in late), "first_p50_ms": percentile(late, 0.5),
            "first_p99_ms": percentile(late, 0.99), "first_most_ms": max(late), "grown_kib": watch.grown_kib()}


def slow_recording(stage, audio_seconds, seconds, *faults):
    made = stage.make_recording(audio_seconds, status="in-progress")
    pace = made["sizes"]["mp3"] // seconds
    stage.order("PUT", f"/sim/recordings/{made['recording_sid']}", {"faults": [f"slow:{pace}", *faults]})
    return made["recording_sid"]


def herds(stage, directory, second, count, seconds):
    """{server: what the listeners of one slow recording got, and how often the provider was asked}"""
    port, pid = second
    audio = max(60, seconds * 8)
    credentials = stage.provider_bearer().replace("Authorization: ", "")
    table = {}

    def measure(name, ports, pids, sid, path, *headers):
        result = herd(ports, pids, path, headers, count, seconds)
        table[name] = {**result, "downloads": stage.seen(sid)["downloads"]}

    sid = slow_recording(stage, audio, seconds)
    measure("callreel", [stage.port, port], [stage.pid, pid], sid, stage.stream(sid), stage.bearer())
    sid = slow_recording(stage, audio, seconds)
    with peers.nginx_cache(directory / "cold-cache", stage.simulator,
                           f'proxy_set_header Authorization "{credentials}";') as (at, pids):
        measure("nginx, proxy_cache", [at], pids, sid, stage.provider_path(sid))
    for name, faults in (("Varnish", []), ("Varnish, no length", ["no_length"])):
        sid = slow_recording(stage, audio, seconds if not faults else max(2, seconds // 4), *faults)
        with peers.varnish(directory / f"cold-varnish-{len(faults)}", stage.simulator,
                           f'set bereq.http.Authorization = "{credentials}";') as (at, pids):
            count_now, seconds_now = (count, seconds) if not faults else (max(10, count // 4), max(2, seconds // 4))
            result = herd([at], pids, stage.provider_path(sid), [], count_now, seconds_now)
            table[name] = {**result, "downloads": stage.seen(sid)["downloads"]}
    return table


def growth(stage, count, sizes, seconds):
    """[[bytes, KiB that one server grew by while so many listened]]: it should not grow with the recording."""
    rows = []
    for audio_seconds in sizes:
        sid = slow_recording(stage, audio_seconds, seconds)
        result = herd([stage.port], [stage.pid], stage.stream(sid), [stage.bearer()], count, seconds)
        rows.append([result["bytes"], result["grown_kib"]])
    return rows
