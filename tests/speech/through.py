"""Sends recordings through the whole program: from the provider's webhook to the transcript that the API gives."""
import callreel


class Service:
    """A server with an engine, a provider and a business whose recordings are all transcribed."""

    def __init__(self, world, engine_url, **settings):
        self.world = world
        self.provider = world.provider()
        self.business = world.business(self.provider)
        world.done("business", "set", self.business.id, "--transcribe", "all")
        self.server = world.server(SPEECH_ENGINE="openai", SPEECH_URL=engine_url, **settings)
        self.key = self.business.viewer

    def tell(self, sound, channels=2, seconds=1.0, direction="inbound"):
        """The provider tells of a recording with that sound; returns its SID."""
        tape = self.provider.tape(seconds=seconds, channels=channels)
        tape.sounds["mp3"] = sound
        self.business.webhook_add_call(self.server, tape.call_sid, Direction=direction)
        self.business.tell(self.server, tape)
        return tape.sid

    def transcript(self, recording_sid, within=400):
        """Waits until a transcript is made or failed, and returns it."""
        def look():
            answer = self.server.get(f"/api/recordings/{recording_sid}/transcript", self.key)
            return answer.json() if answer.status == 200 and answer.json()["status"] in ("ready", "failed") else None
        return callreel.eventually(look, within, f"a transcript of {recording_sid}", every=0.1)

    def matches(self, words):
        """What a search for these words finds in transcripts."""
        import urllib.parse
        found = self.server.get(f"/api/calls?search={urllib.parse.quote(words)}", self.key).json()
        return [match for call in found["calls"] for match in call.get("matches") or []]
