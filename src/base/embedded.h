/* embedded.h - files that were made part of the binary at build time (script/embed.py).
 * Thread rule: constant. */
#pragma once

#include <stddef.h>

struct embedded_file {
  const char *name;           /* relative to the directory that was named; NULL ends a table */
  const unsigned char *bytes; /* followed by a NUL */
  size_t size;
  const unsigned char *gzip; /* the same compressed; NULL: there is no such variant */
  size_t gzip_size;
};
