"""Keys of the installation are exchanged: during a rotation two are accepted, and only the first signs and encrypts."""
import base64
import os

from callreel import eventually
from test_tokens import KINDS, made_by_openssl, signed_by
from who import bearer, claims, problem, token

ONE, TWO = "first secret of the host of 32 bytes and more", "second secret of the host of 32 bytes and more"


def secrets_key():
    return base64.b64encode(os.urandom(32)).decode()


def test_secrets_are_encrypted_anew_while_both_keys_are_given(world, provider):
    old, new = secrets_key(), secrets_key()
    world.secrets |= {old, new}
    world.settings["SECRETS_KEY"] = old
    server = world.server()
    business = world.business(provider)
    for _ in range(3):
        world.done("business", "add", "--name", "more", "--account-sid", business.account_sid, "--auth-token-file",
                   world.secret_file(provider.token))
    agent = business.key("agent")
    tape = provider.tape()
    business.tell(server, tape)
    world.wait_state(tape.sid)
    url = server.post(f"/api/recordings/{tape.sid}/url", agent).json()["url"]
    world.secrets.add(url.split("sig=")[1])
    server.stop()
    world.settings["SECRETS_KEY"] = new
    assert world.run("serve").returncode == 1, "the new key alone opens nothing yet"
    world.settings["SECRETS_KEY"] = f"{new}, {old}"
    server = world.again(server)
    server.wait_lines('msg="Secrets re-encrypted" businesses=4')
    assert server.get(url).status == 200
    server.stop()
    world.settings["SECRETS_KEY"] = new
    server = world.again(server)
    assert server.get(url).status == 200
    business.tell(server, provider.tape())
    assert not server.log_lines("Secrets re-encrypted")
    assert "decrypted" in world.run("check").stdout
    for bad in (f"{new},x", f"{new},", f",{new}"):
        done = world.run("status", env={"SECRETS_KEY": bad})
        assert done.returncode == 1 and "SECRETS_KEY" in done.stderr, done


def test_urls_of_the_older_key_are_valid_and_the_newer_signs(world, provider):
    one, two = "the key that signed until now", "the key that signs from now on"
    world.secrets |= {one, two}
    server = world.server(URL_SIGNING_KEY=one)
    business = world.business(provider)
    tape = provider.tape()
    business.tell(server, tape)
    world.wait_state(tape.sid)
    agent = business.key("agent")

    def sign(server):
        url = server.post(f"/api/recordings/{tape.sid}/url", agent).json()["url"]
        world.secrets.add(url.split("sig=")[1])
        return url
    before = sign(server)
    server.stop()
    server = world.again(server, URL_SIGNING_KEY=f"{two},{one}")
    during = sign(server)
    assert server.get(before).status == server.get(during).status == 200
    server.stop()
    server = world.again(server, URL_SIGNING_KEY=two)
    assert server.get(during).status == 200
    problem(server.get(before), 401)


def test_tokens_of_both_secrets_are_valid(world, provider):
    world.secrets |= {ONE, TWO}
    server = world.server(JWT_SECRET=f"{TWO},{ONE}")
    business = world.business(provider)
    for secret in (ONE, TWO):
        assert server.get("/api/calls", headers=bearer(token(claims(business.id), secret=secret))).status == 200
    for wrong in (f"{TWO},{ONE}", "x" * 40):
        problem(server.get("/api/calls", headers=bearer(token(claims(business.id), secret=wrong))), 401)
    server.stop()
    with_comma = "one secret with a comma, which is no second one"
    server = world.again(server, JWT_SECRET=with_comma)
    assert server.get("/api/calls", headers=bearer(token(claims(business.id), secret=with_comma))).status == 200


def test_tokens_of_two_public_keys_are_valid_also_of_two_kinds(world, provider, tmp_path):
    keys = []
    for algorithm, options in KINDS:
        place = tmp_path / algorithm
        place.mkdir()
        keys.append((algorithm, *made_by_openssl(place, *options)))
    server = world.server(JWT_PUBLIC_KEY_FILE=f"{keys[0][2]}, {keys[1][2]}")
    business = world.business(provider)
    for algorithm, private, _ in keys:
        signed = signed_by(private, algorithm, claims(business.id))
        eventually(lambda: server.get("/api/calls", signed).status == 200, 2)
    problem(server.get("/api/calls", headers=bearer(token(claims(business.id), secret=keys[0][2].read_text()))), 401)
    done = world.run("serve", env={"JWT_PUBLIC_KEY_FILE": f"{keys[0][2]},/nonexistent"})
    assert done.returncode == 1 and "JWT_PUBLIC_KEY_FILE" in done.stderr
