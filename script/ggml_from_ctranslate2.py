#!/usr/bin/python3
"""Turns a Whisper model in CTranslate2's format into the ggml format that whisper.cpp loads. Nothing is rounded: weights stay
16-bit floats, and those that whisper.cpp wants as 32-bit floats are widened. Uses the standard library alone.

    script/ggml_from_ctranslate2.py FOLDER OUT    FOLDER holds model.bin and tokenizer.json

CTranslate2's model.bin, version 6, little endian: u32 version, string, u32 revision, u32 number of variables; each variable: string
name, u8 rank, u32 x rank shape, u8 type, u32 bytes, data. A string is u16 length with the final NUL, then the bytes.

ggml: the header of write_header, the mel filters, the tokens, then tensors: i32 rank, i32 length of the name, i32 type, i32 x rank
shape in reverse order, name, data."""
import json
import math
import struct
import sys
from pathlib import Path

FLOAT32, FLOAT16 = 0, 4  # types of CTranslate2
GGML_FLOAT32, GGML_FLOAT16 = 0, 1
GGML_MAGIC = 0x67676D6C
TOKENS = 50257  # the byte-level vocabulary; whisper.cpp makes the special tokens itself
SAMPLE_RATE, FFT, MELS = 16000, 400, 80
VARIABLES_MAX = 100000


class Malformed(Exception):
    """The file is no Whisper model of CTranslate2's; its text says what is wrong."""


class Reader:
    """Reads numbers and strings from the bytes of a model."""

    def __init__(self, data):
        self.data, self.at = memoryview(data), 0

    def bytes(self, count):
        if count > len(self.data) - self.at:
            raise Malformed("model.bin ends too early")
        self.at += count
        return self.data[self.at - count:self.at]

    def number(self, form):
        return struct.unpack("<" + form, self.bytes(struct.calcsize("<" + form)))[0]

    def string(self):
        return bytes(self.bytes(self.number("H"))).rstrip(b"\0").decode()


class Tensor:
    """Weights as they stand in the file: a shape, a type and the bytes, row after row."""

    def __init__(self, shape, kind, data):
        self.shape, self.kind, self.data = shape, kind, data

    def rows(self, first, count):
        size = len(self.data) // self.shape[0]
        return Tensor([count, *self.shape[1:]], self.kind, self.data[first * size:(first + count) * size])

    def shaped(self, *shape):
        return Tensor(list(shape), self.kind, self.data)

    def widened(self):
        """The same numbers as 32-bit floats."""
        if self.kind == FLOAT32:
            return self
        count = len(self.data) // 2
        return Tensor(self.shape, FLOAT32, struct.pack(f"<{count}f", *struct.unpack(f"<{count}e", self.data)))


def read_variables(data):
    """Returns {name: Tensor}; numbers without a shape are settings of the model."""
    reader = Reader(data)
    version, spec, _ = reader.number("I"), reader.string(), reader.number("I")
    if version != 6 or spec != "WhisperSpec":
        raise Malformed(f"not a Whisper model of version 6, but {spec!r} of version {version}")
    count = reader.number("I")
    if count > VARIABLES_MAX:
        raise Malformed(f"{count} variables")
    variables = {}
    for _ in range(count):
        name = reader.string()
        shape = [reader.number("I") for _ in range(reader.number("B"))]
        kind = reader.number("B")
        variables[name] = Tensor(shape, kind, reader.bytes(reader.number("I")))
    return variables


