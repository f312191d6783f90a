"""Holds docs/openapi.yaml against the running server with generated requests: no 5xx but 503, no answer that is not described, and
every operation answers 2xx at least once. Prints TAP.

    CALLREEL_BUILD=build-test description.py [--seconds N]      (script/test --long peer)

schemathesis makes the requests, valid ones and others, with the ids of real objects. Requests that remove something, or need what
others remove, get objects of their own."""
import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.dont_write_bytecode = True
sys.path[:0] = [str(ROOT / folder) for folder in ("tests/story", "script")]
os.environ.setdefault("CALLREEL_BUILD", str(ROOT / "build-test"))

import callreel  # noqa: E402 - found by the line above
import speech_sound  # noqa: E402
import whisper_install  # noqa: E402

PIN = "schemathesis==4.32.5"
RUN_SECONDS = 1800
CHECKS = "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance"
# Streams do not end; what ends the asker's own credentials can't be repeated; links and webhooks have secrets that nobody guesses.
# Other tests of this folder and the stories ask for all of them.
LEFT_OUT = ["GET /metrics", "GET /api/events", "POST /api/signin-links", "DELETE /api/session", "POST /api/session", "GET /api/session", "GET /signin",
            "POST /signin", "DELETE /api/sessions/{session_id}", "POST /webhooks/twilio/{business_id}/call", "POST /webhooks/twilio/{business_id}/recording"]
REMOVES = ["DELETE /api/calls/{call_sid}", "DELETE /api/recordings/{id}", "POST /api/erasure"]
SETTINGS = ["PATCH /api/business"]  # they may take away what other requests need


class Stage:
    """A business with ready recordings, notes, a hold, a transcript, keys and URLs."""

    def __init__(self, world):
        engine = world.speech_engine()
        self.world, self.provider = world, world.provider()
        self.server = world.server(SPEECH_ENGINE="openai", SPEECH_URL=engine.url)
        self.business = world.business(self.provider)
        self.key = self.business.key("admin")
        self.main, self.doomed, self.erased = self.record(), self.record(), self.record()
        callreel.eventually(lambda: self.ask("GET", f"/api/recordings/{self.main.sid}/transcript").get("version"), 30, "a transcript")

    def record(self):
        tape = self.provider.tape()
        tape.sounds["mp3"] = speech_sound.call([[(0.5, 2.5, 1)]], 4)
        self.business.webhook_add_call(self.server, tape.call_sid)
        self.business.tell(self.server, tape)
        self.world.wait_state(tape.sid)
        return tape

    def ask(self, method, target, value=None):
        headers = {"Content-Type": "application/json"} if value is not None else {}
        answer = self.server.call(method, target, headers, json.dumps(value).encode() if value is not None else None, key=self.key)
        return answer.json() if answer.body else {}

    def parameters(self):
        """Ids by the names of their parameters."""
        note = self.ask("POST", f"/api/recordings/{self.main.sid}/notes", {"text": "a note", "at": 1.0})
        hold = self.ask("POST", "/api/holds", {"number": "+15005550123", "reason": "a story"})
        erasure = self.ask("POST", "/api/erasure", {"number": "+15005550124"})
        key = self.ask("POST", "/api/keys", {"role": "viewer", "name": "spare"})
        self.ask("POST", f"/api/recordings/{self.main.sid}/url")
        url = self.ask("GET", "/api/urls")["urls"][0]
        return {"id": self.main.sid, "call_sid": self.main.call_sid, "note_id": note["id"], "hold_id": hold["hold_id"],
                "erasure_id": erasure["erasure_id"], "key_id": key["key_id"], "url_id": url["url_id"]}


def operations():
    """"GET /api/calls" and so on, as docs/openapi.yaml lists them."""
    found, path = [], None
    for line in (ROOT / "docs/openapi.yaml").read_text().splitlines():
        if line.startswith("  /") and line.endswith(":"):
            path = line.strip().rstrip(":")
        elif path and line.startswith("    ") and line.strip(" :") in ("get", "put", "post", "delete", "patch") and line[4] != " ":
            found.append(f"{line.strip(' :').upper()} {path}")
        elif line.startswith("components:"):
            break
    return found


