"""Ready recordings in the page cache: requests a second and their cost.

Servers take turns within each round, so that other load of the machine affects all alike; medians of the rounds."""
import concurrent.futures
import json
import os
import statistics

import peers
from stage import BUILD, KIB, Target, get, run

SIZES = {"bytes=0-1": 2, "16 KiB": 16 * KIB, "64 KiB": 64 * KIB, "256 KiB": 256 * KIB, "1 MiB": KIB * KIB}
WEBHOOKS = [(1, 600), (8, 3000), (64, 8000)]
FAR_BEHIND = 0.75  # of the best in the first round: a setting that can't be the best one


def median(results, name):
    return statistics.median(result[name] for result in results)


def summary(results):
    return {name: median(results, name) for name in ("per_second", "server_cpu_us", "p50_us", "p99_us")}


def lay_out(stage, directory, sid):
    """The same file and the same status object for servers of files."""
    root = directory / "www"
    root.mkdir()
    os.link(stage.file(sid), root / "audio")
    status = get(f"http://127.0.0.1:{stage.port}/api/recordings/{sid}/status", stage.key)
    (root / "status").write_bytes(status)
    for path in (directory, root):
        path.chmod(0o755)
    (root / "audio").chmod(0o644)
    return root, status


def ours(stage, sid):
    return Target("callreel", stage.port, [stage.pid],
                  {"status": f"/api/recordings/{sid}/status", "audio": stage.stream(sid)}, stage.key)


def measure(targets, what, length, rounds, seconds):
    """{target: its results}; a setting of nginx that is far behind its best one is not asked again."""
    results = {target: [] for target in targets}
    for i in range(rounds):
        for target in results:
            results[target].append(target.load("audio" if length else "status", seconds, length))
        if i > 0:
            continue
        for family in {target.family for target in targets}:
            kin = [target for target in results if target.family == family]
            best = max(results[target][0]["per_second"] for target in kin)
            for target in kin:
                if results[target][0]["per_second"] < FAR_BEHIND * best:
                    del results[target]
    return results


def best_of_families(results):
    """{family: figures of its best setting}"""
    table = {}
    for target, r in results.items():
        row = {**summary(r), "setting": target.setting}
        if row["per_second"] > table.get(target.family, {"per_second": 0})["per_second"]:
            table[target.family] = row
    return table


def static_targets(stack, directory, root, status):
    targets = []
    for family, extra in (("nginx", ""), ("nginx, open_file_cache", peers.FILE_CACHE)):
        for i, (setting, options) in enumerate(peers.SETTINGS.items()):
            place = directory / f"nginx-{'cache' if extra else 'plain'}-{i}"
            port, pids = stack.enter_context(peers.nginx_static(place, root, options + extra, status))
            target = Target(family, port, pids, {"status": "/constant", "audio": "/audio"})
            target.family, target.setting = family, setting
            targets.append(target)
    return targets


def floor_target(stack, directory, path, length):
    size, status = (length, 206) if length else (path.stat().st_size, 200)
    port, pids = stack.enter_context(peers.floor(directory / f"floor-{size}.log", path, size, status))
    target = Target("floor", port, pids, {"status": "/", "audio": "/"})
    target.family, target.setting = "floor", ""
    return target


def serving(stack, stage, directory, sid, rounds, seconds):
    """{answer: {server: figures}}, and those of a probe among downloads."""
    root, status = lay_out(stage, directory, sid)
    our = ours(stage, sid)
    our.family, our.setting = "callreel", ""
    targets = [our, *static_targets(stack, directory, root, status)]
    table = {}
    for what, length in [("status", None), *SIZES.items()]:
        asked = [t for t in targets if length or t.family != "nginx, open_file_cache"]  # a constant needs no file
        asked.append(floor_target(stack, directory, root / ("audio" if length else "status"), length))
        table[what] = best_of_families(measure(asked, what, length, rounds, seconds))
    return table, crowded(targets[:2], rounds, seconds)


def deciding(stack, stage, directory, sid, rounds, seconds):
    """{server: figures} at 64 KiB, of servers that decide who may, and of caches."""
    root = directory / "www"
    origin, _ = stack.enter_context(peers.nginx(directory / "origin", peers.GOOD, f"root {root};"))
    header = f"Bearer {stage.key}"
    kinds = {}
    for i, (setting, options) in enumerate(peers.SETTINGS.items()):
        if "nodelay on" in setting:
            for j, name in enumerate(("nginx, auth_request", "nginx, auth_request, kept")):
                place = directory / f"asking-{i}-{j}"
                kinds[name, setting] = peers.nginx_asking(place, root, header, options, kept=j == 1)
            kinds |= {
                ("nginx, proxy_cache", setting): peers.nginx_cache(directory / f"cache-{i}", origin, options),
                ("nginx, slices", setting): peers.nginx_cache(directory / f"slices-{i}", origin, options, slices=True)}
    kinds["Varnish", ""] = peers.varnish(directory / "varnish", origin)
    our = ours(stage, sid)
    our.family, our.setting = "callreel", ""
    targets = [our]
    for (family, setting), server in kinds.items():
        port, pids = stack.enter_context(server)
        target = Target(family, port, pids, {"audio": "/audio"}, stage.key)
        target.family, target.setting = family, setting
        targets.append(target)
        get(f"http://127.0.0.1:{port}/audio", stage.key)  # a cache has it from here on
    return best_of_families(measure(targets, "64 KiB", SIZES["64 KiB"], rounds, seconds))


def crowded(targets, rounds, seconds):
    """{server: milliseconds of a 2-byte probe} while as many downloads of a mebibyte run as there are connections."""
    results = {target.family: [] for target in targets}
    for _ in range(rounds):
        for target in targets:
            with concurrent.futures.ThreadPoolExecutor(1) as other:
                downloads = other.submit(target.load, "audio", seconds + 0.3, SIZES["1 MiB"], yielding=True)
                results[target.family].append(target.load("audio", seconds, SIZES["bytes=0-1"], connections=1))
                downloads.result()
    return {name: summary(r) for name, r in results.items()}


def webhooks(stage, rounds, share):
    rows = []
    for connections, count in WEBHOOKS:
        argv = [BUILD / "bench/bench_webhooks", "127.0.0.1", stage.port, stage.business, stage.account, stage.token,
                max(connections, int(count * share)), connections]
        results = [json.loads(run(argv)) for _ in range(rounds)]
        rows.append([connections, median(results, "a_second"), median(results, "p50_ms"), median(results, "p99_ms")])
    return rows
