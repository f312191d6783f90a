/* api_playback_internal.h - what api_playback_request.c and api_playback_read.c share: a play. Its states and their meaning stand on top of api_playback_request.c. */
#pragma once

#include "api/media/api_disposition.h"
#include "api/media/api_file_opening.h"
#include "api/media/api_media_response.h"
#include "api/media/api_playback_request.h"
#include "api/request/api_db_call.h"
#include "domain/enqueue.h"

enum play_state { PLAY_READING, PLAY_OPENING, PLAY_WRITING, PLAY_WAITING, PLAY_ANSWERED };

struct play {
  struct db_call db_call;
  enum play_state state; /* (1) */
  enum play_kind kind;
  char id[SID_SIZE];              /* what was asked for */
  char found[SID_SIZE];           /* "": no recording was found yet (4) */
  struct cache_mark mark;         /* of id, from before the look that found what is there */
  int64_t began_us;               /* mono */
  int64_t until_ms;               /* mono: it waits no longer than that; 0: not at all */
  int again;                      /* how often it became ready under our hands */
  bool is_media;                  /* it may be played through, and waits for that */
  bool began_it;                  /* it had the fill begun */
  bool missed, skipped;           /* was logged */
  struct access_snapshot *access; /* held: the business's numbers, for a download's name; else NULL */
  struct events_watch *watch;
  atomic_bool post_pending;  /* a change was posted and did not arrive yet */
  bool changed;              /* a change came since the last look was begun */
  struct play *next, **link; /* in the loop's list, while WAITING */
  /* what was seen last */
  bool call_known;
  enum via via;
  struct recording row;
  int fd;                       /* -1: no file */
  struct tape *tape;            /* what arrives; NULL: nothing that can be heard yet */
  bool must_open;               /* what the row speaks of has to be opened first */
  struct opening *opening;      /* while OPENING */
  char store_id[STORE_ID_SIZE]; /* of the volume that has no such file */
  struct recording_outcome outcome;
  struct buf disposition;
};

static inline struct play *play_of(struct db_call *e) {
  return (struct play *)(void *)e; /* its first member */
}

static inline bool is_by_call(const struct play *p) {
  return !str_eq(str_from(p->id), str_from(p->row.recording_sid));
}

/* api_playback_read.c, on a reader: the row, what arrives in this process, a download's name. ERR_DENIED: the session ended. */
CHECKED enum err play_run_look(struct db *db, struct db_call *e);
