/* embedded.h - files that were made part of the binary at build time (script/embed.py). */
#pragma once

#include <stddef.h>

struct embedded_file {
  const char *name;           /* without directories; NULL ends a table */
  const unsigned char *bytes; /* followed by a NUL */
  size_t size;
};
