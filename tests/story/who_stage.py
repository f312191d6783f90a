"""Two businesses and the credentials of their people: sessions, links, signed URLs. For stories about access."""
import re

from signing import form
from who import SECRET, bearer, claims, sign_in, token

MEDIA = {"Range": "bytes=0-"}
PATCH = {"Content-Type": "application/merge-patch+json"}
FORM = {"Content-Type": "application/x-www-form-urlencoded"}


class Stage:
    """A call of the first business with two recordings that are ready and hot."""

    def __init__(self, world, **settings):
        self.world = world
        self.server = world.server(JWT_SECRET=SECRET, **settings)
        world.secrets.add(SECRET)
        mine, theirs = world.provider(), world.provider()
        self.a, self.b = world.business(mine, "A"), world.business(theirs, "B")
        self.tape, self.twin, self.doomed = mine.tape(seconds=2), mine.tape(seconds=2), mine.tape(seconds=2)
        self.a.webhook_add_call(self.server, self.tape.call_sid)
        for tape in (self.twin, self.tape):
            self.a.tell(self.server, tape)
            world.wait_state(tape.sid, business_id=self.a.id)
        self.a.tell(self.server, self.doomed, "in-progress", RecordingDuration="-1")
        self.get(f"/api/recordings/{self.tape.sid}/stream", bearer(self.a.viewer), 200)

    def get(self, target, headers=(), status=None, method="GET", body=None):
        answer = self.server.call(method, target, headers, body)
        assert status is None or answer.status == status, answer
        return answer

    def sign(self, sid, ttl=600, key=None):
        answer = self.server.post(f"/api/recordings/{sid}/url?ttl={ttl}", key or self.a.key("agent"))
        assert answer.status == 200, answer
        self.world.secrets.add(answer.json()["url"].split("sig=")[1])
        return answer.json()["url"]

    def note(self, key):
        answer = self.server.post(f"/api/recordings/{self.tape.sid}/notes", key, PATCH, b'{"text":"a note"}')
        assert answer.status == 201, answer
        return answer.json()["id"]

    def session(self, credential):
        cookie = sign_in(self.server, credential)
        self.world.secrets.add(cookie["Cookie"].split("=", 1)[1])
        return cookie

    def jwt(self, business=None, role="viewer", **more):
        return token(claims((business or self.a).id, role, **more))


def altered(text):
    return text[:-2] + ("AA" if text[-2:] != "AA" else "BB")


def link(s, *options):
    url = s.world.done("signin", "--business", s.a.id, *options).strip().splitlines()[-1]
    found = re.search(r"/signin\?token=([\w-]{43})$", url)
    s.world.secrets.add(found.group(1))
    return found.group(0)


def press(s, target, headers=(), **fields):
    """Presses the button of a link's page: posts its form."""
    token = target.partition("token=")[2]
    return s.server.call("POST", "/signin", {**FORM, **dict(headers)}, form(fields or {"token": token}))
