"""Files and rows of an earlier system: linked or copied, judged by their bytes, and nothing is refused in silence."""
import csv
import json
import os
import random
import signal
import sqlite3
import subprocess

import pytest

from callreel import CALLREEL, eventually
from provider import sid
from sound import mp3, wav


def put(directory, name, data):
    path = directory / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


def imported(world, *argv, code=0):
    done = world.run("import", *argv, "--json")
    assert done.returncode == code, done
    return json.loads(done.stdout)


def write_rows(path, rows):
    with open(path, "w", newline="", encoding="utf-8") as f:
        out = csv.DictWriter(f, rows[0].keys())
        out.writeheader()
        out.writerows(rows)
    return path


@pytest.fixture
def old(tmp_path):
    directory = tmp_path / "recordings"
    directory.mkdir()
    return directory


@pytest.mark.sanitized
@pytest.mark.threads
def test_files_named_by_their_calls_are_linked_and_ready(world, provider, old):
    acme = world.business(provider)
    calls = [sid("CA") for _ in range(3)]
    paths = [put(old, f"{'' if i else 'deep/er/'}{call}.mp3", mp3(2 + i)) for i, call in enumerate(calls)]
    before = [(p.read_bytes(), p.stat().st_mtime_ns) for p in paths]
    report = imported(world, old, "--business", acme.id)
    assert (report["files"], report["linked"], report["copied"], report["refused"]) == (3, 3, 0, [])
    server = world.server()
    for call, (data, _) in zip(calls, before):
        answer = server.get(f"/api/recordings/{call}/stream", acme.viewer)
        assert answer.status == 200 and answer.body == data
    assert [(p.read_bytes(), p.stat().st_mtime_ns) for p in paths] == before
    assert all(p.stat().st_nlink == 2 for p in paths)
    assert json.loads(world.done("verify", "--json"))["findings"] == []
    again = imported(world, old, "--business", acme.id)
    assert (again["already"], again["linked"]) == (3, 0)


def test_copies_are_files_of_their_own(world, provider, old):
    acme = world.business(provider)
    call = sid("CA")
    path = put(old, f"{call}.wav", wav(2))
    assert imported(world, old, "--business", acme.id, "--copy")["copied"] == 1
    assert path.stat().st_nlink == 1
    path.write_bytes(b"other")
    assert world.server().get(f"/api/recordings/{call}/stream", acme.viewer).body == wav(2)


def test_everything_that_is_refused_is_named_with_its_reason(world, provider, old, tmp_path):
    acme = world.business(provider)
    names = {}
    def bad(why, name, data=None):
        names[name] = why
        if data is not None:
            put(old, name, data)
    bad("not_audio", f"{sid('CA')}.mp3", b"<xml>" * 1000)
    bad("not_audio", f"{sid('CA')}.mp3", mp3(2)[:900])
    bad("truncated", f"{sid('CA')}.wav", wav(3)[:20000])
    bad("no_sid", "notes.txt", b"x")
    bad("no_sid", f"{sid('CA')}0.mp3", mp3(2))
    bad("not_a_file", f"{sid('CA')}.mp3")
    (old / list(names)[-1]).symlink_to(tmp_path / "elsewhere.mp3")
    report = imported(world, old, "--business", acme.id, code=1)
    assert {r["file"]: r["why"] for r in report["refused"]} == names and report["refused_count"] == len(names)
    assert world.sql("select 1 from recordings") == []


def test_a_file_of_a_known_recording_is_taken_without_a_download(world, provider, old):
    acme = world.business(provider)
    tape = provider.tape(4)
    server = world.server(role="web")
    acme.tell(server, tape)
    put(old, f"{tape.call_sid}.mp3", tape.mp3)
    assert imported(world, old, "--business", acme.id)["linked"] == 1
    assert world.state(tape.sid) == "ready"
    assert server.get(f"/api/recordings/{tape.sid}/stream", acme.viewer).body == tape.mp3
    assert tape.downloads == 0


def test_a_file_that_is_shorter_than_its_recording_is_refused(world, provider, old):
    acme = world.business(provider)
    tape = provider.tape(10)
    acme.tell(world.server(role="web"), tape)
    put(old, f"{tape.call_sid}.mp3", mp3(3))
    assert [r["why"] for r in imported(world, old, "--business", acme.id, code=1)["refused"]] == ["truncated"]