class Run:
    """One run of schemathesis over some operations, with some ids."""

    def __init__(self, python, stage, directory, parameters, chosen, *options):
        config = directory / "schemathesis.toml"
        config.write_text("[parameters]\n" + "".join(f"{json.dumps('path.' + name)} = {json.dumps(value)}\n" for name, value in parameters.items()))
        report = directory / "report.ndjson"
        report.unlink(missing_ok=True)
        argv = [python.parent / "schemathesis", "--config-file", config, "--no-color", "run", ROOT / "docs/openapi.yaml", "--url", f"http://127.0.0.1:{stage.server.port}",
                "-H", f"Authorization: Bearer {stage.key}", "--checks", CHECKS, "--seed", "1", "--continue-on-failure",
                "--request-timeout", "20", "--suppress-health-check", "all", "--report", "ndjson", "--report-ndjson-path", report, *options]
        for name in chosen:
            argv += ["--include-name", name]
        done = subprocess.run([str(part) for part in argv], capture_output=True, text=True, timeout=RUN_SECONDS, check=False, cwd=directory)
        self.code, self.said = done.returncode, done.stdout + done.stderr
        self.reached = self.read(report) if report.exists() else {}

    def read(self, report):
        """The statuses that each operation answered with."""
        reached = {}
        for line in report.read_text().splitlines():
            self.find(json.loads(line), None, reached)
        return reached

    def find(self, value, label, reached):
        if isinstance(value, list):
            for one in value:
                self.find(one, label, reached)
        elif isinstance(value, dict):
            label = value.get("label") if isinstance(value.get("label"), str) and " /" in value["label"] else label
            if label and isinstance(value.get("status_code"), int):
                reached.setdefault(label, set()).add(value["status_code"])
            for one in value.values():
                self.find(one, label, reached)


def tell(number, good, name, said=""):
    for line in said.splitlines() if not good else []:
        print("#", line)
    print(f"{'ok' if good else 'not ok'} {number} - {name}", flush=True)
    return good


def main():
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--seconds", type=int, default=240, help="of generated requests")
    said = options.parse_args()
    try:
        python = whisper_install.python_with(PIN)
    except whisper_install.Unable as why:
        print(f"ok 1 - the server answers as it is described # SKIP {why}")
        return 0
    chosen = [name for name in operations() if name not in LEFT_OUT]
    with tempfile.TemporaryDirectory(prefix="callreel-description-") as name:
        world = callreel.World(Path(name))
        try:
            stage = Stage(world)
            ids = stage.parameters()
            others = {"id": stage.doomed.sid, "call_sid": stage.erased.call_sid}
            steady = [one for one in chosen if one not in REMOVES + SETTINGS]
            few, many = [["--phases", "examples,fuzzing", "--mode", "positive", "-n", 4], ["--phases", "coverage,fuzzing", "-n", 40]]
            runs = [Run(python, stage, Path(name), {**ids, **others}, REMOVES, *few), Run(python, stage, Path(name), ids, steady, *few),
                    Run(python, stage, Path(name), ids, steady, *many, "--max-time", said.seconds),
                    Run(python, stage, Path(name), ids, SETTINGS, *few)]
        finally:
            world.close()
    good = [tell(1, all(run.code == 0 for run in runs), "every answer is described", "\n".join(run.said[-12000:] for run in runs if run.code))]
    for n, operation in enumerate(chosen, 2):
        statuses = sorted(set().union(*(run.reached.get(operation, set()) for run in runs)))
        good.append(tell(n, any(status < 300 for status in statuses), f"{operation} is reached", f"its answers: {statuses}"))
    print(f"1..{len(good)}")
    return 0 if all(good) else 1


if __name__ == "__main__":
    sys.exit(main())
