"""A speech engine under a story's full control: each request is answered as the story wrote it.

    engine = world.speech_engine()                     # SPEECH_URL=engine.url, or Google's settings: engine.google_settings(world)
    engine.says[3] = "hello there, how are you?"        # what is heard in sentence 3 of speech_sound.py
    engine.acts = [error(429, retry_after=2), hold(gate), cut_at(100)]     # first, second, third request; then: engine.default
    engine.on(lambda ask: 7 in ask.sentences, error(500))                   # each request that holds sentence 7, before all acts
    engine.asks                                        # what was sent: .fields, .audio, .seconds, .sentences, .digest, .kind

It speaks the shapes of OpenAI (and whisper.cpp's server, which differs in its words) and of Google, which a request's path chooses.
An act made of words (`hears`, `says`) comes out in the shape of the request; `raw` sends bytes as they are."""
import base64
import hashlib
import json
import random
import socket
import subprocess
import time
import urllib.parse
from pathlib import Path

import speech_sound
from connections import Connections, read_head
from provider import Ask, hang, hold  # noqa: F401  for stories

TRANSCRIPTIONS = "/v1/audio/transcriptions"
LANGUAGES = {"en": "english", "he": "hebrew", "de": "german", "es": "spanish", "fr": "french", "it": "italian", "ru": "russian", "ar": "arabic"}
BODY_MAX = 64 << 20


class SpeechAsk(Ask):
    """One request: what was sent, and methods to answer it."""

    def __init__(self, engine, connection, method, path, headers, body):
        super().__init__(engine, connection, method, path, headers)
        self.body = body
        self.kind = "openai" if path.startswith(TRANSCRIPTIONS) else "google" if ":recognize" in path else None
        self.fields, self.audio = {}, b""  # of OpenAI: a form's text fields; a field sent twice is a list
        self.settings = {}  # of Google: the member config
        try:
            if self.kind == "openai":
                self._read_form()
            elif self.kind == "google":
                sent = json.loads(body)
                self.settings, self.audio = sent.get("config", {}), base64.b64decode(sent.get("content", ""))
        except (ValueError, AttributeError):
            self.kind = "malformed"
        self.digest = hashlib.sha256(self.audio).hexdigest()
        read = speech_sound.read_wav(self.audio)
        self.rate, self.samples = read or (0, [])
        self.seconds = len(self.samples) / self.rate if read else None
        self.heard = speech_sound.hear(self.samples, self.rate) if read else []

    @property
    def sentences(self):
        return [sentence for _, _, sentence in self.heard]

    @property
    def language(self):
        """The language that was asked for; None: the engine is to find it."""
        if self.kind == "google":
            return (self.settings.get("languageCodes") or [None])[0]
        return None if self.fields.get("language") in (None, "", "auto") else self.fields["language"]

    def _read_form(self):
        mark = self.headers["content-type"].partition("boundary=")[2].strip('"').encode()
        for part in (b"\r\n" + self.body).split(b"\r\n--" + mark)[1:-1]:
            head, _, content = part.lstrip(b"\r\n").partition(b"\r\n\r\n")
            name = head.decode().partition('name="')[2].partition('"')[0]
            if b"filename=" in head:
                self.audio = content
                continue
            text = content.decode()
            if name in self.fields:
                before = self.fields[name]
                text = [*(before if isinstance(before, list) else [before]), text]
            self.fields[name] = text

    def json(self, code, value, headers=None):
        self.answer(code, {"Content-Type": "application/json", **(headers or {})}, json.dumps(value, ensure_ascii=False).encode())


# ---- what is heard: segments of (start, end, text), in seconds of the piece ----

def words_of(start, end, text):
    """The words of a segment, evenly in its time: (start, end, word)."""
    words = text.split()
    step = (end - start) / max(len(words), 1)
    return [(start + n * step, start + (n + 1) * step, word) for n, word in enumerate(words)]


def tokens_of(start, end, text, size=2):
    """The same as whisper.cpp gives them: pieces of words, the first with a leading space; punctuation by itself."""
    tokens = []
    for word_start, word_end, word in words_of(start, end, text):
        bare = word.rstrip(".,?!")
        pieces = [bare[n:n + size] for n in range(0, len(bare), size)] + list(word[len(bare):])
        step = (word_end - word_start) / max(len(pieces), 1)
        tokens += [(word_start + n * step, word_start + (n + 1) * step, (" " if n == 0 else "") + piece) for n, piece in enumerate(pieces)]
    return tokens


