"""RETENTION_AT_PROVIDER=delete and DELETE …?at_provider=1: the provider's copy goes too, asked once and until it is gone."""
import datetime
import json

import pytest

from callreel import eventually

DAY_MS = 86_400_000
pytestmark = pytest.mark.sanitized


class Stage:
    """A server, and a simulated provider that tells it of its calls."""

    def __init__(self, world, **settings):
        self.world = world
        self.server = world.server(RETENTION_AT_PROVIDER="delete", **settings)
        self.settings = {"RETENTION_AT_PROVIDER": "delete", **settings}
        self.simulator = world.simulator(webhooks=f"http://127.0.0.1:{self.server.port}/webhooks/twilio/1")
        self.acme = world.business(self.simulator)
        assert self.acme.id == 1
        self.admin = self.acme.key("admin")

    def recordings(self, count, days=0, **wishes):
        at = datetime.datetime.fromtimestamp(self.world.clock.now_ms() / 1000 - days * 86400, datetime.timezone.utc)
        start = at.isoformat(timespec="seconds").replace("+00:00", "Z")
        made = [self.simulator.make_call(seconds=2, start_time=start, **wishes)["recording_sid"] for _ in range(count)]
        for recording in made:
            self.world.wait_state(recording)
        return made

    def delete(self, recording, query="?at_provider=1", status=204):
        answer = self.server.call("DELETE", f"/api/recordings/{recording}{query}", key=self.admin)
        assert answer.status == status, answer

    def asked(self, recording):
        return self.simulator.deletions(recording)["requests"]

    def is_deleted(self, recording):
        return self.simulator.deletions(recording)["deleted"]

    def task(self, recording):
        rows = self.world.sql("select * from tasks where kind = 'remove_at_provider' and recording_sid = ?", recording)
        return rows[0] if rows else None

    def wait_failed(self, recording, attempts):
        """Waits until its nth request has failed, and returns in how many seconds it is asked again."""
        eventually(lambda: (t := self.task(recording)) and t["attempts"] == attempts and t["lease_until"] is None and t["due_at"] > 0)
        return (self.task(recording)["due_at"] - self.world.clock.now_ms()) / 1000

    def paused_for(self):
        rows = self.world.sql("select until from task_pauses where business_id = 1")
        return (rows[0]["until"] - self.world.clock.now_ms()) / 1000 if rows else 0

    def wait_gone(self, recording):
        eventually(lambda: self.is_deleted(recording) and not self.task(recording), what=f"{recording} is gone at the provider")


@pytest.mark.threads
def test_the_provider_is_told_once_of_what_expired(world):
    s = Stage(world, RETENTION_DAYS=30)
    old, second = s.recordings(2, days=20)
    kept = s.recordings(1)[0]
    world.pass_time(10 * 86400 + 120)
    for recording in (old, second):
        world.wait_state(recording, "expired")
        s.wait_gone(recording)
    s.delete(kept, "")
    world.wait_state(kept, "expired")
    eventually(lambda: not world.sql("select 1 from tasks"))
    assert s.asked(old) == 1 and s.asked(kept) == 0, "a deletion without at_provider=1 stays here"
    assert s.simulator.media(old).status == 404 and s.simulator.media(kept).status == 200
    s.delete(kept)
    s.wait_gone(kept)
    s.delete(kept)
    eventually(lambda: not s.task(kept))
    assert s.asked(kept) == 2 and world.state(kept) == "expired", "404 for what is gone already"


def test_a_failed_deletion_is_tried_again_with_growing_pauses(world):
    s = Stage(world)
    recording = s.recordings(1)[0]
    s.simulator.set_faults("delete_500:3", recording_sid=recording)
    s.delete(recording)
    for attempt, pause in ((1, 30), (2, 60), (3, 120)):
        again = s.wait_failed(recording, attempt)
        assert pause - 15 < again <= pause + 1 and s.asked(recording) == attempt, (attempt, again)
        world.pass_time(again + 1)
    s.wait_gone(recording)
    assert s.asked(recording) == 4
    assert s.server.log_lines("Recording not deleted at the provider") and "status 500" in s.server.log()


