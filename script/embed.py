#!/usr/bin/env python3
"""Turns files into C byte arrays: embed.py OUT.c SYMBOL FILE…  gives `const struct embedded_file SYMBOL[]`, ended by a
row without a name. Each file's bytes are followed by a NUL that its size does not count."""
import os
import sys


def literal(data):
    rows = (data[i:i + 20] for i in range(0, len(data), 20))
    return ",\n  ".join(",".join(str(b) for b in row) for row in rows)


def main(out, symbol, *paths):
    with open(out, "w", encoding="utf-8") as c:
        c.write('#include "base/embedded.h"\n\n')
        for n, path in enumerate(paths):
            with open(path, "rb") as f:
                data = f.read() + b"\0"
            c.write(f"static const unsigned char {symbol}_{n}[] = {{\n  {literal(data)}}};\n")
        c.write(f"\nconst struct embedded_file {symbol}[] = {{\n")
        for n, path in enumerate(paths):
            c.write(f'  {{"{os.path.basename(path)}", {symbol}_{n}, sizeof({symbol}_{n}) - 1}},\n')
        c.write("  {0, 0, 0}};\n")


main(*sys.argv[1:])
