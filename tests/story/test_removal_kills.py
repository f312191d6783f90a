"""A worker is killed at any step of a removal: an expired recording never plays, others stay, no file and no task is left."""
import random

import pytest

from callreel import BUILD, eventually
from test_prune import ready_tapes

DUE, YOUNG = 6, 2


class Killed:
    """A server that dies at the step that a file names (tests/preload/kill_at.c), and a business with what it removes."""

    def __init__(self, world, provider):
        self.world, self.provider = world, provider
        self.at = world.directory / "kill-at"
        self.settings = {"LD_PRELOAD": BUILD / "tests/preload/libkill_at.so", "KILL_AT": self.at}
        self.server = world.server(**self.settings)
        self.acme = world.business(provider)
        self.young = ready_tapes(world, self.server, self.acme, provider, [1] * YOUNG)
        self.gone = []

    def plays(self, tape):
        return self.server.get(f"/api/recordings/{tape.sid}/stream", self.acme.viewer).status

    def round(self, step):
        """Makes recordings expire, kills the server at that step, and lets it finish. Returns whether it was killed."""
        world = self.world
        world.done("business", "set", self.acme.id, "--retention", "never")
        due = ready_tapes(world, self.server, self.acme, self.provider, [40] * DUE)
        assert [self.plays(tape) for tape in due] == [200] * DUE
        self.at.write_text(str(step))
        world.done("business", "set", self.acme.id, "--retention", 30)
        world.pass_time(65)
        eventually(lambda: not self.server.alive() or self.is_done(due), 20, "it is killed, or done")
        killed = not self.server.alive()
        self.at.unlink()
        if killed:
            self.server.child.wait()
            said = {tape.sid: world.state(tape.sid) for tape in due}
            self.server = world.again(self.server, **self.settings)
            assert all(self.plays(tape) == 410 for tape in due if said[tape.sid] == "expired")
        world.pass_time(65)  # the leases of the dead run out
        eventually(lambda: self.is_done(due), 20, "what was begun is done")
        self.gone += due
        return killed

    def is_done(self, due):
        rows = [self.world.row(tape.sid) for tape in due]
        return all(row["status"] == "expired" for row in rows) and not self.world.sql("select 1 from tasks") \
            and not self.files(due)

    def files(self, tapes):
        return [file for tape in tapes for file in self.world.recordings().rglob(f"*{tape.sid}*")]

    def check(self):
        world = self.world
        assert [self.plays(tape) for tape in self.young] == [200] * YOUNG and len(self.files(self.young)) == YOUNG
        assert all(self.plays(tape) == 410 for tape in self.gone) and not self.files(self.gone) and not world.parts()
        rows = world.sql("select recording_sid, expire_reason, expired_at, name from recordings where status = 'expired'")
        assert len(rows) == len(self.gone) and all(row["expire_reason"] == "retention" and row["expired_at"] for row in rows)
        entries = [row["object"] for row in world.sql("select object from audit where action = 'expire'")]
        assert sorted(entries) == sorted(tape.sid for tape in self.gone), "one entry each"
        assert world.run("audit", "verify").returncode == 0


def test_removal_ends_after_a_kill_at_any_of_some_steps(world, provider):
    story = Killed(world, provider)
    for step in (2, 7, 19):
        assert story.round(step), step
    story.check()


@pytest.mark.long
def test_removal_ends_after_fifty_kills_at_random_steps(world, provider):
    rng, kills = random.Random(20261130), 0
    story = Killed(world, provider)
    while kills < 50:
        kills += story.round(rng.randrange(1, 50))
        assert len(story.gone) < 100 * DUE, f"only {kills} kills: the steps lie behind the end"
    story.check()
