/* store.h - the calls and recordings of the account, in memory.
 *
 * Entries are freed only with the store: a deleted recording stays, marked as deleted, as it does at the provider.
 * Thread rule: the main loop only, except where `struct recording` says otherwise. */
#pragma once

#include "base/str.h"
#include "fault.h"

#include <uthash.h>

enum { SID_ROOM = 35, STORE_ITEMS_MAX = 1000 * 1000 };

struct call {
  char sid[SID_ROOM];
  char parent_sid[SID_ROOM];     /* empty: a top leg */
  char *from, *to, *caller_name; /* owned; caller_name may be NULL */
  const char *direction;         /* static, as the provider writes it */
  const char *status;            /* static */
  int64_t started_ms;
  int64_t seconds;
  unsigned sequence; /* of the next webhook */
  UT_hash_handle hh;
};

struct recording {
  char sid[SID_ROOM];
  char call_sid[SID_ROOM];       /* empty: the recording is of a conference */
  char conference_sid[SID_ROOM]; /* empty: the recording is of a call */
  const char *status;            /* static */
  char *source;                  /* owned */
  int error_code;                /* 0: none */
  unsigned channels;
  int64_t seconds;
  int64_t started_ms;
  struct faults faults;
  int64_t requests, downloads, complete, bytes;
  int64_t deletions;  /* requests for its deletion */
  int64_t deleted_ms; /* 0: it is not deleted */
  UT_hash_handle hh;
};

struct store {
  struct call *calls_by_sid;
  struct recording *recordings_by_sid;
  struct call **calls; /* oldest first */
  size_t call_count, call_room;
  struct recording **recordings; /* oldest first */
  size_t recording_count, recording_room;
};

void store_done(struct store *s);
/* Makes a random SID of that kind ("CA", "RE" …). */
CHECKED enum err sid_make(const char *kind, char ret_sid[SID_ROOM]);
/* Takes c (heap) on success. ERR_TOO_BIG past STORE_ITEMS_MAX, ERR_NOMEM. */
CHECKED enum err store_add_call(struct store *s, struct call *c);
CHECKED enum err store_add_recording(struct store *s, struct recording *r);
struct call *store_find_call(struct store *s, struct str sid);
struct recording *store_find_recording(struct store *s, struct str sid);
/* For entries that were not added. NULL is fine. Always returns NULL. */
struct call *call_free(struct call *c);
struct recording *recording_free(struct recording *r);
/* The static text of a status, or NULL. */
const char *call_status_find(struct str text);
const char *recording_status_find(struct str text);
