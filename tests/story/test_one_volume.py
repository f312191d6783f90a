"""All processes of a database have one recordings' volume. A copy, another mount or none is found by each process itself."""
import os
import shutil
import subprocess
import threading

import pytest

import provider as p
from callreel import eventually

SOON = 4
FOUND = 15  # seconds: the promise


def not_ready(server, *parts, within=FOUND):
    """Waits until the process is not ready; its sentence has all parts and no path."""
    def look():
        answer = server.get("/readyz", timeout=SOON)
        return answer.status == 503 and answer
    detail = eventually(look, within, "not ready").json()["detail"]
    assert all(part in detail for part in parts) and "/" not in detail, detail


def ready(server, within=FOUND):
    eventually(lambda: server.get("/readyz", timeout=SOON).status == 200, within, "ready")


def node_of(world, server):
    return world.sql("select node_id from nodes where pid = ?", server.pid)[0]["node_id"]


def marked(world, count):
    """Waits until as many processes have written their marks."""
    eventually(lambda: len(world.sql("select 1 from nodes where mark >= 1")) == count, 10, "marks")


def test_a_worker_on_a_copy_of_the_volume(world, provider):
    web = world.server("web", "web")
    business = world.business(provider)
    marked(world, 1)
    copy = world.directory / "copy"
    shutil.copytree(world.recordings(), copy)
    worker = world.server("worker", "worker", RECORDINGS_DIR=copy)
    not_ready(worker, node_of(world, web), "missing")
    not_ready(web, node_of(world, worker), "missing")
    found = world.run("check")
    assert found.returncode == 1 and node_of(world, worker) in found.stdout, found
    tape = provider.tape(seconds=5)
    business.tell(web, tape)
    answer = web.get(f"/api/recordings/{tape.sid}/stream", business.viewer, timeout=SOON)
    assert answer.status in (202, 503)  # 503 no_worker once no worker was seen for 30 s
    assert world.state(tape.sid) == "queued" and tape.downloads == 0
    worker.stop()
    assert not list((copy / ".nodes").glob(f"{worker.pid}-*")), "a process removes its mark at its end"
    ready(web)
    world.server("worker", "worker")
    world.wait_state(tape.sid)
    ready(web)


def test_processes_on_one_volume_see_each_other_and_clean_up(world, provider):
    servers = [world.server("web", "web"), world.server("all"), world.server("worker", "worker")]
    marked(world, 3)
    assert sorted(path.name for path in (world.recordings() / ".nodes").iterdir()) == sorted(
        node_of(world, server) for server in servers)
    servers[2].kill()  # its row and its mark stay, and nobody misses anything
    for server in servers[:2]:
        assert server.get("/readyz").status == 200
        server.stop()
    assert [path.name for path in (world.recordings() / ".nodes").iterdir()] == [node_of(world, servers[2])]


def test_a_worker_says_which_database_it_opened(world):
    worker = world.server("worker", "worker")
    assert str(world.database) in worker.wait_lines("No other process uses this database")[0]


def test_a_part_that_is_removed_under_its_download(world, provider):
    server = world.server()
    business = world.business(provider)
    gate = threading.Event()
    tape = provider.tape(seconds=60)
    tape.acts = [p.pause_at(100_000, gate)]
    business.tell(server, tape)
    eventually(lambda: (world.row(tape.sid)["got"] or 0) == 100_000)
    (part,) = world.parts()
    part.unlink()
    gate.set()
    assert server.wait_lines("Part was removed during its download")
    world.wait_state(tape.sid)
    assert world.file_of(tape.sid).read_bytes() == tape.mp3 and world.row(tape.sid)["fail_count"] == 0


