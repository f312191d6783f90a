"""serve --shadow: a trial beside a system that runs."""
from callreel import CALLREEL, Server
from signing import form, signature

URL = "https://calls.example.com/twilio/recording?tenant=7"


def shadow(world, **settings):
    """A server with --shadow."""
    class Shadow(Server):
        def __init__(self, world, name, env):
            super(Server, self).__init__([CALLREEL, "serve", "--shadow"], world.directory / f"{name}.log", env)
            self.world, self.name, self.role, self.started_at, self.port = world, name, "all", 0, None
    server = Shadow(world, "shadow", world.environment(**settings))
    world.processes.append(server)
    return server.wait_listening()


def copy(server, acme, tape, url, **headers):
    fields = acme.recording_fields(tape)
    mark = signature(acme.token, url, fields)
    acme.world.signatures.add(mark)
    headers = {"Content-Type": "application/x-www-form-urlencoded", "X-Twilio-Signature": mark, **headers}
    return server.call("POST", f"/webhooks/twilio/{acme.id}/recording", headers, form(fields)).status


def test_a_copy_of_anothers_webhook_is_taken_and_nothing_is_deleted_at_the_provider(world, provider):
    acme = world.business(provider)
    server = shadow(world)
    tape = provider.tape(2)
    assert copy(server, acme, tape, URL, **{"X-Callreel-Signed-URL": URL}) == 204
    assert copy(server, acme, tape, URL, **{"X-Callreel-Signed-URL": URL + "8"}) == 403
    assert copy(server, acme, tape, URL) == 403
    world.wait_state(tape.sid)
    admin = [("Authorization", f"Bearer {acme.key('admin')}")]
    assert server.call("DELETE", f"/api/recordings/{tape.sid}?at_provider=1", admin).status == 204
    world.clock.advance(5)
    server.wait_lines("Recording", 1)
    assert world.state(tape.sid) == "expired"
    assert len(world.sql("select 1 from tasks where kind = 'remove_at_provider'")) == 1
    server.stop()
    assert "DELETE" not in [ask.method for ask in provider.asks]


def test_without_shadow_the_header_says_nothing(world, provider):
    acme = world.business(provider)
    server = world.server()
    assert copy(server, acme, provider.tape(2), URL, **{"X-Callreel-Signed-URL": URL}) == 403