def test_a_429_pauses_the_business_as_long_as_the_provider_says(world):
    s = Stage(world)
    recordings = s.recordings(6)
    s.simulator.set_faults("delete_429", "retry_after:500")
    for recording in recordings:
        s.delete(recording)
    eventually(lambda: 400 < s.paused_for() <= 501)
    asked = lambda: sum(s.asked(recording) for recording in recordings)
    eventually(lambda: world.sql("select count(*) as n from tasks where lease_until is not null") == [{"n": 0}])
    before = asked()
    assert before <= 4, "two at a time, and none once it is paused"
    s.simulator.set_faults()
    world.pass_time(300)
    other = s.recordings(1)[0]
    assert asked() == before and s.asked(other) == 0 and not any(map(s.is_deleted, recordings))
    world.pass_time(202)
    for recording in recordings:
        s.wait_gone(recording)


def test_refused_credentials_pause_the_business_until_there_are_others(world):
    s = Stage(world)
    recordings = s.recordings(5)
    s.simulator.set_faults("delete_401")
    for recording in recordings:
        s.delete(recording)
    asked = lambda: sum(s.asked(recording) for recording in recordings)
    eventually(lambda: 20 < s.paused_for() <= 31 and
               world.sql("select count(*) as n from tasks where lease_until is not null") == [{"n": 0}])
    before = asked()
    assert 1 <= before <= 4
    for recording in recordings:
        assert world.state(recording) == "expired", "it never plays again, whatever the provider says"
    s.simulator.set_faults()
    world.done("business", "set", s.acme.id, "--auth-token-file", world.secret_file(s.simulator.token),
               "--auth-token-file", world.secret_file("0" * 32))
    eventually(lambda: sum(map(s.is_deleted, recordings)) >= 5 - before, what="what had not been asked goes at once")
    world.pass_time(31)
    for recording in recordings:
        s.wait_gone(recording)


@pytest.mark.threads
def test_deletions_go_on_after_a_crash(world):
    s = Stage(world)
    recordings = s.recordings(3)
    s.simulator.set_faults("delete_500:1")
    for recording in recordings:
        s.delete(recording)
    eventually(lambda: s.paused_for() > 0)
    s.server.kill()
    world.pass_time(40)
    s.server = world.again(s.server, **s.settings)
    for recording in recordings:
        s.wait_gone(recording)
        assert s.asked(recording) <= 2 and world.state(recording) == "expired"
    assert sum(map(s.asked, recordings)) <= 5, "once each, again after the 500, and again what was under way at the crash"


def test_the_provider_is_not_asked_to_delete_what_stays(world):
    s = Stage(world, RETENTION_DAYS=30)
    young = s.recordings(1, days=29)[0]
    missing = "RE" + "0" * 32
    answer = s.server.call("DELETE", f"/api/recordings/{missing}?at_provider=1", key=s.admin)
    viewer = s.server.call("DELETE", f"/api/recordings/{young}?at_provider=1", key=s.acme.viewer)
    other = world.business(world.provider(), "Other")
    foreign = s.server.call("DELETE", f"/api/recordings/{young}?at_provider=1", key=other.key("admin"))
    assert (answer.status, viewer.status, foreign.status) == (404, 403, 404)
    for path in (f"/api/recordings/{young}", "/api/calls/CA" + "0" * 32):
        for wrong in ("", "2", "11"):
            assert s.server.call("DELETE", f"{path}?at_provider={wrong}", key=s.admin).status == 400, (path, wrong)
    world.pass_time(120)
    gone = s.recordings(1)[0]
    s.delete(gone)
    s.wait_gone(gone)
    assert s.asked(young) == 0 and world.state(young) == "ready"


