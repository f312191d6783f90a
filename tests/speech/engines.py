"""Real engines as children, for the tests of this folder and bench/speech.py."""
import json
import os
import selectors
import socket
import subprocess
import time
import urllib.request
import uuid
from pathlib import Path

import whisper_install

WHISPER = Path(__file__).resolve().parents[2] / "script/whisper"
STARTS_WITHIN_S = 120
FASTER_WHISPER = ["faster-whisper-server==0.0.3", "faster-whisper==1.2.1"]


def wait_until(look, within):
    until = time.monotonic() + within
    while not (value := look()):
        assert time.monotonic() < until, f"not within {within} s"
        time.sleep(0.05)
    return value


class Engine:
    """A server that is a child of this process and ends with the block: `with Whisper("base") as engine`."""

    def __init__(self, argv, **more):
        self.child = subprocess.Popen([str(a) for a in argv], stdin=subprocess.DEVNULL, **more)
        self.url = None

    @property
    def port(self):
        return int(self.url.rpartition(":")[2])

    def stop(self):
        self.child.terminate()
        self.child.communicate(timeout=30)
        return self.child.returncode

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()


class Whisper(Engine):
    """script/whisper serve: it prints its URL as its first line. Raises whisper_install.Unable where it can't be installed. wrapper:
    what runs it, as ["chrt", "--idle", "0"]."""

    def __init__(self, model, threads=1, wrapper=()):
        whisper_install.install_engine()
        if model in whisper_install.MODELS:
            whisper_install.install_model(model)
        super().__init__([*wrapper, WHISPER, "serve", "--model", model, "--threads", threads], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        waiting = selectors.DefaultSelector()
        waiting.register(self.child.stdout, selectors.EVENT_READ)
        if not waiting.select(STARTS_WITHIN_S):
            self.stop()
            raise AssertionError("the engine did not answer in time")
        self.url = self.child.stdout.readline().decode().strip()
        if not self.url:
            _, said = self.child.communicate(timeout=30)
            raise AssertionError(f"the engine ended with {self.child.returncode}: {said.decode()}")


class FasterWhisper(Engine):
    """faster-whisper's server, whose answers have no words (500 MB of packages). It prints no URL: it answers once its port is open."""

    def __init__(self, model):
        python = whisper_install.python_with(*FASTER_WHISPER)
        folder = whisper_install.fetch_folder(model)
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        super().__init__([python.parent / "faster-whisper-server", folder, "--host", "127.0.0.1", "--port", port],
                         stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env={**os.environ, "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"})
        self.url = f"http://127.0.0.1:{port}"
        wait_until(self._is_open, STARTS_WITHIN_S)

    def _is_open(self):
        assert self.child.poll() is None, f"the engine ended with {self.child.returncode}"
        try:
            socket.create_connection(("127.0.0.1", self.port), 2).close()
        except OSError:
            return False
        return True


def transcribe(engine, audio, **fields):
    """Sends a file to an engine and returns its answer."""
    edge = uuid.uuid4().hex
    form = {"response_format": "verbose_json", "temperature": "0", "split_on_word": "true", **fields}
    body = b"".join(f'--{edge}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode() for name, value in form.items())
    body += f'--{edge}\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n'.encode() + audio + f"\r\n--{edge}--\r\n".encode()
    wanted = urllib.request.Request(f"{engine.url}/v1/audio/transcriptions", body, {"Content-Type": f"multipart/form-data; boundary={edge}"})
    with urllib.request.urlopen(wanted, timeout=1800) as answer:
        return json.loads(answer.read().decode("utf-8", "replace"))


def cpu_seconds(pid):
    """Processor time of a process and its children."""
    total = 0.0
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(path.parent.name) == pid or int(fields[1]) == pid:
            total += (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return total
