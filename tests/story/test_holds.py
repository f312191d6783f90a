"""Legal holds keep what they cover; calls and persons are removed with all that is known of them."""
import json

import pytest

import events
import provider as p
from callreel import eventually
from test_removal import DAY_MS, MEDIA, acme, delete, files_of, is_gone, ready, status_of  # noqa: F401

JSON = {"Content-Type": "application/json"}
NUMBER, OTHER = "+15005550111", "+15005550122"


def ask(world, acme, method, target, body=None):
    return world.main.call(method, target, JSON if body is not None else {}, json.dumps(body).encode() if body is not None else None,
                           acme.key("admin"))


def hold(world, acme, target, reason="the court asked"):
    return ask(world, acme, "PUT", target + "/hold", {"reason": reason})


def call_of(world, acme, provider, number=NUMBER, **fields):
    tape = provider.tape()
    acme.webhook_add_call(world.main, tape.call_sid, **{"From": number, "CallerName": "DANA INTERNATIONAL", **fields})
    acme.tell(world.main, tape)
    world.wait_state(tape.sid)
    return tape


@pytest.mark.sanitized
@pytest.mark.threads
def test_a_held_recording_stays_until_the_hold_is_removed(world, provider, acme):  # noqa: F811
    world.private |= {NUMBER, OTHER}
    tape, other = call_of(world, acme, provider), call_of(world, acme, provider, OTHER)
    by_call, by_number = call_of(world, acme, provider), call_of(world, acme, provider, OTHER)
    assert hold(world, acme, f"/api/recordings/{tape.sid}").status == 204
    assert hold(world, acme, f"/api/calls/{by_call.call_sid}").status == 204
    shown = status_of(world, acme, tape)["hold"]
    assert shown["reason"] == "the court asked" and shown["by"].startswith("key:") and shown["at"]
    assert status_of(world, acme, by_call)["hold"]["reason"] == "the court asked"
    call = world.main.get(f"/api/calls/{by_call.call_sid}", acme.viewer).json()
    assert call["hold"]["reason"] == "the court asked" and call["recordings"][0]["hold"]
    assert delete(world, acme, tape).status == 409 and delete(world, acme, by_call).status == 409
    assert ask(world, acme, "DELETE", f"/api/calls/{by_call.call_sid}").status == 409
    assert ask(world, acme, "DELETE", f"/api/calls/{tape.call_sid}").status == 409
    made = ask(world, acme, "POST", "/api/holds", {"number": "+1 (500) 555-0122", "reason": "a claim"})
    assert made.status == 201 and made.json()["number"] == OTHER
    eventually(lambda: status_of(world, acme, by_number).get("hold"), 5)
    later = call_of(world, acme, provider, OTHER)
    assert status_of(world, acme, later)["hold"]["reason"] == "a claim", "it holds what comes later too"
    assert delete(world, acme, other).status == 409 and delete(world, acme, later).status == 409
    world.done("business", "set", acme.id, "--retention", 1)
    world.pass_time(3 * 86400)
    assert {world.state(t.sid) for t in (tape, other, by_call, by_number, later)} == {"ready"}
    listed = ask(world, acme, "GET", "/api/holds").json()["holds"]
    assert [(h["recording_sid"], h["call_sid"], h["number"]) for h in listed] == [
        (tape.sid, None, None), (None, by_call.call_sid, None), (None, None, OTHER)]
    assert ask(world, acme, "DELETE", f"/api/holds/{made.json()['hold_id']}").status == 204
    assert ask(world, acme, "DELETE", f"/api/holds/{made.json()['hold_id']}").status == 404
    assert ask(world, acme, "DELETE", f"/api/recordings/{tape.sid}/hold").status == 204
    assert ask(world, acme, "DELETE", f"/api/calls/{by_call.call_sid}/hold").status == 204
    eventually(lambda: not world.sql("select 1 from recordings where hold is not null"), 5)
    world.pass_time(65)
    for t in (tape, other, by_call, by_number, later):
        world.wait_state(t.sid, "expired", 10)
        eventually(lambda: is_gone(world, t), 5)
    assert hold(world, acme, f"/api/recordings/{tape.sid}").status == 409, "too late"
    assert ask(world, acme, "PUT", f"/api/recordings/{tape.sid}/hold", {"reason": ""}).status == 400


