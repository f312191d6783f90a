"""A call's agent, number and tags; lists by these, by length, in other orders, and the count of their calls."""
import json
import random
import threading

import pytest

import provider as p
from callreel import eventually
from test_api import MERGE, assert_problem

pytestmark = pytest.mark.sanitized
OWN, ALICE = "+15005550199", "+15005550100"


@pytest.fixture
def stage(world, provider):
    return Stage(world, provider)


class Stage:
    def __init__(self, world, provider):
        self.world, self.provider = world, provider
        self.server, self.business = world.server(), world.business(provider)
        self.viewer, self.agent = self.business.viewer, self.business.key("agent")

    def tell(self, call=None, **fields):
        call = call or p.sid("CA")
        self.business.webhook_add_call(self.server, call, **fields)
        return call

    def get(self, call, key=None):
        answer = self.server.get(f"/api/calls/{call}", key or self.viewer)
        assert answer.status == 200, answer
        return answer.json()

    def patch(self, call, value, status=200):
        answer = self.server.call("PATCH", f"/api/calls/{call}", MERGE, json.dumps(value).encode(), self.agent)
        assert answer.status == status, answer
        return answer.json()

    def list(self, query="", server=None):
        answer = (server or self.server).get(f"/api/calls?{query}", self.viewer)
        assert answer.status == 200, answer
        return answer.json()

    def sids(self, query=""):
        """The SIDs of all pages."""
        found, cursor = [], ""
        while cursor is not None:
            page = self.list(f"{query}&cursor={cursor}")
            found += [c["call_sid"] for c in page["calls"]]
            cursor = page["next_cursor"]
        return found


def test_the_agent_is_the_user_of_the_first_client_or_sip_party(stage):
    cases = [
        (dict(Direction="inbound", From=ALICE, To=OWN), [], None, OWN),
        (dict(Direction="inbound", From=ALICE, To=OWN), [dict(From=ALICE, To="client:noa.levi")], "noa.levi", OWN),
        (dict(Direction="inbound", From=ALICE, To=OWN),
         [dict(From=ALICE, To="+15005550111"), dict(From=ALICE, To="sip:101@pbx.example.com;transport=tls")], "101", OWN),
        (dict(Direction="outbound-api", From=OWN, To="client:דנה"), [dict(From=OWN, To=ALICE)], "דנה", OWN),
        (dict(Direction="inbound", From="client:dan", To=""), [dict(From=OWN, To=ALICE)], "dan", None),
        (dict(Direction="outbound-dial", From="sip:7@x", To=ALICE), [dict(From=OWN, To=ALICE)], "7", OWN),
        (dict(Direction="inbound", From="sip:+15005550177@trunk", To=OWN), [], None, OWN),
        (dict(Direction="inbound", From=ALICE, To="sip:pbx.example.com"), [], None, "sip:pbx.example.com"),
    ]
    for order in (1, -1):
        for fields, legs, agent, own in cases:
            top = p.sid("CA")
            told = [(top, fields)] + [(p.sid("CA"), dict(ParentCallSid=top, Direction="outbound-dial", **leg)) for leg in legs]
            for i, (sid, leg) in list(enumerate(told))[::order]:
                stage.tell(sid, **leg, StartTime=f"Mon, 30 Nov 2026 03:00:0{i} +0000")
            for sid, _ in told:
                shown = stage.get(sid)
                assert (shown["agent"], shown["own_number"]) == (agent, own), (fields, legs, order, shown)


