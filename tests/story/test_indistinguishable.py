"""A recording of another business and one that does not exist get the same response, in bytes and in time."""
import random
import re
import statistics
import time

import pytest

import provider as p
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
        theirs.tell_call(server, tape.call_sid)
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