def test_a_hold_on_a_number_covers_its_addresses_as_an_erasure_does(world, provider, acme):  # noqa: F811
    world.private |= {NUMBER, OTHER}
    forms = [f"sip:{NUMBER}@a.example", f"sip:{NUMBER[1:]}@10.0.0.1:5060", f"whatsapp:{NUMBER}", f"tel:{NUMBER}", f"client:{NUMBER[1:]}"]
    before = [call_of(world, acme, provider, form) for form in forms]
    parent, child = call_of(world, acme, provider, OTHER), p.sid("CA")
    acme.webhook_add_call(world.main, child, ParentCallSid=parent.call_sid, From=OTHER, To=forms[0])
    free = call_of(world, acme, provider, f"sip:{NUMBER}0@a.example")
    made = ask(world, acme, "POST", "/api/holds", {"number": NUMBER, "reason": "a claim"})
    assert made.status == 201
    after = [call_of(world, acme, provider, form) for form in forms]
    held = [*before, parent, *after]
    for tape in held:
        eventually(lambda: status_of(world, acme, tape).get("hold"), 5)
        assert delete(world, acme, tape).status == 409
        call = world.main.get(f"/api/calls/{tape.call_sid}", acme.viewer).json()
        assert tape is parent or call["hold"]["reason"] == "a claim"
        assert ask(world, acme, "DELETE", f"/api/calls/{tape.call_sid}").status == 409
    assert not status_of(world, acme, free).get("hold")
    world.done("business", "set", acme.id, "--retention", 1)
    world.pass_time(3 * 86400)
    world.wait_state(free.sid, "expired", 10)
    assert {world.state(tape.sid) for tape in held} == {"ready"}
    assert ask(world, acme, "POST", "/api/erasure", {"number": NUMBER}).status == 409
    assert ask(world, acme, "DELETE", f"/api/holds/{made.json()['hold_id']}").status == 204
    eventually(lambda: not world.sql("select 1 from recordings where hold is not null"), 5)
    world.pass_time(65)
    for tape in held:
        world.wait_state(tape.sid, "expired", 10)


def deletable(world, acme, tape):
    """Whether the recording could be deleted now; it is not, unless it can."""
    return delete(world, acme, tape).status == 204


def by_sid(tapes):
    """In the order of their calls: of two equal deliveries with other values the greater value counts."""
    return sorted(tapes, key=lambda tape: tape.call_sid)


def told_again(world, acme, tape, **fields):
    acme.webhook_add_call(world.main, tape.call_sid, **fields)


def moved_to(world, acme, tape, call_sid):
    acme.tell(world.main, tape, CallSid=call_sid)
    assert world.row(tape.sid)["call_sid"] == call_sid


def shown(world, acme, tape):
    return status_of(world, acme, tape).get("hold", {}).get("hold_id")


def hold_number(world, acme, number):
    made = ask(world, acme, "POST", "/api/holds", {"number": number, "reason": "a claim"})
    assert made.status == 201
    return made.json()["hold_id"]


