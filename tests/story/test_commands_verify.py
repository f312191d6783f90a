"""verify: what it finds, what it repairs, and what it does not touch."""
import json
import shutil
import threading

import pytest

import provider as p
import sound
from callreel import eventually

pytestmark = pytest.mark.sanitized


def verify(world, *options):
    """Exit code, findings as {(kind, recording or name): repaired}, and the summary."""
    done = world.run("verify", "--json", *options)
    assert done.stdout, done.stderr
    said = json.loads(done.stdout)
    found = {(f["kind"], f["recording_sid"] or f["name"]): f["repaired"] for f in said["findings"]}
    assert len(found) == len(said["findings"]) == said["found"]
    assert done.returncode == (1 if said["left"] else 0), done
    return done.returncode, found, said


def ready(world, provider, count):
    server = world.server()
    business = world.business(provider)
    tapes = [provider.tape() for _ in range(count)]
    for tape in tapes:
        business.tell(server, tape)
    for tape in tapes:
        world.wait_state(tape.sid)
    return server, business, tapes


def test_files_that_agree_are_no_finding(world, provider):
    _, _, tapes = ready(world, provider, 3)
    code, found, said = verify(world)
    assert (code, found) == (0, {})
    assert said["files"] == 3 and said["bytes"] == sum(len(tape.mp3) for tape in tapes)
    plain = world.run("verify")
    assert plain.returncode == 0 and "3 files" in plain.stdout and "\r" not in plain.stdout + plain.stderr


def test_what_is_gone_short_or_altered_is_found_and_fetched_again(world, provider):
    server, business, (gone, short, altered, good) = ready(world, provider, 4)
    files = {tape: world.file_of(tape.sid) for tape in (gone, short, altered, good)}
    files[gone].unlink()
    with open(files[short], "r+b") as f:
        f.truncate(1500)
    with open(files[altered], "r+b") as f:
        f.seek(3000)
        f.write(b"\x00\x01\x02")
    wanted = {("missing", gone.sid): False, ("length", short.sid): False, ("checksum", altered.sid): False}
    code, found, _ = verify(world)
    assert (code, found) == (1, wanted)
    assert all(world.state(tape.sid) == "ready" for tape in files), "without --repair nothing is moved"
    code, found, said = verify(world, "--repair")
    assert (code, found) == (0, {key: True for key in wanted}) and said["left"] == 0
    assert [world.state(tape.sid) for tape in (gone, short, altered, good)] == ["missing"] * 3 + ["ready"]
    aside = sorted(path.name for path in world.recordings().rglob("*.bad"))
    world.pass_time(61)  # the cooldown of the first fill
    assert len(aside) == 2 and all(name.startswith((short.call_sid, altered.call_sid)) for name in aside)
    for tape in (gone, short, altered):
        server.post(f"/api/recordings/{tape.sid}/prepare", business.viewer)
        world.wait_state(tape.sid)
        answer = server.get(f"/api/recordings/{tape.sid}/stream", business.viewer)
        assert answer.status == 200 and answer.body == tape.mp3
    code, found, said = verify(world)
    assert (code, found, said["set_aside"]) == (0, {}, 2)


def test_files_without_a_ready_row_are_told_apart(world, provider):
    server, business, (good,) = ready(world, provider, 1)
    server.stop()
    web = world.server("web", "web")
    whole, wrong, unknown = provider.tape(), provider.tape(), provider.tape()
    for tape in (whole, wrong):
        business.tell(web, tape, "in-progress")
    web.stop()
    folder = world.file_of(good.sid).parent
    name = lambda tape, rest="mp3": folder / f"{tape.call_sid}.{tape.sid}.{rest}"
    name(whole).write_bytes(whole.mp3)
    name(wrong).write_bytes(b"<?xml version='1.0'?><TwilioResponse/>" * 100)
    name(unknown).write_bytes(unknown.mp3)
    name(good, "77.part").write_bytes(b"x" * 99)  # of an earlier release
    part = world.recordings() / ".parts" / f"{business.id}.{unknown.sid}.5"
    part.write_bytes(b"x" * 99)
    (folder / "notes \"here\".txt").write_text("mine")
    relative = lambda path: str(path.relative_to(world.recordings()))
    wanted = {("found", whole.sid): False, ("damaged", wrong.sid): False, ("stray", relative(name(unknown))): False,
              ("part", good.sid): False, ("part", relative(part)): False, ("stray", relative(folder / "notes \"here\".txt")): False}
    code, found, _ = verify(world)
    assert (code, found) == (1, wanted)
    assert name(whole).exists() and name(wrong).exists() and name(good, "77.part").exists() and part.exists()
    code, found, said = verify(world, "--repair")
    assert (code, said["left"]) == (1, 2)
    assert {key for key, repaired in found.items() if repaired} == {key for key in wanted if key[0] != "stray"}
    row = world.row(whole.sid)
    assert row["status"] == "ready" and row["bytes"] == len(whole.mp3) and row["sha256"] == sound.digest(whole.mp3)
    assert name(unknown).exists() and (folder / "notes \"here\".txt").exists(), "strays are left alone"
    assert not name(wrong).exists() and not name(good, "77.part").exists() and not part.exists()
    server = world.again(server)
    answer = server.get(f"/api/recordings/{whole.sid}/stream", business.viewer, {"Range": "bytes=0-"})
    assert answer.body == whole.mp3 and whole.downloads == 0


