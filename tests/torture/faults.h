/* faults.h - lets the nth allocation, write, sync, file operation or query of a test program fail, once.
 *
 *   faults_install();                          first of all in main
 *   faults_arm(FAULT_WRITE, 3);                the third from now on fails
 *   … the journey …
 *   struct fault_count c = faults_disarm();    c.seen: calls counted; c.hit: one of them failed
 *
 * Calls of the rooms are counted in every thread except the HTTP loops (the test's own origin) and the test's own thread,
 * which counts only after faults_here(true). The linker's --wrap sends the rooms' calls here, so that sanitizers keep their
 * allocator; SQLite and libcurl are configured to allocate here. Thread rule: arm and disarm by one thread. */
#pragma once

#include <stdbool.h>

enum fault {
  FAULT_MEMORY,          /* malloc, calloc, realloc, strdup, of the rooms */
  FAULT_DATABASE_MEMORY, /* of SQLite */
  FAULT_FETCH_MEMORY,    /* of libcurl */
  FAULT_WRITE,           /* of the rooms: write, pwrite, ftruncate */
  FAULT_DATABASE_WRITE,  /* of SQLite, below its pages */
  FAULT_SYNC,            /* fsync, fdatasync, of rooms and libraries */
  FAULT_NAME,            /* open, openat, linkat, renameat, unlinkat, mkdirat */
  FAULT_READ,            /* read, pread, fstat */
  FAULT_QUERY,           /* sqlite3_prepare, step, exec */
  FAULT_COUNT_
};

struct fault_count {
  int seen;
  bool hit;
};

void faults_install(void);
void faults_arm(enum fault kind, int n);
struct fault_count faults_disarm(void);
/* Sets whether calls of this thread count; returns the setting before. */
bool faults_here(bool counts);
