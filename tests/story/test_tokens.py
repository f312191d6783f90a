"""JWTs: with which keys they are accepted, for how long, and which settings are refused."""
import subprocess

import pytest

from callreel import eventually
from who import b64, bearer, claims, problem, token


def made_by_openssl(directory, *algorithm):
    private, public = directory / "private.pem", directory / "public.pem"
    subprocess.run(["openssl", "genpkey", "-out", private, *algorithm], check=True, capture_output=True)
    subprocess.run(["openssl", "pkey", "-in", private, "-pubout", "-out", public], check=True, capture_output=True)
    return private, public


def raw_signature(der):
    """r and s of a DER signature, 32 bytes each."""
    at, parts = 2, []
    for _ in range(2):
        n = der[at + 1]
        parts.append(int.from_bytes(der[at + 2:at + 2 + n], "big").to_bytes(32, "big"))
        at += 2 + n
    return b"".join(parts)


def signed_by(private, algorithm, said):
    text = b64({"alg": algorithm}) + "." + b64(said)
    done = subprocess.run(["openssl", "dgst", "-sha256", "-sign", private], input=text.encode(), check=True, capture_output=True)
    return text + "." + b64(done.stdout if algorithm == "RS256" else raw_signature(done.stdout))


KINDS = [("RS256", ("-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048")),
         ("ES256", ("-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"))]


@pytest.mark.parametrize("algorithm,options", KINDS)
def test_tokens_of_a_public_key(world, provider, tmp_path, algorithm, options):
    private, public = made_by_openssl(tmp_path, *options)
    server = world.server(JWT_PUBLIC_KEY_FILE=public, JWT_ISSUER="https://host.example", JWT_AUDIENCE="callreel")
    business = world.business(provider)
    good = claims(business.id, iss="https://host.example", aud=["other", "callreel"])
    assert server.get("/api/calls", signed_by(private, algorithm, good)).status == 200
    for wrong in ({"iss": "https://other.example"}, {"iss": None}, {"aud": "other"}, {"aud": None}):
        said = {name: value for name, value in {**good, **wrong}.items() if value is not None}
        problem(server.get("/api/calls", signed_by(private, algorithm, said)), 401)
    problem(server.get("/api/calls", token(good, secret=public.read_text())), 401)  # a public key is no secret


def test_a_token_that_was_seen_before_ends_when_it_would(world, provider, tmp_path):
    """It comes with every range of a player, and is verified once; whether it was ended is checked each time."""
    private, public = made_by_openssl(tmp_path, *KINDS[1][1])
    server = world.server(JWT_PUBLIC_KEY_FILE=public)
    business, other = world.business(provider), world.business(world.provider(), "Other")
    tape = provider.tape()
    business.tell(server, tape)
    world.wait_state(tape.sid)

    def asks(text, status, times=20):
        """Over new connections, so that each loop has its turn."""
        for _ in range(times):
            answer = server.get(f"/api/recordings/{tape.sid}/stream", headers={**bearer(text), "Range": "bytes=0-1"})
            assert answer.status == status, answer
    brief = signed_by(private, "ES256", claims(business.id, lives=100))
    long = signed_by(private, "ES256", claims(business.id, lives=5000))
    theirs = signed_by(private, "ES256", claims(other.id, lives=5000))
    asks(brief, 206), asks(long, 206), asks(theirs, 404)
    asks(long[:-2] + ("AA" if long[-2:] != "AA" else "BB"), 401)
    world.clock.advance(131)  # its end and the leeway
    asks(brief, 401), asks(long, 206)
    world.done("business", "remove", business.id)
    eventually(lambda: server.get("/api/calls", long).status == 401, 2)
    asks(long, 401), asks(theirs, 404)


REFUSED = [
    ({"JWT_SECRET": "short"}, "JWT_SECRET"),
    ({"JWT_SECRET": "x" * 32, "JWT_PUBLIC_KEY_FILE": "{pem}"}, "JWT_PUBLIC_KEY_FILE"),
    ({"JWT_PUBLIC_KEY_FILE": "{text}"}, "JWT_PUBLIC_KEY_FILE"),
    ({"JWT_PUBLIC_KEY_FILE": "{private}"}, "JWT_PUBLIC_KEY_FILE"),
    ({"JWT_PUBLIC_KEY_FILE": "/nonexistent.pem"}, "JWT_PUBLIC_KEY_FILE"),
    ({"URL_SIGNING_KEY": "short"}, "URL_SIGNING_KEY"),
    ({"CORS_ORIGINS": "*"}, "CORS_ORIGINS"),
    ({"CORS_ORIGINS": "https://a.example/path"}, "CORS_ORIGINS"),
    ({"FRAME_ANCESTORS": "https://a.example; script-src *"}, "FRAME_ANCESTORS"),
    ({"TRUSTED_PROXIES": "everybody"}, "TRUSTED_PROXIES"),
    ({"PUBLIC_BASE_URL": "calls.example"}, "PUBLIC_BASE_URL"),
]


def test_settings_that_cannot_be_meant_are_refused_by_name(world, tmp_path):
    private, public = made_by_openssl(tmp_path, *KINDS[1][1])
    text = tmp_path / "text"
    text.write_text("no key\n")
    places = {"{pem}": public, "{private}": private, "{text}": text}
    for settings, name in REFUSED:
        done = world.run("serve", env={key: str(places.get(value, value)) for key, value in settings.items()})
        assert done.returncode == 1 and name in done.stderr, (settings, done)
        for value in settings.values():
            assert "short" not in done.stderr, value
