"""Regression tests of attacks on the HTTP interface that once succeeded."""
import json

import pytest

from callreel import eventually
from who import bearer, sign_in

pytestmark = pytest.mark.sanitized

# Settings that only the module that uses them can judge.
UNSERVABLE = [
    ("FRAME_ANCESTORS", "x; script-src *"),
    ("FRAME_ANCESTORS", "'none' https://app.example"),
    ("JWT_PUBLIC_KEY_FILE", "/etc/hostname"),
    ("PUBLIC_BASE_URL", "https://calls.example/a;b"),
    ("PUBLIC_BASE_URL", "https://calls.example/a%20b"),
    ("PUBLIC_BASE_URL", "https://calls.example/a/../b"),
    ("PUBLIC_BASE_URL", "https://calls.example/a//b"),
    ("PUBLIC_BASE_URL", "https://calls.example/" + "a" * 600),
]


def test_the_doctor_finds_every_setting_that_a_server_refuses(world):
    for name, value in UNSERVABLE:
        served = world.run("serve", env={name: value})
        assert served.returncode == 1 and f"{name}: " in served.stderr, (name, value, served)
        looked = world.run("check", "--json", env={name: value})
        findings = [f for f in json.loads(looked.stdout)["findings"] if f["level"] == "FAIL"]
        assert looked.returncode == 1 and findings[0]["about"] == "settings", (name, value, findings)
        assert findings[0]["finding"].startswith(f"{name}: "), (name, value, findings)
    assert not world.database.exists(), "a setting is refused before anything is made"


@pytest.mark.threads
def test_who_signs_in_again_and_again_signs_out_nobody_else(world, provider):
    servers = [world.server("one"), world.server("two", "web")]
    business = world.business(provider)
    admin, first = (sign_in(servers[0], business.key(role)) for role in ("admin", "viewer"))
    assert all(server.get("/api/session", headers=first).status == 200 for server in servers)
    with servers[0].connect() as connection:
        for _ in range(100):
            assert connection.call("POST", "/api/session", bearer(business.viewer)).status == 204
    eventually(lambda: all(server.get("/api/session", headers=first).status == 401 for server in servers), 2,
               "the oldest of its own has ended, in every process")
    assert all(server.get("/api/session", headers=admin).status == 200 for server in servers)
