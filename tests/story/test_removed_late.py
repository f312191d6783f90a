"""What belongs to a call that was deleted goes as soon as a delivery says so, in whatever order they come; what is held stays."""
import pytest

import provider as p
from callreel import eventually
from test_erasure import entries, erased
from test_holds import NUMBER, OTHER, ask, call_of, deletable, hold, hold_number, told_again
from test_removal import MEDIA, acme, is_gone, status_of  # noqa: F401

pytestmark = pytest.mark.sanitized


def removed(world, acme, tape, how="delete"):
    if how == "delete":
        assert ask(world, acme, "DELETE", f"/api/calls/{tape.call_sid}").status == 204
    else:
        erased(world, acme)
    eventually(lambda: is_gone(world, tape), 10)


def alone(world, acme, provider):
    """A recording of a leg of which nothing else is known yet."""
    tape = provider.tape()
    acme.tell(world.main, tape)
    world.wait_state(tape.sid)
    return tape


def of_call(world, acme, provider, call_sid):
    tape = provider.tape()
    acme.tell(world.main, tape, CallSid=call_sid)
    return tape


def settled(world):
    eventually(lambda: not world.sql("select 1 from erasures where ended_at is null") and not world.sql("select 1 from call_moves"), 10)


def is_deleted(world, acme, tape):
    play = world.main.get(f"/api/recordings/{tape.sid}/stream", acme.viewer, MEDIA).status
    call = world.main.get(f"/api/calls/{tape.call_sid}", acme.viewer).status
    return (world.state(tape.sid), play, call) == ("expired", 410, 404)


@pytest.mark.parametrize("how", ["delete", "erase"])
def test_a_leg_that_is_told_late_to_be_of_a_deleted_call_goes_too(world, provider, acme, how):  # noqa: F811
    world.private |= {NUMBER, OTHER}
    parent, leg, below, free = call_of(world, acme, provider), *(alone(world, acme, provider) for _ in range(3))
    told_again(world, acme, below, ParentCallSid=leg.call_sid, From=OTHER)
    removed(world, acme, parent, how)
    told_again(world, acme, leg, ParentCallSid=parent.call_sid, From=OTHER)
    for tape in (leg, below):
        eventually(lambda: is_deleted(world, acme, tape), 10)
        eventually(lambda: is_gone(world, tape), 10)
    late = of_call(world, acme, provider, leg.call_sid)
    world.wait_state(late.sid, "expired")
    settled(world)
    assert not late.asks and world.state(free.sid) == "ready"
    of_leg = [(e["actor"], e["action"]) for e in entries(world, acme, "delete") if e["object"] == leg.sid]
    assert of_leg == [("service", "delete")], "the audit has it, and a restored backup can be compared"


def test_the_parent_of_a_deleted_leg_goes_when_it_becomes_known(world, provider, acme):  # noqa: F811
    world.private |= {NUMBER, OTHER}
    parent, leg, sibling = alone(world, acme, provider), call_of(world, acme, provider), alone(world, acme, provider)
    told_again(world, acme, sibling, ParentCallSid=parent.call_sid, From=OTHER)
    removed(world, acme, leg)
    told_again(world, acme, leg, ParentCallSid=parent.call_sid, From=NUMBER)
    for tape in (parent, sibling):
        eventually(lambda: is_deleted(world, acme, tape), 10)
    unknown = p.sid("CA")
    other = call_of(world, acme, provider, OTHER)
    removed(world, acme, other)
    told_again(world, acme, other, ParentCallSid=unknown, From=OTHER)
    late = of_call(world, acme, provider, unknown)
    world.wait_state(late.sid, "expired")
    assert not late.asks


def test_a_leg_between_a_deleted_call_and_its_legs_is_told_last(world, provider, acme):  # noqa: F811
    """More legs than a delivery moves at once: the others follow before the call goes."""
    world.private |= {NUMBER, OTHER}
    top, middle = call_of(world, acme, provider), p.sid("CA")
    legs = [p.sid("CA") for _ in range(45)]
    for sid in legs:
        acme.webhook_add_call(world.main, sid, ParentCallSid=middle, From=OTHER)
    tape = of_call(world, acme, provider, legs[-1])
    world.wait_state(tape.sid)
    removed(world, acme, top)
    acme.webhook_add_call(world.main, middle, ParentCallSid=top.call_sid, From=OTHER)
    world.wait_state(tape.sid, "expired", 10)
    settled(world)
    assert not world.sql("select 1 from calls")


def test_a_recording_that_is_told_to_be_of_a_deleted_call_goes(world, provider, acme):  # noqa: F811
    world.private |= {NUMBER, OTHER}
    gone, kept, held = call_of(world, acme, provider), alone(world, acme, provider), alone(world, acme, provider)
    removed(world, acme, gone)
    assert hold(world, acme, f"/api/recordings/{held.sid}").status == 204
    for tape in (kept, held):
        acme.tell(world.main, tape, CallSid=gone.call_sid)
    assert (world.state(kept.sid), world.state(held.sid)) == ("expired", "ready")
    assert world.row(held.sid)["call_sid"] == held.call_sid, "it stays with its call"
    assert world.main.get(f"/api/calls/{gone.call_sid}", acme.viewer).status == 404
    eventually(lambda: is_gone(world, kept), 10)