def test_a_fill_under_way_is_left_alone(world, provider):
    server, business, _ = ready(world, provider, 1)
    gate, tape = threading.Event(), provider.tape()
    tape.acts = [p.pause_at(4000, gate)]
    business.tell(server, tape)
    eventually(lambda: world.row(tape.sid)["got"] > 0 or world.parts(), 10)
    code, found, _ = verify(world, "--repair")
    assert (code, found) == (0, {}) and world.parts()
    gate.set()
    world.wait_state(tape.sid)
    assert tape.downloads == 1 and world.file_of(tape.sid).read_bytes() == tape.mp3


def test_beside_a_busy_server_nothing_is_mistaken(world, provider):
    server = world.server(DOWNLOADS_PER_BUSINESS=8)
    business = world.business(provider)
    tapes = [provider.tape() for _ in range(150)]
    teller = threading.Thread(target=lambda: [business.tell(server, tape) for tape in tapes])
    teller.start()
    looks = 0
    while teller.is_alive() or world.sql("select 1 from recordings where status in ('queued', 'downloading')"):
        code, found, _ = verify(world, "--repair")
        assert (code, found) == (0, {})
        looks += 1
    teller.join()
    states = {tape.sid: (tape.downloads, world.row(tape.sid)["status"], world.row(tape.sid)["error_code"]) for tape in tapes}
    assert looks > 1 and {sid: state for sid, state in states.items() if state != (1, "ready", None)} == {}


def test_the_wrong_volume_is_never_verified_unless_adopted(world, provider):
    server, _, tapes = ready(world, provider, 2)
    server.stop()
    old, new = world.recordings(), world.directory / "moved"
    new.mkdir()
    here = {"RECORDINGS_DIR": str(new)}
    done = world.run("verify", "--repair", env=here)
    assert done.returncode == 1 and "--adopt-store" in done.stderr and not done.stdout
    assert all(world.state(tape.sid) == "ready" for tape in tapes)
    # moved as shells move: without the files whose names begin with a dot
    for path in old.iterdir():
        if not path.name.startswith("."):
            shutil.move(path, new / path.name)
    done = world.run("verify", "--adopt-store", env=here)
    assert done.returncode == 0 and "belong together" in done.stderr, done
    assert (new / ".store-id").read_text().strip() == world.sql("select cast(value as text) as id from settings where name = 'store_id'")[0]["id"]
    server = world.again(server, **here)
    assert server.get("/readyz").status == 200


def test_a_volume_with_an_id_of_its_own_is_adopted_by_the_database(world, provider):
    server, _, _ = ready(world, provider, 1)
    server.stop()
    new = world.directory / "moved"
    shutil.copytree(world.recordings(), new)
    (new / ".store-id").write_text("ab" * 16)
    here = {"RECORDINGS_DIR": str(new)}
    assert world.run("verify", env=here).returncode == 1
    assert world.run("verify", "--adopt-store", env=here).returncode == 0
    assert world.run("verify", env=here).returncode == 0
    assert world.run("verify").returncode == 1, "the old one is another's now"


def test_a_volume_of_strangers_is_not_adopted(world, provider):
    server, _, _ = ready(world, provider, 1)
    server.stop()
    other = world.directory / "photos"
    other.mkdir()
    (other / "cat.jpg").write_text("meow")
    done = world.run("verify", "--adopt-store", env={"RECORDINGS_DIR": str(other)})
    assert done.returncode == 1 and "RECORDINGS_DIR" in done.stderr
    assert not (other / ".store-id").exists()


def test_many_rows_are_read_in_batches(world):
    simulator = world.simulator()
    server = world.server()
    business = world.business(simulator)
    import wire
    told = wire.call(simulator.port, "PUT", "/sim/webhooks", {"Content-Type": "application/json"},
                     json.dumps({"url": f"http://127.0.0.1:{server.port}/webhooks/twilio/{business.id}"}).encode())
    assert told.status in (200, 204), told
    for _ in range(105):
        simulator.make_call(seconds=1)
    eventually(lambda: world.sql("select count(*) as n from recordings where status = 'ready'")[0]["n"] == 105, 60)
    code, found, said = verify(world)
    assert (code, found, said["files"]) == (0, {}, 105)
