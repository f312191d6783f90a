"""A request for another business's object and one for an object that does not exist get the same response, in bytes and in time:
recordings by their ids, and calls by the text of a search."""
import random
import re
import sqlite3
import statistics
import time

import pytest

import callreel
import provider as p
from callreel import eventually
from wire import Connection, request_bytes

TRIES = 10_000  # of each kind, a round
ROUNDS = 3      # a machine has other things to do: one calm round is proof, a real difference shows in each
IDS = 16
MEDIANS_APART = 0.03
# How often one kind takes longer than the other, were they drawn in pairs: a half, give or take. By chance alone 0.004.
ODDS_APART = 0.02


def raw_answer(connection, request):
    """All bytes of an answer but its date's value."""
    connection.send(request)
    while b"\r\n\r\n" not in connection.buffer:
        assert connection.fill()
    head, _, _ = bytes(connection.buffer).partition(b"\r\n\r\n")
    size = len(head) + 4 + int(re.search(rb"(?i)\r\ncontent-length: *(\d+)", head)[1])
    while len(connection.buffer) < size:
        assert connection.fill()
    answer = bytes(connection.buffer[:size])
    del connection.buffer[:size]
    return re.sub(rb"(?i)\r\ndate: [^\r]*", b"\r\ndate:", answer)


def odds(theirs, nobodys):
    """The share of pairs in which theirs took longer (Mann and Whitney's U over all pairs)."""
    ranked = sorted([(t, 1) for t in theirs] + [(t, 0) for t in nobodys])
    ranks = sum(rank for rank, (_, is_theirs) in enumerate(ranked, 1) if is_theirs)
    return (ranks - len(theirs) * (len(theirs) + 1) / 2) / (len(theirs) * len(nobodys))


def one_round(connection, requests, expected):
    """Median ratio and odds of the two kinds, asked in random order."""
    order = [kind for kind in (0, 1) for _ in range(TRIES)]
    random.shuffle(order)
    took = ([], [])
    for kind in order:
        request = random.choice(requests[kind])
        began = time.perf_counter()
        connection.send(request)
        got = connection.fill()
        while got < expected:
            got += connection.fill()
        took[kind].append(time.perf_counter() - began)
        assert got == expected
        connection.buffer.clear()
    return statistics.median(took[0]) / statistics.median(took[1]), odds(*took)


@pytest.mark.alone
def test_anothers_recording_is_an_unknown_one_to_the_byte_and_to_the_clock(world, provider):
    server = world.server()
    mine, theirs = world.business(world.provider(), "Mine"), world.business(provider, "Theirs")
    tapes = [provider.tape(seconds=1) for _ in range(IDS)]
    for tape in tapes:
        theirs.webhook_add_call(server, tape.call_sid)
        theirs.tell(server, tape)
    for tape in tapes:
        world.wait_state(tape.sid, business_id=theirs.id)
        assert server.get(f"/api/recordings/{tape.sid}/stream", theirs.viewer).status == 200
    auth = {"Authorization": f"Bearer {mine.viewer}"}

    def requests(target, ids):
        return [request_bytes("GET", target.format(one), server.port, auth) for one in ids]

    known = {"RE": [tape.sid for tape in tapes], "CA": [tape.call_sid for tape in tapes]}
    unknown = {prefix: [p.sid(prefix) for _ in tapes] for prefix in known}
    told = {}
    with Connection(server.port) as connection:
        for target, prefix in (("/api/recordings/{}/status", "RE"), ("/api/recordings/{}/stream", "RE"),
                               ("/api/recordings/{}/stream", "CA"), ("/api/calls/{}", "CA")):
            kinds = requests(target, known[prefix]), requests(target, unknown[prefix])
            answers = {raw_answer(connection, request) for kind in kinds for request in kind}
            assert len(answers) == 1, (target, answers)
            [answer] = answers
            assert answer.startswith(b"HTTP/1.1 404 "), answer
        for target in ("/api/recordings/{}/status", "/api/recordings/{}/stream"):
            kinds = requests(target, known["RE"]), requests(target, unknown["RE"])
            connection.send(kinds[0][0])
            expected = connection.fill()
            connection.buffer.clear()
            for number in range(ROUNDS):
                ratio, chance = told[target, number] = one_round(connection, kinds, expected)
                if abs(ratio - 1) <= MEDIANS_APART and abs(chance - 0.5) <= ODDS_APART:
                    break
            else:
                raise AssertionError(f"a difference in time that {TRIES} tries show: (ratio of medians, odds) {told}")
    print(told)


# ---- searches ----

OTHERS_CALLS = 20_000
OWN_CALLS = {"small": 5, "large": 25_000}  # as many documents, and more than a search reads before it asks the index


ADDED_AT_ONCE = 2_500  # calls of one transaction: the statement's triggers run for each


def add_calls(world, business_id, count, prefix):
    """Calls from +PREFIX0000001 on; the server indexes them."""
    for first in range(1, count + 1, ADDED_AT_ONCE):
        add_some_calls(world, business_id, first, min(first + ADDED_AT_ONCE - 1, count), prefix)
    if world.schema:
        world.schema.change("analyze")
    eventually(lambda: not world.sql("select 1 as n from call_documents_stale limit 1"), 240, "calls are indexed")