def openai_answer(ask, segments, language="en", words="inside", confidence=0.9, no_speech=0.01):
    """Verbose JSON. words: "inside" the segments (whisper.cpp), "tokens" (the same in pieces of words), "top" level (OpenAI), or
    None. Plain JSON where that was asked for."""
    text = " ".join(segment[2].strip() for segment in segments)
    if ask.fields.get("response_format") != "verbose_json":
        return {"text": text}
    made = []
    for n, (start, end, said) in enumerate(segments):
        segment = {"id": n, "start": round(start, 2), "end": round(end, 2), "text": " " + said, "temperature": 0.0,
                   "avg_logprob": -0.2, "no_speech_prob": no_speech}
        if words == "inside":
            segment["words"] = [{"word": " " + w, "start": s, "end": e, "t_dtw": -1, "probability": confidence} for s, e, w in words_of(start, end, said)]
        if words == "tokens":
            segment["words"] = [{"word": w, "start": s, "end": e, "t_dtw": -1, "probability": confidence} for s, e, w in tokens_of(start, end, said)]
        made.append(segment)
    answer = {"task": "transcribe", "language": LANGUAGES.get(language, language), "duration": ask.seconds, "text": text, "segments": made}
    if words == "top":
        answer["words"] = [{"word": w, "start": s, "end": e} for segment in segments for s, e, w in words_of(*segment)]
    return answer


def google_answer(ask, segments, language="en", confidence=0.9):
    """As Google writes it: durations are strings, and a time of zero is left out."""
    def offset(name, seconds):
        return {name: f"{seconds:.3f}s"} if seconds > 0 else {}

    results = []
    for start, end, said in segments:
        words = [{**offset("startOffset", s), **offset("endOffset", e), "word": w, "confidence": confidence} for s, e, w in words_of(start, end, said)]
        results.append({"alternatives": [{"transcript": said, "confidence": confidence, "words": words}],
                        "resultEndOffset": f"{end:.3f}s", "languageCode": (ask.language or language).lower()})
    billed = f"{max(1, round(ask.seconds or 0))}s"
    return {"results": results, "metadata": {"totalBilledDuration": billed}} if results else {"metadata": {"totalBilledDuration": billed}}


# ---- acts ----

def hears(language=None, words="inside", **more):
    """Says for each sentence of the piece what engine.says has, else "sentence N"; the default of all requests."""
    def act(ask):
        segments = [(start, end, ask.provider.says.get(sentence, f"sentence {sentence}" if sentence is not None else "")) for start, end, sentence in ask.heard]
        says([segment for segment in segments if segment[2]], language or ask.provider.language, words, **more)(ask)
    return act


def says(segments, language="en", words="inside", **more):
    """Answers these segments to any request."""
    def act(ask):
        if ask.kind == "google":
            return ask.json(200, google_answer(ask, segments, language, **more))
        return ask.json(200, openai_answer(ask, segments, language, words, **more))
    return act


def also(segments, language=None, words="inside"):
    """Answers the heard segments and these besides: sentences over silence, markers, repetition."""
    def act(ask):
        heard = [(start, end, ask.provider.says.get(sentence, f"sentence {sentence}")) for start, end, sentence in ask.heard]
        says(sorted(heard + list(segments)), language or ask.provider.language, words)(ask)
    return act


def echoes_prompt(ask):
    """The prompt comes back as text."""
    says([(0.0, ask.seconds or 1.0, str(ask.fields.get("prompt", "")))])(ask)


def nothing(ask):
    """Status 200 and no text, as of an engine whose time limit ran out."""
    says([])(ask)


def error(code, message="scripted", retry_after=None, headers=None):
    """An error in the shape of the request. retry_after: seconds, or an HTTP date."""
    def act(ask):
        more = {**({"Retry-After": retry_after} if retry_after is not None else {}), **(headers or {})}
        states = {400: "INVALID_ARGUMENT", 401: "UNAUTHENTICATED", 403: "PERMISSION_DENIED", 429: "RESOURCE_EXHAUSTED", 503: "UNAVAILABLE"}
        if ask.kind == "google":
            return ask.json(code, {"error": {"code": code, "message": message, "status": states.get(code, "INTERNAL")}}, more)
        return ask.json(code, {"error": {"message": message, "type": "invalid_request_error", "code": None}}, more)
    return act


def plain_error(code, text="Invalid request"):
    """An error as whisper.cpp's server writes it."""
    return raw(code, text.encode(), "text/plain")


def raw(code, body, kind="application/json"):
    def act(ask):
        ask.answer(code, {"Content-Type": kind}, body)
    return act