@pytest.fixture
def mount(world):
    """A tmpfs for the recordings, and how to mount it."""
    point = world.directory / "volume"
    point.mkdir()

    def on():
        if os.geteuid() != 0 or subprocess.run(["mount", "-t", "tmpfs", "tmpfs", point], capture_output=True).returncode:
            pytest.skip("mounting needs root and its capabilities")
        return point
    yield on
    while subprocess.run(["umount", "-l", point], capture_output=True).returncode == 0:
        pass


def test_a_volume_that_is_unmounted_while_the_process_runs(world, provider, mount):
    server = world.server(RECORDINGS_DIR=mount())
    business = world.business(provider)
    first = provider.tape(seconds=5)
    business.tell(server, first)
    world.wait_state(first.sid)
    subprocess.run(["umount", "-l", world.directory / "volume"], check=True)
    second = provider.tape(seconds=5)
    business.tell(server, second)
    not_ready(server, "RECORDINGS_DIR does not lead to")
    assert world.state(second.sid) != "ready", "bytes that no path leads to are not ready"
    assert not list((world.directory / "volume").iterdir()), "nothing is created where the volume was"


def test_a_volume_that_is_mounted_after_the_start(world, provider, mount):
    point = mount()
    world.settings["RECORDINGS_DIR"] = point / "recordings"
    server = world.server()
    business = world.business(provider)
    first = provider.tape(seconds=5)
    business.tell(server, first)
    world.wait_state(first.sid)
    server.stop()
    kept = world.directory / "kept"
    kept.mkdir()
    subprocess.run(["mount", "--bind", point, kept], check=True)  # keeps the volume while it is not mounted at its place
    try:
        subprocess.run(["umount", point], check=True)
        world.done("key", "list")
        server = world.launch("late").wait_port()
        not_ready(server, "RECORDINGS_DIR does not lead to")
        second = provider.tape(seconds=5)
        business.tell(server, second)
        answer = server.get(f"/api/recordings/{first.sid}/stream", business.viewer, timeout=SOON)
        assert answer.status == 503, answer
        assert world.state(first.sid) == "ready" and world.state(second.sid) == "queued"
        assert not list(point.iterdir()), "nothing is created below a path that was refused"
        subprocess.run(["mount", "--bind", kept, point], check=True)
        ready(server)
        world.wait_state(second.sid)
        for tape in (first, second):
            answer = server.get(f"/api/recordings/{tape.sid}/stream", business.viewer, timeout=SOON)
            assert answer.status == 200 and answer.body == tape.mp3, answer
    finally:
        subprocess.run(["umount", "-l", kept], check=True)


def test_another_mount_over_the_volume(world, mount):
    server = world.server(RECORDINGS_DIR=mount())
    ready(server)
    over = mount()
    not_ready(server, "RECORDINGS_DIR does not lead to")
    assert not list(over.iterdir())
    subprocess.run(["umount", over], check=True)
    ready(server)
    assert server.wait_lines("Recordings' volume is the right one again")


def test_a_link_that_leads_to_a_copy_of_the_volume_later(world, provider):
    real, copy, link = (world.directory / name for name in ("real", "copy", "link"))
    real.mkdir()
    link.symlink_to(real)
    server = world.server(RECORDINGS_DIR=link)
    business = world.business(provider)
    marked(world, 1)
    shutil.copytree(real, copy)
    eventually(lambda: world.sql("select mark from nodes")[0]["mark"] >= 2, 10, "a newer mark than the copy's")
    turn(link, copy)
    not_ready(server, "RECORDINGS_DIR does not lead to")
    assert str(link) in server.wait_lines("Recordings' volume can't be used")[0]
    tape = provider.tape(seconds=5)
    business.tell(server, tape)
    turn(link, real)
    ready(server)
    world.wait_state(tape.sid)
    assert len(tape.asks) == 1 and not list(copy.rglob("*.mp3")) and list(real.rglob("*.mp3"))


def turn(link, target):
    """Makes the link lead to target, without a moment in which it is missing."""
    new = link.with_suffix(".new")
    new.symlink_to(target)
    new.rename(link)
