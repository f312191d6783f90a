"""What was tried against the surface and went through once."""
import json

import pytest

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
