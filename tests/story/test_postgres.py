"""Behaviour that only PostgreSQL has: connections that are cut, processes that write at once, a password in the URL."""
import threading

import pytest

import postgres
from callreel import eventually
from provider import sid

pytestmark = pytest.mark.skipif(not postgres.SERVER, reason="CALLREEL_TEST_POSTGRES names no server (script/test postgres starts one)")


def test_webhooks_that_were_answered_are_there_after_cut_connections(world, provider):
    server = world.server()
    business = world.business(provider)
    eventually(lambda: business.is_known_to(server))
    answered, refused, ended = [], [], threading.Event()

    def deliver():
        while not ended.is_set():
            call_sid = sid("CA")
            answer = business.webhook(server, "call", business.call_fields(call_sid))
            (answered if answer.status == 204 else refused).append(call_sid)

    threads = [threading.Thread(target=deliver) for _ in range(4)]
    for thread in threads:
        thread.start()
    for _ in range(4):
        had = len(answered)
        eventually(lambda: len(answered) > had + 5, 30)
        assert world.schema.cut() > 0
    had = len(answered)
    eventually(lambda: len(answered) > had + 5, 30)
    ended.set()
    for thread in threads:
        thread.join()
    there = {row["call_sid"] for row in world.sql("select call_sid from calls")}
    assert not [call_sid for call_sid in answered if call_sid not in there]
    assert not refused  # each was repeated on another connection


def test_parent_and_child_through_two_processes_at_once_are_one_call(world, provider):
    servers = [world.server("one", "web"), world.server("two", "web")]
    business = world.business(provider)
    for server in servers:
        eventually(lambda: business.is_known_to(server))
    pairs = [(sid("CA"), sid("CA")) for _ in range(40)]
    for parent, child in pairs:
        told = [lambda: business.webhook_add_call(servers[0], parent), lambda: business.webhook_add_call(servers[1], child, ParentCallSid=parent)]
        threads = [threading.Thread(target=tell) for tell in told]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    tops = {row["call_sid"]: row["top_sid"] for row in world.sql("select call_sid, top_sid from calls")}
    assert [(tops[parent], tops[child]) for parent, child in pairs] == [(parent, parent) for parent, _ in pairs]


def test_the_password_in_the_url_is_told_nowhere(world):
    user, _, place = postgres.SERVER.partition("://")[2].rpartition("@")
    secret = "pw0rd-of-a-test"
    world.secrets.add(secret)
    good = f"postgresql://{user}:{secret}@{place}"
    server = world.server(DATABASE_URL=good)
    assert world.run("check", env={"DATABASE_URL": good}).stdout
    assert world.run("status", env={"DATABASE_URL": good}).returncode == 0
    for bad in (f"postgresql://{user}:{secret}@127.0.0.1:1/x", f"postgresql://{user}:{secret}@[bad/x", f"postgresql://u:{secret}%zz@h/x"):
        assert world.run("status", env={"DATABASE_URL": bad}).returncode == 1
    server.stop()


def test_serve_says_that_the_schema_is_not_made(world):
    world.schema.drop()
    done = world.run("serve")
    assert done.returncode == 1 and "run callreel migrate" in done.stderr, done.stderr
    world.done("migrate")


def test_a_schema_of_something_else_is_refused(world):
    world.schema.drop()
    world.schema.change(f"create schema {world.schema.name}; create table {world.schema.name}.users (id int)")
    done = world.run("migrate")
    assert done.returncode == 1 and "DATABASE_SCHEMA" in done.stderr, done.stderr