def changed(change, **more):
    """Answers the heard segments as JSON that change(value) returns: times that run backwards or past the end, wrong types, gaps."""
    def act(ask):
        segments = [(start, end, ask.provider.says.get(sentence, f"sentence {sentence}")) for start, end, sentence in ask.heard]
        value = google_answer(ask, segments) if ask.kind == "google" else openai_answer(ask, segments, ask.provider.language, **more)
        ask.json(200, change(value))
    return act


def bytes_changed(change, **more):
    """The same, but change(bytes) returns the bytes: text that is not UTF-8, half a JSON, control characters."""
    def act(ask):
        segments = [(start, end, ask.provider.says.get(sentence, f"sentence {sentence}")) for start, end, sentence in ask.heard]
        value = google_answer(ask, segments) if ask.kind == "google" else openai_answer(ask, segments, ask.provider.language, **more)
        raw(200, change(json.dumps(value, ensure_ascii=False).encode()))(ask)
    return act


def split_character(body):
    """For bytes_changed with words="tokens": the first letter of two bytes is torn apart, its second byte moves to the next token.
    No JSON parser takes the answer as it is."""
    at = next(n for n, byte in enumerate(body) if 0xC2 <= byte <= 0xDF and body.find(b'"word": "', n) >= 0)
    target = body.index(b'"word": "', at) + len(b'"word": "')
    return body[:at + 1] + body[at + 2:target] + body[at + 1:at + 2] + body[target:]