def test_the_host_names_the_agent_and_the_tags_of_a_call(stage):
    top = stage.tell(To="+15005550199")
    leg = stage.tell(ParentCallSid=top, Direction="outbound-dial", From=ALICE, To="client:noa")
    assert stage.get(top)["tags"] == [] and stage.get(top)["agent"] == "noa"
    name = "נועה \u202e\"><script>=1+1 \U0001f600"
    shown = stage.patch(leg, {"agent": name, "tags": ["חוב", " vip ", "vip", "=cmd|'/c'!A1"]})
    assert shown["agent"] == name and shown["tags"] == ["חוב", "vip", "=cmd|'/c'!A1"]
    assert stage.get(top)["agent"] == name and stage.get(top)["tags"] == []  # the agent is of the whole call
    assert stage.patch(top, {"agent": None})["agent"] == "noa" and stage.get(leg)["agent"] == "noa"
    assert stage.patch(leg, {"tags": ["one"]})["tags"] == ["one"] and stage.patch(leg, {"tags": None})["tags"] == []
    assert stage.patch(top, {"agent": "ש" * 200, "customer_name": "ש" * 200, "ref": "\U0001f600" * 200})["agent"] == "ש" * 200
    assert stage.patch(top, {"tags": ["ב" * 39 + str(i % 10) if i < 10 else f"t{i}" for i in range(20)]})["tags"][0] == "ב" * 39 + "0"
    for wrong, words in (({"agent": "x" * 201}, "agent has more than 200 characters."), ({"agent": 5}, "agent must be"),
                         ({"customer_name": "ש" * 201}, "customer_name has more than 200 characters."),
                         ({"ref": "x" * 201}, "ref has more than 200"), ({"tags": "vip"}, "tags must be a list"),
                         ({"tags": ["x" * 41]}, "tags has a text of more than 40"), ({"tags": [""]}, "tags has a text that is empty"),
                         ({"tags": ["a\nb"]}, "tags has a text"), ({"tags": ["x"] * 21}, "tags has more than 20"),
                         ({"tags": [None]}, "tags must be"), ({"own_number": "+1"}, "own_number can't be set")):
        assert stage.patch(top, wrong, 400)["detail"].startswith(words), wrong
    assert stage.get(top)["agent"] == "ש" * 200


def test_what_the_host_said_moves_with_the_legs(stage):
    top, leg = p.sid("CA"), p.sid("CA")
    stage.tell(leg, ParentCallSid=top, Direction="outbound-dial", From=ALICE, To="client:noa")
    stage.patch(leg, {"agent": "Dana"})
    stage.tell(top, From=ALICE, To=OWN)
    assert stage.get(top)["agent"] == "Dana" and stage.get(leg)["agent"] == "Dana"
    assert stage.sids("agent=Dana") == [top] and set(stage.sids("agent=Dana&legs=all")) == {top, leg}
    stage.patch(top, {"agent": None})
    assert stage.get(leg)["agent"] == "noa" and stage.sids("agent=Dana") == []


def test_lists_are_filtered_sorted_and_counted(stage):
    rng = random.Random(7)
    made = []
    for i in range(60):
        duration = rng.choice([None, 0, 5, 60, 61, 600])
        call = stage.tell(To=rng.choice([OWN, "+15005550188"]), StartTime=f"Mon, 30 Nov 2026 03:{i % 30:02}:00 +0000",
                          CallDuration="" if duration is None else str(duration), Timestamp="Mon, 30 Nov 2026 04:00:00 +0000")
        agent, tags = rng.choice([None, "noa", "דנה לוי"]), rng.sample(["vip", "חוב", "a&b=c"], rng.randrange(3))
        stage.patch(call, {"agent": agent, "tags": tags})
        shown = stage.get(call)
        assert (shown["duration"], shown["agent"], shown["tags"]) == (duration, agent, tags)
        made.append(shown)
    keys = {"started_at": lambda c: (c["started_at"], c["call_sid"]),
            "duration": lambda c: (-1 if c["duration"] is None else c["duration"], c["started_at"], c["call_sid"])}
    filters = {"agent=noa": lambda c: c["agent"] == "noa", "agent=%D7%93%D7%A0%D7%94+%D7%9C%D7%95%D7%99": lambda c: c["agent"] == "דנה לוי",
               "tag=vip": lambda c: "vip" in c["tags"], "tag=a%26b%3Dc": lambda c: "a&b=c" in c["tags"],
               "own_number=%2B1+(500)+555-0199": lambda c: c["own_number"] == OWN, "own_number=+15005550188": lambda c: c["own_number"] != OWN,
               "min_duration=60": lambda c: (c["duration"] or 0) >= 60, "max_duration=60": lambda c: c["duration"] is not None and c["duration"] <= 60,
               "min_duration=61&max_duration=61": lambda c: c["duration"] == 61, "search=5550199": lambda c: c["own_number"] == OWN,
               "has_recording=false": lambda c: True, "since=2026-11-30T03:10:00Z": lambda c: c["started_at"] >= "2026-11-30T03:10:00Z"}
    for i in range(80):
        chosen = rng.sample(sorted(filters), rng.randrange(4))
        sort = rng.choice(["started_at", "-started_at", "duration", "-duration"])
        wanted = sorted((c for c in made if all(filters[f](c) for f in chosen)), key=keys[sort.lstrip("-")], reverse=sort[0] == "-")
        names = [part.split("=")[0] for f in chosen for part in f.split("&")]
        if len(set(names)) < len(names):
            continue  # a parameter that is there twice
        query = "&".join([*chosen, f"sort={sort}", f"limit={rng.choice([1, 7, 100])}"])
        assert stage.sids(query) == [c["call_sid"] for c in wanted], query
        page = stage.list(query + "&count=1")
        assert (page["total"], page["total_is_exact"]) == (len(wanted), True), query
    assert "total" not in stage.list()


