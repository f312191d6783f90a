/* faults.h - the nth allocation, write, sync, name or query of a test program fails, once.
 *
 *   faults_install();                          first of all in main
 *   faults_arm(FAULT_WRITE, 3);                the third from now on fails
 *   … the journey …
 *   struct fault_count c = faults_disarm();    c.seen calls came; c.hit: the third was among them
 *
 * Counted is what the rooms call by themselves, in every thread but those of the HTTP loops (the test's own origin) and the
 * test's own thread, which is counted only inside FAULTS_HERE. The linker's --wrap sends the rooms' calls here, so sanitizers
 * keep their allocator; SQLite and libcurl are told to allocate here. Thread rule: arm and disarm by one thread. */
#pragma once

#include <stdbool.h>

enum fault {
  FAULT_MEMORY,          /* malloc and its kin, of the rooms */
  FAULT_DATABASE_MEMORY, /* of SQLite */
  FAULT_FETCH_MEMORY,    /* of libcurl */
  FAULT_WRITE,           /* of the rooms: write, pwrite, ftruncate */
  FAULT_DATABASE_WRITE,  /* of SQLite, below its pages */
  FAULT_SYNC,            /* fsync, fdatasync: of all */
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
/* Whether this thread's own calls count; returns what held before. */
bool faults_here(bool counts);