def half(body):
    """For bytes_changed: half of the JSON, with the length that it has."""
    return body[:len(body) // 2]


def nested(depth):
    return raw(200, b'{"text":' + b"[" * depth + b"]" * depth + b"}")


def endless(ask):
    """An answer that does not end."""
    ask.head(200, {"Content-Type": "application/json", "Transfer-Encoding": "chunked"})
    ask.send(b'9\r\n{"text":"\r\n')
    while not ask.provider.stopped:
        ask.send(b"10000\r\n" + b"a" * 65536 + b"\r\n")


def cut_at(n, then=None):
    """Announces the whole answer, resets the connection after n bytes of it."""
    def act(ask):
        body = json.dumps(openai_answer(ask, [(0.0, 1.0, "cut off")])).encode()
        ask.head(200, {"Content-Type": "application/json", "Content-Length": len(body)})
        ask.send(body[:n])
        ask.reset()
    return act


def reset(ask):
    ask.reset()


def drip(gate, then=None):
    """Sends the head, and the body only when the gate opens."""
    def act(ask):
        body = json.dumps(openai_answer(ask, [(0.0, 1.0, "slow")])).encode()
        ask.head(200, {"Content-Type": "application/json", "Content-Length": len(body)})
        ask.wait(gate)
        ask.send(body)
        ask.whole = True
    return act


def until_gone(gone, half=False):
    """Never answers, or sends half of its answer and no more; tells by the event that the client has left."""
    def act(ask):
        body = json.dumps(openai_answer(ask, [(0.0, 1.0, "half")])).encode()
        if half:
            ask.head(200, {"Content-Type": "application/json", "Content-Length": len(body)})
            ask.send(body[:len(body) // 2])
        try:
            ask.connection.recv(1)
        finally:
            gone.set()
        raise ConnectionAbortedError
    return act


# ---- the server ----

class SpeechEngine(Connections):
    """Listens from its birth to stop(); leave() and come_back() close and open the port meanwhile."""

    def __init__(self, key=None):
        super().__init__()
        self.says, self.language = {}, "en"
        self.key = key  # the API key that requests must have; None: any
        self.acts, self.rules, self.default = [], [], hears()
        self.token_acts = []  # of Google's token endpoint: acts, then a token
        self.asks, self.token_asks, self.tokens = [], [], []
        self.token_seconds = 3599
        self.working, self.most_at_once = 0, 0  # transcription requests that are being answered
        self.listener, self.port = None, 0
        self.public_key = None
        self.come_back()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    @property
    def answered(self):
        """Requests that were answered to the end."""
        return [ask for ask in self.asks if ask.whole]

    def times_sent(self):
        """How often each piece was sent, by its digest."""
        with self.lock:
            digests = [ask.digest for ask in self.asks]
        return {digest: digests.count(digest) for digest in digests}

    def on(self, wanted, act):
        """Requests for which wanted(ask) is true are answered with that act."""
        self.rules.append((wanted, act))

    def come_back(self):
        self.listener = socket.create_server(("127.0.0.1", self.port), backlog=128)
        self.port = self.listener.getsockname()[1]
        self.accept_in_a_thread(self.listener)

    def leave(self):
        """Closes the port and all connections: further connections are refused."""
        self.listener.shutdown(socket.SHUT_RDWR)  # wakes accept()
        self.listener.close()
        self.cut_connections()

    def stop(self):
        self.stopped = True
        try:
            self.leave()
        except OSError:
            pass

    # ---- Google ----

    def google_settings(self, directory):
        """The settings with which callreel takes this for Google; writes a service account's key into the directory."""
        private, public = Path(directory) / "google-private.pem", Path(directory) / "google-public.pem"
        subprocess.run(["openssl", "genpkey", "-out", private, "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"], check=True, capture_output=True)
        subprocess.run(["openssl", "pkey", "-in", private, "-pubout", "-out", public], check=True, capture_output=True)
        self.public_key = public
        account = Path(directory) / "google-account.json"
        account.touch(0o600)
        account.write_text(json.dumps({
            "type": "service_account", "project_id": "story-project", "private_key_id": "k1", "private_key": private.read_text(),
            "client_email": "callreel@story-project.iam.gserviceaccount.com", "client_id": "1", "token_uri": f"{self.url}/token"}))
        return {"SPEECH_ENGINE": "google", "GOOGLE_APPLICATION_CREDENTIALS": str(account), "GOOGLE_SPEECH_URL": self.url}

    def _token(self, ask):
        """Gives a token for a signed assertion."""
        fields = dict(urllib.parse.parse_qsl(ask.body.decode("latin-1")))
        signed, _, mark = fields.get("assertion", "").rpartition(".")
        try:
            claims = json.loads(_unpadded(signed.partition(".")[2]))
            good = fields["grant_type"] == "urn:ietf:params:oauth:grant-type:jwt-bearer" and self._is_signed(signed, _unpadded(mark)) \
                and claims["aud"] == f"{self.url}/token" and 0 < claims["exp"] - claims["iat"] <= 3600 \
                and claims["scope"] == "https://www.googleapis.com/auth/cloud-platform" and "@" in claims["iss"]
        except (ValueError, KeyError, TypeError):
            good = False
        if not good:
            return ask.json(400, {"error": "invalid_grant", "error_description": "Invalid JWT"})
        self.tokens.append("ya29." + random.randbytes(20).hex())
        return ask.json(200, {"access_token": self.tokens[-1], "expires_in": self.token_seconds, "token_type": "Bearer"})

    def _is_signed(self, text, mark):
        signature = Path(self.public_key).with_suffix(f".{random.randbytes(4).hex()}")
        signature.write_bytes(mark)
        done = subprocess.run(["openssl", "dgst", "-sha256", "-verify", self.public_key, "-signature", signature],
                              input=text.encode(), capture_output=True, check=False)
        signature.unlink()
        return done.returncode == 0

    # ---- connections ----

    def _read(self, connection, incoming):
        head = read_head(incoming)
        if not head:
            return None
        headers = head[2]
        if headers.get("expect", "").lower() == "100-continue":
            connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
        body = b""
        if headers.get("transfer-encoding", "").lower() == "chunked":
            while size := int(incoming.readline().split(b";")[0], 16):
                body += incoming.read(size)
                incoming.readline()
            incoming.readline()
        elif "content-length" in headers:
            size = min(int(headers["content-length"]), BODY_MAX)
            body = incoming.read(size)
            if len(body) < size:
                return None  # the client went
        return SpeechAsk(self, connection, *head, body)

    def _act(self, ask):
        path = ask.path.partition("?")[0]
        if path == "/health":
            return ask.json(200, {"status": "ok"})
        if path == "/token":
            with self.lock:
                self.token_asks.append(ask)
                act = self.token_acts.pop(0) if self.token_acts else self._token
            return act(ask)
        if not ask.kind:
            return ask.answer(404, {}, b"File Not Found")
        with self.lock:
            ask.at, ask.number = time.monotonic(), len(self.asks)
            self.asks.append(ask)
            self.working += 1
            self.most_at_once = max(self.most_at_once, self.working)
        try:
            return self._act_for(ask)(ask)
        finally:
            with self.lock:
                self.working -= 1

    def _act_for(self, ask):
        sent = ask.headers.get("authorization", "")
        if ask.kind == "google" and self.public_key and sent.removeprefix("Bearer ") not in self.tokens:
            return error(401, "Request had invalid authentication credentials.")
        if ask.kind == "openai" and self.key and sent != f"Bearer {self.key}":
            return error(401, "Incorrect API key provided.")
        if ask.kind == "malformed":
            return plain_error(400)
        for wanted, act in self.rules:
            if wanted(ask):
                return act
        return self.acts[ask.number] if ask.number < len(self.acts) else self.default


def _unpadded(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