def test_bad_filters_and_cursors_of_other_orders_are_400(stage):
    for _ in range(3):
        stage.tell()
    for query in ("min_duration=-1", "min_duration=1.5", "max_duration=x", "max_duration=99999999999", "sort=ref", "sort=-", "count=2",
                  "tag=" + "x" * 41, "agent=" + "x" * 201, "agent=%FF", "sort=duration&cursor=AAAA"):
        answer = stage.server.get(f"/api/calls?{query}", stage.viewer)
        assert_problem(answer, 400, query)
        assert query.split("&")[-1].split("=")[0] in answer.json()["detail"], answer.json()
    for query in ("min_duration=", "sort=", "count=", "tag=", "count=0", "agent="):
        assert len(stage.list(query)["calls"]) == 3, query
    cursors = {sort: stage.list(f"sort={sort}&limit=1")["next_cursor"] for sort in ("started_at", "-started_at", "duration", "-duration")}
    for sort in cursors:
        for of, cursor in cursors.items():
            assert stage.server.get(f"/api/calls?sort={sort}&cursor={cursor}", stage.viewer).status == (200 if sort == of else 400)


def test_edits_at_once_and_a_kill_leave_what_was_answered(stage):
    top = stage.tell(Direction="inbound", To=OWN)
    other = stage.world.server("other", "web")
    answered = {}

    def edit(n):
        server = (stage.server, other)[n % 2]
        for i in range(5):
            tags = [f"{n}.{i}", "shared"]
            answer = server.call("PATCH", f"/api/calls/{top}", MERGE, json.dumps({"agent": f"a{n}.{i}", "tags": tags}).encode(), stage.agent)
            assert answer.status == 200, answer

    threads = [threading.Thread(target=edit, args=(n,)) for n in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    stage.patch(top, {"agent": "last", "tags": ["שמור"]})
    stage.server.kill()
    server = stage.world.again(stage.server)
    for at in (server, other):
        shown = at.get(f"/api/calls/{top}", stage.viewer).json()
        assert shown["agent"] == "last" and shown["tags"] == ["שמור"]
        assert [c["call_sid"] for c in stage.list("tag=%D7%A9%D7%9E%D7%95%D7%A8&agent=last", at)["calls"]] == [top]
        assert stage.list("tag=shared", at)["calls"] == []


def test_another_business_finds_nothing_of_it(stage):
    call = stage.tell(Direction="inbound", To=OWN)
    stage.patch(call, {"agent": "noa", "tags": ["vip"]})
    theirs = stage.world.business(stage.world.provider(), "B")
    for query in ("agent=noa", "tag=vip", "own_number=15005550199", "sort=-duration", "min_duration=1", "count=1"):
        assert stage.server.get(f"/api/calls?{query}", theirs.viewer).json()["calls"] == [], query
