"""Audio whose every byte is known: a decoder hears silence, but every frame has other bytes."""
import hashlib
import random
import struct

MP3_BYTES_A_SECOND = 4000
FRAME = 288  # MPEG-2.5 layer III, 8 kHz, 32 kbit/s, mono: 72 ms
_HEADER = b"\xff\xe3\x48\xc0"
_SIDE_INFO = bytes(9)  # nothing of the frame is sound


def mp3(seconds, seed=0):
    noise = random.Random(f"mp3 {seed}")
    frames = max(int(seconds * MP3_BYTES_A_SECOND / FRAME), 5)
    filling = FRAME - len(_HEADER) - len(_SIDE_INFO)
    # Ancillary bytes without 0xff, so that no sync word is seen in them.
    return b"".join(
        _HEADER + _SIDE_INFO + noise.randbytes(filling).replace(b"\xff", b"\x55") for _ in range(frames)
    )


def mp3_seconds(data):
    return len(data) / MP3_BYTES_A_SECOND


def wav(seconds, seed=0, channels=1):
    noise = random.Random(f"wav {seed}")
    samples = noise.randbytes(int(seconds * 8000) * 2 * channels)
    form = struct.pack("<HHIIHH", 1, channels, 8000, 16000 * channels, 2 * channels, 16)
    return (
        b"RIFF" + struct.pack("<I", 36 + len(samples)) + b"WAVEfmt " + struct.pack("<I", 16) + form
        + b"data" + struct.pack("<I", len(samples)) + samples
    )


def digest(data):
    return hashlib.sha256(data).hexdigest()
