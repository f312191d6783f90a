"""A schema of a PostgreSQL server for each world, if CALLREEL_TEST_POSTGRES has the server's URL (script/postgres-server)."""
import json
import os
import random
import re
import subprocess

SERVER = os.environ.get("CALLREEL_TEST_POSTGRES")


def _literal(value):
    if value is None:
        return "null"
    if isinstance(value, (int, float)):
        return str(value)
    if isinstance(value, bytes):
        return "'\\x" + value.hex() + "'"
    return "'" + str(value).replace("'", "''") + "'"


def _value(value):
    """Bytes come as text."""
    is_bytes = isinstance(value, str) and re.fullmatch(r"\\x([0-9a-f]{2})*", value)
    return bytes.fromhex(value[2:]) if is_bytes else value


class Schema:
    """Made by `callreel migrate`, dropped at the end."""

    def __init__(self, url=SERVER):
        self.url = url
        self.name = f"story_{random.randbytes(6).hex()}"

    @property
    def settings(self):
        return {"DATABASE_URL": self.url, "DATABASE_SCHEMA": self.name}

    def _psql(self, text):
        return subprocess.run(["psql", "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-d", self.url], check=True, text=True,
                              input=f"set client_min_messages = warning; set search_path = {self.name}, public; {text};\n",
                              capture_output=True, timeout=60).stdout

    def sql(self, text, *values):
        """Reads rows, as dicts. Each ? of the text stands for a value."""
        values = list(values)
        text = re.sub(r"\?", lambda _: _literal(values.pop(0)), text)
        rows = json.loads(self._psql(f"select coalesce(json_agg(t), '[]') from ({text}) t"))
        return [{name: _value(value) for name, value in row.items()} for row in rows]

    def change(self, text):
        self._psql(text)

    def dump(self, path):
        """Writes the schema to a file, as a backup has it."""
        subprocess.run(["pg_dump", "-d", self.url, "-n", self.name, "-f", path], check=True, capture_output=True, timeout=60)

    def restore(self, path):
        """Puts a dump in the place of the schema."""
        self.drop()
        subprocess.run(["psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", "-d", self.url, "-f", path], check=True, capture_output=True, timeout=60)

    def cut(self):
        """Ends all connections of this world's processes, and returns how many those were."""
        return self._psql(f"select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'callreel {self.name}'").count("t")

    def drop(self):
        self._psql(f"drop schema if exists {self.name} cascade")