@pytest.mark.parametrize("held_by", ["call", "recording", "number", "leg_below"])
def test_a_held_call_is_not_removed_by_what_is_told_of_it(world, provider, acme, held_by):  # noqa: F811
    world.private |= {NUMBER, OTHER}
    gone, tape, below = call_of(world, acme, provider, OTHER), call_of(world, acme, provider), alone(world, acme, provider)
    told_again(world, acme, below, ParentCallSid=tape.call_sid, From=OTHER)
    if held_by == "number":
        hold_number(world, acme, NUMBER)
    else:
        target = {"call": f"calls/{tape.call_sid}", "recording": f"recordings/{tape.sid}", "leg_below": f"calls/{below.call_sid}"}
        assert hold(world, acme, f"/api/{target[held_by]}").status == 204
    removed(world, acme, gone)
    told_again(world, acme, tape, ParentCallSid=gone.call_sid, From=NUMBER)
    settled(world)
    later = of_call(world, acme, provider, tape.call_sid)
    world.wait_state(later.sid)
    assert {world.state(t.sid) for t in (tape, below, later)} == {"ready"}
    if held_by != "recording":
        assert not deletable(world, acme, later)
    assert ask(world, acme, "DELETE", f"/api/calls/{tape.call_sid}").status == 409
    told_again(world, acme, tape, ParentCallSid=gone.call_sid, From=NUMBER)
    settled(world)
    assert world.state(tape.sid) == "ready"
    assert not [e for e in entries(world, acme) if e["object"] in (tape.sid, below.sid) and e["action"] == "delete"]


def test_a_new_leg_of_a_held_number_below_a_deleted_call_is_kept(world, provider, acme):  # noqa: F811
    world.private |= {NUMBER, OTHER}
    gone = call_of(world, acme, provider, OTHER)
    hold_number(world, acme, NUMBER)
    removed(world, acme, gone)
    leg, free = provider.tape(), provider.tape()
    acme.webhook_add_call(world.main, leg.call_sid, ParentCallSid=gone.call_sid, From=NUMBER)
    acme.webhook_add_call(world.main, free.call_sid, ParentCallSid=gone.call_sid, From=OTHER)
    for tape in (leg, free):
        acme.tell(world.main, tape)
    world.wait_state(leg.sid)
    world.wait_state(free.sid, "expired")
    assert status_of(world, acme, leg)["hold"] and not free.asks and not deletable(world, acme, leg)
    told_again(world, acme, free, ParentCallSid=gone.call_sid, From=NUMBER)
    assert world.main.get(f"/api/calls/{free.call_sid}", acme.viewer).status == 200, "it was never there before"
    assert world.main.get(f"/api/calls/{gone.call_sid}", acme.viewer).status == 404


def test_a_call_whose_parent_went_by_its_age_stays_until_its_own_time_is_over(world, provider, acme):  # noqa: F811
    world.private |= {NUMBER, OTHER}
    world.done("business", "set", acme.id, "--retention", 5, "--retention-metadata", 10)
    old = call_of(world, acme, provider)
    world.pass_time(11 * 86400)
    world.wait_state(old.sid, "expired", 10)
    world.pass_time(700)
    eventually(lambda: world.main.get(f"/api/calls/{old.call_sid}", acme.viewer).status == 404, 10)
    young = alone(world, acme, provider)
    told_again(world, acme, young, ParentCallSid=old.call_sid, From=OTHER)
    settled(world)
    later = of_call(world, acme, provider, young.call_sid)
    world.wait_state(later.sid)
    assert world.state(young.sid) == "ready"


def test_what_is_told_while_a_call_is_being_removed_goes_with_it_unless_it_is_held(world, provider, acme):  # noqa: F811
    """The removal stands still: its process has no worker. Legs, a leg above and a held leg are told to be of the call."""
    world.private |= {NUMBER, OTHER}
    unknown = p.sid("CA")
    gone, leg, held = call_of(world, acme, provider), alone(world, acme, provider), alone(world, acme, provider)
    told_again(world, acme, gone, ParentCallSid=unknown, From=NUMBER)
    for _ in range(12):
        acme.webhook_add_call(world.main, p.sid("CA"), ParentCallSid=gone.call_sid, From=OTHER)
    assert hold(world, acme, f"/api/calls/{held.call_sid}").status == 204
    acme.viewer, acme.key("admin")
    world.main.stop()
    world.main.role = "web"
    world.main = world.again(world.main)
    assert ask(world, acme, "DELETE", f"/api/calls/{gone.call_sid}").status == 204
    [under_way] = world.sql("select tree_sid from erasures where ended_at is null")
    below = world.sql("select call_sid from calls where top_sid = ?", under_way["tree_sid"])[-1]["call_sid"]
    for tape in (leg, held):
        told_again(world, acme, tape, ParentCallSid=below, From=OTHER)
    acme.webhook_add_call(world.main, unknown, From=OTHER)
    assert ask(world, acme, "PUT", f"/api/calls/{below}/hold", {"reason": "late"}).status == 409
    world.main.stop()
    world.main.role = "all"
    world.main = world.again(world.main)
    eventually(lambda: is_deleted(world, acme, leg), 10)
    settled(world)
    assert world.state(held.sid) == "ready" and is_deleted(world, acme, gone)
    assert [row["call_sid"] for row in world.sql("select call_sid from calls")] == [held.call_sid]
    assert not deletable(world, acme, held)