@pytest.mark.sanitized
def test_what_a_number_held_stays_held_whatever_is_told_of_it(world, provider, acme):  # noqa: F811
    """The number changes, the leg gets another parent, the recording another call; a later hold does not look back."""
    third = "+15005550133"
    world.private |= {NUMBER, OTHER, third}
    by_from, by_to = call_of(world, acme, provider), call_of(world, acme, provider, OTHER, To=f"sip:{NUMBER}@a.example")
    parent, elsewhere = by_sid(call_of(world, acme, provider, OTHER) for _ in range(2))
    leg = call_of(world, acme, provider)
    told_again(world, acme, leg, ParentCallSid=parent.call_sid, From=NUMBER)
    loose, foreign = by_sid(call_of(world, acme, provider) for _ in range(2))
    told_again(world, acme, foreign, From=OTHER)
    changed_before = call_of(world, acme, provider)
    told_again(world, acme, changed_before, From=OTHER)
    first = hold_number(world, acme, NUMBER)
    late = call_of(world, acme, provider)
    told_again(world, acme, by_from, From=OTHER)
    told_again(world, acme, by_to, From=OTHER, To=f"sip:{third}@a.example")
    told_again(world, acme, late, From=third)
    told_again(world, acme, leg, ParentCallSid=elsewhere.call_sid, From=third)
    moved_to(world, acme, loose, foreign.call_sid)
    held = (by_from, by_to, late, parent, leg, elsewhere, loose)
    for tape in held:
        assert delete(world, acme, tape).status == 409, tape.call_sid
        assert shown(world, acme, tape) == first
    for tape in (by_from, leg, elsewhere):
        call = world.main.get(f"/api/calls/{tape.call_sid}", acme.viewer).json()
        assert tape is elsewhere or (call["hold"]["hold_id"], call["hold"]["on"]) == (first, "number")
        assert ask(world, acme, "DELETE", f"/api/calls/{tape.call_sid}").status == 409
    assert ask(world, acme, "DELETE", f"/api/calls/{foreign.call_sid}").status == 409, "it has a held recording now"
    assert deletable(world, acme, changed_before) and deletable(world, acme, foreign)
    begun = ask(world, acme, "POST", "/api/erasure", {"number": third})
    assert begun.status in (200, 202)
    eventually(lambda: not world.sql("select 1 from erasures where ended_at is null"), 10)
    second = hold_number(world, acme, third)
    eventually(lambda: not world.sql("select 1 from holds where marked = 0"), 10)
    assert ask(world, acme, "DELETE", f"/api/holds/{first}").status == 204
    eventually(lambda: not world.sql("select 1 from holds where marked = 0"), 10)
    assert [shown(world, acme, tape) for tape in held] == [None, second, second, None, second, second, None]
    assert not world.sql("select 1 from hold_keeps")
    for tape in held:
        assert deletable(world, acme, tape) == (tape in (by_from, parent, loose)), tape.call_sid
    assert ask(world, acme, "DELETE", f"/api/holds/{second}").status == 204
    for tape in (by_to, late, leg, elsewhere):
        assert deletable(world, acme, tape)


def test_a_leg_that_leaves_a_held_call_stays_held(world, provider, acme):  # noqa: F811
    world.private |= {NUMBER, OTHER}
    parent, other = by_sid(call_of(world, acme, provider, OTHER) for _ in range(2))
    leg = call_of(world, acme, provider, OTHER)
    told_again(world, acme, leg, ParentCallSid=parent.call_sid, From=OTHER)
    assert hold(world, acme, f"/api/calls/{parent.call_sid}").status == 204
    told_again(world, acme, leg, ParentCallSid=other.call_sid, From=OTHER)
    assert not any(deletable(world, acme, tape) for tape in (parent, leg, other))
    call = world.main.get(f"/api/calls/{leg.call_sid}", acme.viewer).json()
    assert call["hold"]["on"] == "call" and call["hold"]["hold_id"]
    held = ask(world, acme, "DELETE", f"/api/calls/{leg.call_sid}").json()
    assert held["code"] == "held"
    assert ask(world, acme, "DELETE", f"/api/calls/{parent.call_sid}/hold").status == 204
    assert all(deletable(world, acme, tape) for tape in (parent, leg, other))


def test_a_hold_that_is_set_again_covers_nothing_of_before(world, provider, acme):  # noqa: F811
    world.private |= {NUMBER, OTHER}
    tape = call_of(world, acme, provider)
    hold_number(world, acme, NUMBER)
    told_again(world, acme, tape, From=OTHER)
    assert delete(world, acme, tape).status == 409
    [row] = world.sql("select hold_id from holds")
    assert ask(world, acme, "DELETE", f"/api/holds/{row['hold_id']}").status == 204
    hold_number(world, acme, NUMBER)
    assert deletable(world, acme, tape)