def read_tokens(path):
    """The tokens as bytes, in order. tokenizer.json writes each byte as a printable character (GPT-2's table)."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    byte_of = {chr(byte): byte for byte in printable}
    byte_of.update({chr(256 + n): byte for n, byte in enumerate(byte for byte in range(256) if byte not in printable)})
    vocabulary = json.loads(Path(path).read_text(encoding="utf-8"))["model"]["vocab"]
    names = {number: name for name, number in vocabulary.items() if number < TOKENS}
    if len(names) != TOKENS - (TOKENS - 1 not in names):
        raise Malformed(f"tokenizer.json has {len(names)} of {TOKENS} tokens")
    names.setdefault(TOKENS - 1, "<|endoftext|>")
    return [bytes(byte_of[c] for c in names[number]) for number in range(TOKENS)]


def mel_filters():
    """Slaney's mel filters, each of area 1: MELS rows of FFT / 2 + 1 weights."""
    def to_hz(mel):
        return 200 * mel / 3 if mel < 15 else 1000 * math.exp(math.log(6.4) / 27 * (mel - 15))

    highest = 15 + math.log(SAMPLE_RATE / 2 / 1000) * 27 / math.log(6.4)
    points = [to_hz(highest * n / (MELS + 1)) for n in range(MELS + 2)]
    bins = [SAMPLE_RATE / FFT * n for n in range(FFT // 2 + 1)]
    return [[max(0.0, min((hz - low) / (middle - low), (high - hz) / (high - middle))) * 2 / (high - low) for hz in bins]
            for low, middle, high in zip(points, points[1:], points[2:])]


def attention(variables, of, prefix, fused):
    """Undoes the fusion of an attention's matrices. The key has no bias: its zeros are left out."""
    parts = {"self": (("query", "key", "value"),), "cross": (("query",), ("key", "value"))}[fused]
    for n, names in enumerate(parts):
        weight, bias = variables[f"{of}/linear_{n}/weight"], variables[f"{of}/linear_{n}/bias"]
        size = weight.shape[0] // len(names)
        for place, name in enumerate(names):
            yield f"{prefix}.{name}.weight", weight.rows(place * size, size)
            if name != "key":
                yield f"{prefix}.{name}.bias", bias.rows(place * size, size)
    yield f"{prefix}.out.weight", variables[f"{of}/linear_{len(parts)}/weight"]
    yield f"{prefix}.out.bias", variables[f"{of}/linear_{len(parts)}/bias"]


def norm(variables, of, prefix):
    yield f"{prefix}.weight", variables[f"{of}/gamma"]
    yield f"{prefix}.bias", variables[f"{of}/beta"]


def linear(variables, of, prefix):
    yield f"{prefix}.weight", variables[f"{of}/weight"]
    yield f"{prefix}.bias", variables[f"{of}/bias"]


def count_layers(variables, side):
    return len({name.split("/")[1] for name in variables if name.startswith(f"{side}/layer_") and name.count("/") > 2})


def tensors(variables):
    """Yields the model's tensors under the names that whisper.cpp knows."""
    for side in ("encoder", "decoder"):
        yield f"{side}.positional_embedding", variables[f"{side}/position_encodings/encodings"].widened()
        for n in range(count_layers(variables, side)):
            layer, block = f"{side}/layer_{n}", f"{side}.blocks.{n}"
            yield from norm(variables, f"{layer}/self_attention/layer_norm", f"{block}.attn_ln")
            yield from attention(variables, f"{layer}/self_attention", f"{block}.attn", "self")
            if side == "decoder":
                yield from norm(variables, f"{layer}/attention/layer_norm", f"{block}.cross_attn_ln")
                yield from attention(variables, f"{layer}/attention", f"{block}.cross_attn", "cross")
            yield from norm(variables, f"{layer}/ffn/layer_norm", f"{block}.mlp_ln")
            yield from linear(variables, f"{layer}/ffn/linear_0", f"{block}.mlp.0")
            yield from linear(variables, f"{layer}/ffn/linear_1", f"{block}.mlp.2")
    for n in (1, 2):
        weight, bias = variables[f"encoder/conv{n}/weight"], variables[f"encoder/conv{n}/bias"]
        yield f"encoder.conv{n}.weight", weight
        yield f"encoder.conv{n}.bias", bias.widened().shaped(bias.shape[0], 1)
    yield from norm(variables, "encoder/layer_norm", "encoder.ln_post")
    yield from norm(variables, "decoder/layer_norm", "decoder.ln")
    yield "decoder.token_embedding.weight", variables["decoder/embeddings/weight"]


def write_header(out, variables, tokens):
    def heads(side):
        return struct.unpack("<h", variables[f"{side}/num_heads"].data)[0]

    vocabulary, text_state = variables["decoder/embeddings/weight"].shape
    audio_context, audio_state = variables["encoder/position_encodings/encodings"].shape
    text_context = variables["decoder/position_encodings/encodings"].shape[0]
    if variables["encoder/conv1/weight"].shape[1] != MELS:
        raise Malformed(f"only models of {MELS} mel bands are converted")
    out.write(struct.pack("<12i", GGML_MAGIC, vocabulary, audio_context, audio_state, heads("encoder"), count_layers(variables, "encoder"),
                          text_context, text_state, heads("decoder"), count_layers(variables, "decoder"), MELS, GGML_FLOAT16))
    out.write(struct.pack("<2i", MELS, FFT // 2 + 1))
    for row in mel_filters():
        out.write(struct.pack(f"<{len(row)}f", *row))
    out.write(struct.pack("<i", len(tokens)))
    for token in tokens:
        out.write(struct.pack("<i", len(token)) + token)


def write_tensor(out, name, tensor):
    if tensor.kind not in (FLOAT16, FLOAT32):
        raise Malformed(f"{name} is quantised; only 16-bit and 32-bit floats are converted")
    if len(tensor.shape) == 1:
        tensor = tensor.widened()
    kind = GGML_FLOAT16 if tensor.kind == FLOAT16 else GGML_FLOAT32
    out.write(struct.pack("<3i", len(tensor.shape), len(name), kind))
    out.write(struct.pack(f"<{len(tensor.shape)}i", *reversed(tensor.shape)))
    out.write(name.encode())
    out.write(tensor.data)


def convert(model, tokenizer, out_path):
    """Converts the two files; raises Malformed or OSError, and may leave a piece of out_path then."""
    try:
        variables = read_variables(Path(model).read_bytes())
        with open(out_path, "wb") as out:
            write_header(out, variables, read_tokens(tokenizer))
            for name, tensor in tensors(variables):
                write_tensor(out, name, tensor)
    except (KeyError, ValueError, UnicodeDecodeError, struct.error) as why:
        raise Malformed(f"not a Whisper model that this script knows: {why!r}") from None


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    try:
        convert(Path(sys.argv[1]) / "model.bin", Path(sys.argv[1]) / "tokenizer.json", sys.argv[2])
    except (Malformed, OSError) as why:
        sys.exit(f"script/ggml_from_ctranslate2.py: {why}")


if __name__ == "__main__":
    main()
