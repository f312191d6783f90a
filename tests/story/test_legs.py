"""Recordings that are requested by a call's SID: which of its legs' recordings is meant."""
import provider as p
from callreel import eventually
from provider import sid


def begin(world, provider):
    server = world.server()
    return server, world.business(provider)


def test_a_parent_that_only_its_child_told_of_plays(world, provider):
    """The child's webhooks may be the only ones that are sent, or the first to arrive."""
    server, business = begin(world, provider)
    tape, parent = provider.tape(), sid("CA")
    business.tell(server, tape)
    business.webhook_add_call(server, tape.call_sid, ParentCallSid=parent)
    world.wait_state(tape.sid)
    for what in ("status", "stream", "download"):
        answer = server.get(f"/api/recordings/{parent}/{what}", business.viewer)
        assert answer.status == 200 and tape.sid in answer.header("content-location"), what
    assert server.get(f"/api/recordings/{parent}/stream", business.viewer).body == tape.mp3
    assert server.post(f"/api/recordings/{parent}/prepare", business.viewer).status == 200


def test_errors_too_say_which_recording_a_call_meant(world, provider):
    server, business = begin(world, provider)
    tape, failing = provider.tape(), provider.tape()
    business.tell(server, tape)
    world.wait_state(tape.sid)
    url = f"/api/recordings/{tape.call_sid}"
    for headers, status in (({"If-Match": '"other"'}, 412), ({"Range": "bytes=99999999-"}, 416)):
        for what in ("stream", "download"):
            answer = server.get(f"{url}/{what}", business.viewer, headers)
            assert answer.status == status and answer.header("content-location").endswith(f"/{tape.sid}/{what}")
    failing.default = p.status(500)
    business.tell(server, failing)
    agent = business.key("agent")
    for n in range(3):
        eventually(lambda: world.row(failing.sid)["fail_count"] == n + 1)
        assert server.post(f"/api/recordings/{failing.call_sid}/retry", agent).status == 202
    eventually(lambda: world.row(failing.sid)["fail_count"] == 4)
    answer = server.post(f"/api/recordings/{failing.call_sid}/retry", agent)
    assert answer.status == 429 and failing.sid in answer.header("content-location") and answer.header("retry-after")


def test_a_recording_that_is_ready_on_another_leg_plays_before_one_in_back_off(world, provider):
    server, business = begin(world, provider)
    child, parent = provider.tape(), provider.tape()
    business.tell(server, parent)
    world.wait_state(parent.sid)
    business.webhook_add_call(server, child.call_sid, ParentCallSid=parent.call_sid)
    child.default = p.status(500)
    business.tell(server, child)
    eventually(lambda: world.row(child.sid)["status"] == "failed")
    answer = server.get(f"/api/recordings/{child.call_sid}/stream", business.viewer)
    assert answer.status == 200 and answer.body == parent.mp3
    assert answer.header("content-location").endswith(f"/{parent.sid}/stream")
