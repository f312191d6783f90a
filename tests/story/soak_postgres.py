"""The soak on PostgreSQL: also the servers are restarted, killed and frozen, a process is cut off from them, and once, at half time,
a synchronous standby takes over.

`front` reaches the servers through proxies; it is the one that is cut off. Webhooks whose answer was 204 are counted apart: none of
them may be lost."""
import subprocess
import sys
import time

import postgres
import soak as common
from callreel import PATIENCE, ROOT, World, eventually
from postgres_proxy import Proxy
from provider import sid

sys.path.insert(0, str(ROOT / "script"))
import postgres_server  # noqa: E402 - found by the line above

LONG_S = 120  # a run from here on is a long one
PAUSE_S = {True: (8, 15), False: (1, 3)}  # between two disturbances of the servers; True: in a long run
FREEZE_S = {True: 45, False: 3}  # of a process
CUT_S = {True: 10, False: 2}
SERVER_FREEZE_S = {True: 6, False: 2}
RESTART_S = 1  # RestartSec of the units
AWAY_S = 10  # that a process may take to be connected again


def url_of(*ports):
    return f"postgresql://postgres@{','.join(f'127.0.0.1:{port}' for port in ports)}/postgres"


class Database:
    """A primary and its synchronous standby."""

    def __init__(self, home):
        self.primary = postgres_server.Server(home / "primary")
        self.primary.make()
        self.primary.start()
        self.primary.make_extensions()
        self.standby = postgres_server.Server(home / "standby")
        self.standby.make_standby_of(self.primary)
        self.standby.settings["primary_conninfo"] = f"host=127.0.0.1 port={self.primary.port} user=postgres application_name=standby"
        self.standby.start()
        self.primary.ask("alter system set synchronous_standby_names = 'standby'")
        self.primary.ask("select pg_reload_conf()")
        eventually(lambda: self.primary.ask("select sync_state from pg_stat_replication") == "sync", 20)
        self.server = self.primary
        self.url = url_of(self.primary.port, self.standby.port)
        self.proxies = [Proxy(self.primary.port), Proxy(self.standby.port)]

    def fail_over(self):
        self.primary.stop()
        self.standby.promote()
        self.server = self.standby

    def restart(self, mode):
        self.server.stop(mode)
        self.server.start()

    def freeze(self, over, seconds):
        self.server.freeze()
        over.wait(seconds)
        self.server.thaw()

    def cut_off(self, over, seconds):
        for proxy in self.proxies:
            proxy.cut_off()
        over.wait(seconds)
        for proxy in self.proxies:
            proxy.heal()

    def stop(self):
        for proxy in self.proxies:
            proxy.stop()


class PostgresSoak(common.Soak):
    def __init__(self, world, seed, faults, database, seconds):
        self.database, self.seconds = database, seconds
        self.answered, self.not_taken, self.away_since, self.away_until = [], 0, None, 0.0
        super().__init__(world, seed, faults)
        self.is_long = seconds >= LONG_S
        self.freeze_s = FREEZE_S[self.is_long]

    def begin_processes(self):
        self.through = url_of(*(proxy.port for proxy in self.database.proxies))
        self.front = self.world.server("front", DATABASE_URL=self.through)
        self.steady = self.world.server("steady", ADMIN_LISTEN="127.0.0.1:0")
        self.worker = self.world.server("worker", role="worker")

    def again(self, process):
        """As the units of deploy/ do: a process that finds no database at its start ends, and is started again a second later."""
        settings = {"DATABASE_URL": self.through} if process is self.front else {}
        while True:
            try:
                return self.world.again(process, **settings)
            except AssertionError:
                if not self.is_away() or self.world.processes[-1].alive():
                    raise
                self.counts["starts without a database"] += 1
                time.sleep(RESTART_S)

    def more_acts(self):
        return [self.disturb_database, self.deliver]

    # ---- the load and the faults ----

    def is_away(self):
        """Whether a process may find no database now, or found none until a moment ago."""
        return self.away_since is not None or time.monotonic() < self.away_until

    def may_refuse(self, answer, was_ready):
        return super().may_refuse(answer, was_ready) or (answer.status == 503 and self.is_away())

    def look(self):
        try:
            return super().look()
        except (subprocess.SubprocessError, ConnectionError, TimeoutError):
            return False  # the servers are away

    def disturb_database(self, rng):
        began, failed_over = time.monotonic(), False
        kinds = {"server restarts": lambda: self.database.restart("fast"), "server kills": lambda: self.database.restart("immediate"),
                 "server freezes": lambda: self.database.freeze(self.over, SERVER_FREEZE_S[self.is_long]),
                 "partitions": lambda: self.database.cut_off(self.over, CUT_S[self.is_long])}
        while not self.over.wait(rng.uniform(*PAUSE_S[self.is_long])):
            name, act = rng.choice(list(kinds.items()))
            if not failed_over and time.monotonic() - began > self.seconds / 2:
                name, act, failed_over = "failovers", self.database.fail_over, True
            self.away_since = time.monotonic()
            act()
            self.away_until = time.monotonic() + AWAY_S * PATIENCE
            self.disturbed.append((self.away_since, self.away_until))
            self.away_since = None
            self.counts[name] += 1

    def deliver(self, rng):
        """Webhooks of calls, whose answers are remembered."""
        while not self.over.wait(rng.expovariate(20)):
            business, _ = rng.choice(self.sides)
            call_sid = sid("CA")
            try:
                answer = business.webhook(rng.choice([self.front, self.steady]), "call", business.call_fields(call_sid))
            except common.WHILE_KILLED:
                continue
            if answer.status == 204:
                self.answered.append(call_sid)
            elif answer.status == 503:
                self.not_taken += 1
            else:
                self.complain(f"a webhook: {answer}")

    # ---- what must hold ----

    def check_rest(self):
        super().check_rest()
        there = {row["call_sid"] for row in self.world.sql("select call_sid from calls")}
        lost = [call_sid for call_sid in self.answered if call_sid not in there]
        if lost:
            self.complain(f"{len(lost)} of {len(self.answered)} webhooks that were answered 204 are lost: {lost[:3]}")

    def told(self):
        c = self.counts
        names = ("server restarts", "server kills", "server freezes", "partitions", "failovers", "starts without a database")
        return (f"{super().told()}\n{', '.join(f'{c[name]} {name}' for name in names)}; {len(self.answered)} webhooks answered 204,"
                f" {self.not_taken} answered 503")


def soak(directory, seconds, seed, faults):
    """As soak.soak, on servers of its own."""
    with postgres_server.home() as home:
        database = Database(home)
        world = World(directory, postgres.Schema(database.url))
        try:
            s = PostgresSoak(world, seed, faults, database, seconds)
            s.run(seconds)
            return s.check(), s.told()
        finally:
            for proxy in database.proxies:
                proxy.heal()
            world.close()
            database.stop()