def test_files_of_all_tenants_go_where_their_rows_say(world, provider, old, tmp_path):
    north, south = world.business(provider, "North"), world.business(provider, "South")
    tape = provider.tape(2)
    calls = [sid("CA"), tape.call_sid, sid("CA")]
    rows = [{"sid": calls[0], "tenant": north.id, "recording_url": "", "from_number": "+15005550100", "to_number": "+15005550199",
             "direction": "inbound", "created_at": "2025-03-04 05:06:07", "customer_name": "Dana, \"the\" Levi"},
            {"sid": calls[1], "tenant": south.id, "recording_url": tape.url, "from_number": "+15005550199", "to_number": "+15005550100",
             "direction": "outbound-api", "created_at": "2025-03-05T05:06:07Z", "customer_name": ""},
            {"sid": calls[2], "tenant": 77, "recording_url": "", "from_number": "", "to_number": "", "direction": "", "created_at": "",
             "customer_name": ""}]
    put(old, f"{calls[0]}.mp3", mp3(2))
    put(old, f"{calls[1]}.mp3", tape.mp3)
    put(old, f"{calls[2]}.mp3", mp3(2))
    argv = (old, "--calls", write_rows(tmp_path / "calls.csv", rows), "--column", "business_id=tenant")
    report = imported(world, *argv, code=1)
    assert (report["rows"], report["calls"], report["linked"]) == (3, 2, 2)
    assert sorted((r["row"] or 0, r["why"]) for r in report["refused"]) == [(0, "no_business"), (3, "no_business")]
    server = world.server()
    call = server.get(f"/api/calls/{calls[0]}", north.viewer).json()
    assert call["customer_name"] == 'Dana, "the" Levi' and call["started_at"] == "2025-03-04T05:06:07Z"
    assert call["customer_number"] == "+15005550100"
    assert server.get(f"/api/recordings/{tape.sid}/stream", south.viewer).body == tape.mp3
    assert server.get(f"/api/recordings/{tape.sid}/status", north.viewer).status == 404
    assert tape.downloads == 0
    assert list((world.data_dir / f"recordings/{north.id}/2025/03").glob(f"{calls[0]}.RE*.mp3"))


def test_rows_come_from_a_table_and_what_has_no_file_is_fetched_at_a_play(world, provider, old, tmp_path):
    acme = world.business(provider)
    tape = provider.tape(2)
    db = sqlite3.connect(tmp_path / "old.db")
    db.execute("create table call_log (id integer primary key, call_sid text, recording_url text, created_at text)")
    db.execute("insert into call_log (call_sid, recording_url, created_at) values (?, ?, ?)",
               (tape.call_sid, tape.url, "2026-11-01 08:00:00"))
    db.commit()
    report = imported(world, old, "--business", acme.id, "--calls-from", f"sqlite:{tmp_path / 'old.db'}")
    assert (report["rows"], report["calls"], report["files"]) == (1, 1, 0)
    assert world.state(tape.sid) == "missing"
    server = world.server()
    answer = server.get(f"/api/recordings/{tape.call_sid}/stream", acme.viewer, [("Range", "bytes=0-")])
    assert answer.status in (200, 206) and answer.body == tape.mp3


def test_an_import_that_is_killed_again_and_again_goes_on(world, provider, old):
    files, kills, rng = 2000, 5, random.Random()
    acme = world.business(provider)
    data = mp3(1)
    paths = [put(old, f"{i % 7}/{sid('CA')}.mp3", data) for i in range(files)]
    ready = lambda: len(world.sql("select 1 from recordings where status = 'ready'"))
    argv = [str(CALLREEL), "import", str(old), "--business", str(acme.id)]
    ends = []
    for share in range(kills):
        until = rng.randrange(share * 300, share * 300 + 300)
        child = subprocess.Popen(argv, env=world.environment(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        eventually(lambda: child.poll() is not None or ready() > until, 60, every=0.001)
        child.send_signal(signal.SIGKILL)
        ends.append(child.wait())
    assert -signal.SIGKILL in ends, ends
    before = ready()
    report = imported(world, old, "--business", acme.id)
    assert (report["already"], report["linked"], report["refused"]) == (before, files - before, [])
    assert ready() == files and all(path.stat().st_nlink == 2 for path in paths)
    assert json.loads(world.done("verify", "--json"))["findings"] == []
    assert sum(len(names) for _, _, names in os.walk(world.data_dir / f"recordings/{acme.id}")) == files


def test_an_import_beside_a_server_is_played_at_once(world, provider, old):
    acme = world.business(provider)
    server = world.server()
    call = sid("CA")
    put(old, f"{call}.mp3", mp3(2))
    assert server.get(f"/api/recordings/{call}/stream", acme.viewer).status == 404
    imported(world, old, "--business", acme.id)
    assert server.get(f"/api/recordings/{call}/stream", acme.viewer).body == mp3(2)


def test_a_comparison_lists_what_differs_and_writes_nothing(world, provider, old, tmp_path):
    acme = world.business(provider)
    server = world.server()
    same, other, unknown = provider.tape(2), provider.tape(3), provider.tape(2)
    for tape in (same, other):
        acme.tell(server, tape)
        world.wait_state(tape.sid)
    put(old, f"{same.call_sid}.mp3", same.mp3)
    put(old, f"{other.call_sid}.mp3", same.mp3)
    put(old, f"{unknown.call_sid}.mp3", unknown.mp3)
    rows = write_rows(tmp_path / "calls.csv", [{"call_sid": tape.call_sid} for tape in (same, other, unknown)])
    report = imported(world, old, "--business", acme.id, "--calls", rows, "--compare", code=1)
    assert report["already"] == 1
    assert {(r["file"] or r["row"], r["why"]) for r in report["refused"]} == \
        {(f"{other.call_sid}.mp3", "differs"), (f"{unknown.call_sid}.mp3", "unknown"), (3, "unknown_call")}
    assert len(world.sql("select 1 from calls")) == 2 and len(world.sql("select 1 from recordings")) == 2