@pytest.mark.sanitized
@pytest.mark.threads
def test_a_deleted_call_goes_with_its_legs_and_no_webhook_brings_it_back(world, provider, acme):  # noqa: F811
    world.private.add(NUMBER)
    parent = call_of(world, acme, provider)
    children = []
    for _ in range(25):
        child = provider.tape()
        acme.webhook_add_call(world.main, child.call_sid, ParentCallSid=parent.call_sid, Direction="outbound-dial")
        acme.tell(world.main, child)
        children.append(child)
    for child in children:
        world.wait_state(child.sid)
    assert ask(world, acme, "DELETE", f"/api/calls/{children[3].call_sid}").status == 204
    assert ask(world, acme, "DELETE", f"/api/calls/{parent.call_sid}").status == 204
    eventually(lambda: not world.sql("select 1 from calls"), 10)
    for tape in (parent, *children):
        assert world.state(tape.sid) == "expired"
        eventually(lambda: is_gone(world, tape), 5)
    asked = len(provider.asks)
    late = p.sid("CA")
    acme.webhook_add_call(world.main, parent.call_sid, From=NUMBER)
    acme.webhook_add_call(world.main, late, From=NUMBER, ParentCallSid=parent.call_sid)
    acme.tell(world.main, parent)
    fresh = provider.tape()
    fresh.call_sid = parent.call_sid
    acme.tell(world.main, fresh)
    assert world.state(fresh.sid) == "expired" and not world.row(fresh.sid)["call_sid"]
    assert not world.sql("select 1 from calls") and len(provider.asks) == asked
    assert world.main.get(f"/api/calls/{parent.call_sid}", acme.viewer).status == 404
    assert ask(world, acme, "DELETE", f"/api/calls/{parent.call_sid}").status == 204, "again"
    assert ask(world, acme, "DELETE", f"/api/calls/{p.sid('CA')}").status == 404


def test_after_an_erasure_nothing_names_the_person(world, provider, acme):  # noqa: F811
    world.private |= {NUMBER, OTHER}
    mine = [call_of(world, acme, provider) for _ in range(4)]
    to_me = call_of(world, acme, provider, OTHER, To=NUMBER)
    others = call_of(world, acme, provider, OTHER)
    held = call_of(world, acme, provider)
    assert hold(world, acme, f"/api/calls/{held.call_sid}").status == 204
    world.main.call("PATCH", f"/api/calls/{mine[0].call_sid}", {"Content-Type": "application/merge-patch+json"},
                    '{"customer_name":"Dana Shoshana Erasable"}'.encode(), acme.key("agent"))
    begun = ask(world, acme, "POST", "/api/erasure", {"number": "+1 500 555 0111"})
    assert begun.status in (200, 202), begun
    erasure = begun.json()["erasure_id"]
    done = eventually(lambda: (lambda e: e if e["status"] == "done" else None)(
        ask(world, acme, "GET", f"/api/erasure/{erasure}").json()), 10)
    assert (done["calls"], done["recordings"], done["held"]) == (5, 5, 1) and len(done["digest"]) == 64
    for tape in (*mine, to_me):
        assert world.state(tape.sid) == "expired"
        eventually(lambda: is_gone(world, tape), 5)
    assert world.state(others.sid) == world.state(held.sid) == "ready"
    assert ask(world, acme, "DELETE", f"/api/calls/{held.call_sid}/hold").status == 204
    ask(world, acme, "POST", "/api/erasure", {"number": NUMBER})
    eventually(lambda: not world.sql("select 1 from calls where from_number = ?", NUMBER), 10)
    eventually(lambda: not world.sql("select 1 from erasures where ended_at is null"), 10)
    eventually(lambda: not world.sql("select 1 from call_documents_gone"), 10)
    [entry] = world.sql("select * from audit where action = 'erasure' order by number limit 1")
    assert done["digest"] in entry["details"] and NUMBER not in str(entry)
    eventually(lambda: not names_in(world, [NUMBER, NUMBER[1:], "Erasable"]), 15, lambda: names_in(world, [NUMBER, "Erasable"]))
    assert NUMBER not in world.main.log() and "Erasable" not in world.main.log()


def names_in(world, texts):
    found = []
    for path in world.data_dir.rglob("*"):
        if path.is_file():
            data = path.read_bytes()
            found += [(path.name, text) for text in texts if text.encode() in data]
    return found


def test_event_streams_tell_of_holds_and_of_deleted_calls(world, provider, acme):  # noqa: F811
    world.private.add(NUMBER)
    tape = call_of(world, acme, provider)
    path = f"/api/calls/{tape.call_sid}"
    with events.Stream(world.main, acme.viewer) as stream:
        assert hold(world, acme, path).status == 204
        stream.until(lambda e: e.kind == "call" and e.json()["hold"]["reason"] == "the court asked")
        assert ask(world, acme, "DELETE", path + "/hold").status == 204
        stream.until(lambda e: e.kind == "call" and "hold" not in e.json())
        assert ask(world, acme, "DELETE", path).status == 204
        stream.until(lambda e: e.kind == "call" and e.json() == {"call_sid": tape.call_sid, "deleted": True})