def add_some_calls(world, business_id, first, last, prefix):
    text = (f"with recursive g(i) as (select {first} union all select i + 1 from g where i < {last})"
            " insert into calls (business_id, call_sid, top_sid, from_number, to_number, caller_name, direction, status,"
            " first_seen_at, started_at, sort_at)"
            f" select {business_id}, 'CA' || {business_id}{prefix}0000000 + i, 'CA' || {business_id}{prefix}0000000 + i,"
            f" '+' || ({prefix}0000000 + i * 7), '+15005550199', 'Q' || ({prefix}0000000 + i * 7), 'inbound', 'completed',"
            " 1790000000000 + i, 1790000000000 + i, 1790000000000 + i from g")
    text = text.replace("'CA' || " + f"{business_id}{prefix}0000000 + i", f"'CA' || ({business_id}{prefix}0000000 + i)")
    if world.schema:
        world.schema.change(text)
    else:
        with sqlite3.connect(world.database, timeout=60) as db:
            db.execute(text)


def a_world(directory, provider, others):
    """A server with a small and a large business, and another with many calls or none."""
    world = callreel.World(directory)
    server = world.server()
    small, large, theirs = (world.business(at, name) for at, name in
                            ((world.provider(), "Small"), (world.provider(), "Large"), (provider, "Theirs")))
    add_calls(world, small.id, OWN_CALLS["small"], 6777)
    add_calls(world, large.id, OWN_CALLS["large"], 6778)
    if others:
        add_calls(world, theirs.id, others, 1415)
    return world, server, {"small": small, "large": large}


def searches(server, business, prefix, step):
    """Of numbers and names, of which the business has none."""
    numbers = random.sample(range(1, OTHERS_CALLS), IDS // 2)
    texts = [f"{prefix}{i * 7 + step:07}" for i in numbers] + [f"Q{prefix}{i * 7 + step:07}" for i in numbers]
    auth = {"Authorization": f"Bearer {business.viewer}"}
    return [request_bytes("GET", f"/api/calls?search={text}", server.port, auth) for text in texts]


def compared(kinds, tries):
    """kinds: two of (server, requests). The ratio of their medians, the odds, and a median in µs, asked in random order."""
    with Connection(kinds[0][0].port) as first, Connection(kinds[1][0].port) as second:
        return timed([(first, kinds[0][1]), (second, kinds[1][1])], tries)


def timed(kinds, tries):
    order = [kind for kind in (0, 1) for _ in range(tries)]
    random.shuffle(order)
    took, lengths = ([], []), set()
    for kind in order:
        connection, requests = kinds[kind]
        request = random.choice(requests)
        began = time.perf_counter()
        connection.send(request)
        while b"]" not in connection.buffer or not connection.buffer.endswith(b"}"):
            assert connection.fill()
        took[kind].append(time.perf_counter() - began)
        assert connection.buffer.endswith(b'{"calls":[],"next_cursor":null}'), bytes(connection.buffer)
        lengths.add(len(connection.buffer))
        connection.buffer.clear()
    assert len(lengths) == 1
    return statistics.median(took[0]) / statistics.median(took[1]), odds(*took), statistics.median(took[0]) * 1e6


def differences(told):
    """Those that a round shows, beside what one server differs from itself and from its twin."""
    noise = max(abs(told[name][0] - 1) for name in ("same", "two servers"))
    limits = {"another's or nobody's": MEDIANS_APART, "others' many or none": MEDIANS_APART + noise}
    return {name: told for name, limit in limits.items() if abs(told[name][0] - 1) > limit}


@pytest.mark.long
@pytest.mark.alone
@pytest.mark.parametrize("size, tries", [("small", TRIES), ("large", TRIES // 10)])
def test_a_search_takes_as_long_whatever_and_however_much_others_store(tmp_path, size, tries):
    """Two worlds without others' calls say how far apart two servers are by themselves; a third has many."""
    worlds = []
    try:
        for name, others in (("alone", 0), ("twin", 0), ("crowded", OTHERS_CALLS)):
            (tmp_path / name).mkdir()
            provider = p.Provider()
            worlds.append(a_world(tmp_path / name, provider, others))
            worlds[-1][0].providers.append(provider)
        (_, alone, of_alone), (_, twin, of_twin), (_, crowded, of_crowded) = worlds
        def kind(server, businesses, step):
            return server, searches(server, businesses[size], 1415, step)
        pairs = {"same": (kind(alone, of_alone, 0), kind(alone, of_alone, 0)),
                 "another's or nobody's": (kind(crowded, of_crowded, 0), kind(crowded, of_crowded, 3)),
                 "two servers": (kind(alone, of_alone, 0), kind(twin, of_twin, 0)),
                 "others' many or none": (kind(crowded, of_crowded, 0), kind(alone, of_alone, 0))}
        for number in range(ROUNDS):
            told = {name: compared(kinds, tries) for name, kinds in pairs.items()}
            print(size, number, told)
            found = differences(told)
            if not found:
                break
        assert not found, found
    finally:
        for world, _, _ in worlds:
            world.close()
