#!/usr/bin/env python3
"""Embeds files into the binary: embed.py OUT.c OUT.bin SYMBOL [--gzip] [--depfile FILE] PATH… writes
`const struct embedded_file SYMBOL[]`, whose last row has no name, and OUT.bin with the bytes, which the assembler includes.

A PATH is a file, a directory (all files in it), or FIRST:SECOND (the first that exists). A NUL follows each file's bytes; its
size does not count it. --gzip adds a compressed variant of text files. An output that has not changed is not written again."""
import argparse
import gzip
import hashlib
from pathlib import Path

TEXT = {".css", ".html", ".js", ".json", ".svg", ".txt", ".yaml"}


def found(path):
    """Pairs of name in the table and file."""
    path = next((p for p in map(Path, path.split(":")) if p.exists()), Path(path.split(":")[-1]))
    if path.is_dir():
        return [(p.relative_to(path).as_posix(), p) for p in sorted(path.rglob("*")) if p.is_file()], path
    return [(path.name, path)], path


def compressed(name, data):
    """The gzip variant, if it saves at least 10 %; else no bytes."""
    if Path(name).suffix not in TEXT:
        return b""
    small = gzip.compress(data, 9, mtime=0)
    return small if len(small) < len(data) * 9 // 10 else b""


def write_if_changed(path, data):
    path = Path(path)
    if not path.exists() or path.read_bytes() != data:
        path.write_bytes(data)


def watched(paths, parts):
    """The paths that decide whether this has to run again: files, directories, and paths that may exist later."""
    for path, (_, chosen) in zip(paths, parts):
        yield from path.split(":")
        if chosen.is_dir():
            yield from (str(p) for p in sorted(chosen.rglob("*")))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("c"), parser.add_argument("bin"), parser.add_argument("symbol")
    parser.add_argument("--gzip", action="store_true"), parser.add_argument("--depfile")
    parser.add_argument("paths", nargs="+")
    args = parser.parse_args()
    parts = [found(path) for path in args.paths]
    blob, rows = bytearray(), []
    for name, path in (file for files, _ in parts for file in files):
        data = path.read_bytes()
        small = compressed(name, data) if args.gzip else b""
        at = len(blob)
        blob += data + b"\0" + small
        where = f"{args.symbol}_bytes + {at + len(data) + 1}" if small else "0"
        rows.append(f'  {{"{name}", {args.symbol}_bytes + {at}, {len(data)}, {where}, {len(small)}}},\n')
    write_if_changed(args.bin, bytes(blob))
    write_if_changed(args.c, f"""#include "base/embedded.h"

/* of bytes whose SHA-256 is {hashlib.sha256(blob).hexdigest()} */
__asm__(".pushsection .rodata\\n"
        "{args.symbol}_bytes:\\n"
        ".global {args.symbol}_bytes\\n"
        ".incbin \\"{Path(args.bin).resolve()}\\"\\n"
        ".byte 0\\n"
        ".popsection\\n");
extern const unsigned char {args.symbol}_bytes[];

const struct embedded_file {args.symbol}[] = {{
{"".join(rows)}  {{0, 0, 0, 0, 0}}}};
""".encode())
    if args.depfile:
        inputs = " ".join(path.replace(" ", "\\ ") for path in watched(args.paths, parts))
        Path(args.depfile).write_text(f"{args.c}: {inputs}\n")


main()