def test_the_provider_is_asked_neither_for_nor_to_delete_what_is_held_or_expired(world):
    s = Stage(world, RETENTION_DAYS=30, RECONCILE_EVERY=3600)
    held, gone = s.recordings(2)
    body = {"reason": "Case 17"}
    assert s.server.call("PUT", f"/api/recordings/{held}/hold", {"Content-Type": "application/json"}, json.dumps(body).encode(),
                         s.admin).status == 204
    s.delete(held, status=409)
    s.delete(gone, query="")
    media = s.simulator.counts(gone)["requests"]
    world.pass_time(31 * 86400)
    assert world.state(held) == "ready" and s.asked(held) == 0, "its retention is over, and it is held"
    for path, wanted in (("stream", 410), ("download", 410)):
        assert s.server.get(f"/api/recordings/{gone}/{path}", s.acme.viewer, {"Range": "bytes=0-"}).status == wanted
    for path in ("prepare", "retry"):
        assert s.server.post(f"/api/recordings/{gone}/{path}", s.admin).status == 410
    world.done("reconcile")
    assert world.run("fetch", gone).returncode == 1
    assert world.state(gone) == "expired" and s.simulator.counts(gone)["requests"] == media and s.asked(gone) == 0
    assert s.server.call("DELETE", f"/api/recordings/{held}/hold", key=s.admin).status == 204
    world.pass_time(65)
    s.wait_gone(held)
    assert s.asked(held) == 1 and s.asked(gone) == 0


def hold_number(s, recording):
    """A hold on the number that the recording's call is from; returns its path."""
    number = s.world.sql("select from_number from calls where call_sid = (select call_sid from recordings where recording_sid = ?)",
                         recording)[0]["from_number"]
    s.world.private |= {number}
    body = json.dumps({"number": number, "reason": "Case 17"}).encode()
    held = s.server.call("POST", "/api/holds", {"Content-Type": "application/json"}, body, s.admin)
    assert held.status == 201, held
    return f"/api/holds/{held.json()['hold_id']}"


def test_a_hold_keeps_the_copy_of_what_expired_before_and_the_audit_names_who_asks_for_its_deletion(world):
    s = Stage(world)
    recording = s.recordings(1)[0]
    asks = lambda: [(row["actor"], row["details"]) for row in
                    world.sql("select actor, details from audit where action = 'delete' and object = ? order by number", recording)]
    s.delete(recording, "")
    assert len(asks()) == 1
    path = hold_number(s, recording)
    s.delete(recording, status=409)
    s.delete(recording, "")
    assert not s.task(recording) and len(asks()) == 1, "what is refused, or changes nothing, is not noted as a deletion"
    assert s.server.call("DELETE", path, key=s.admin).status == 204
    other = world.make_key("--business", 1, "--role", "admin")
    assert s.server.call("DELETE", f"/api/recordings/{recording}?at_provider=1", key=other).status == 204
    s.wait_gone(recording)
    assert s.asked(recording) == 1 and len(asks()) == 2
    assert asks()[0][0] != asks()[1][0] and json.loads(asks()[1][1]) == {"at_provider": True}


@pytest.mark.parametrize("how", ["delete", "retention"])
def test_a_deletion_that_the_provider_has_yet_to_do_waits_while_a_hold_covers_the_recording(world, how):
    s = Stage(world, RETENTION_DAYS=30)
    recording = s.recordings(1, days=29 if how == "retention" else 0)[0]
    s.simulator.set_faults("delete_500:1", recording_sid=recording)
    if how == "retention":
        world.pass_time(86400 + 120)
        world.wait_state(recording, "expired")
    else:
        s.delete(recording)
    again = s.wait_failed(recording, 1)
    path = hold_number(s, recording)
    due_at = s.task(recording)["due_at"]
    world.pass_time(again + 1)
    eventually(lambda: s.task(recording)["due_at"] > due_at + 600_000, what="it was looked at, and waits")
    assert s.asked(recording) == 1 and not s.is_deleted(recording)
    assert s.server.call("DELETE", path, key=s.admin).status == 204
    world.pass_time(3601)
    s.wait_gone(recording)
    assert s.asked(recording) == 2
