/* transcripts.h - the tables of transcripts: the state of each, its versions, and the answers of an engine until it is complete.
 *
 *   asking:   TRY(transcripts_request(db, &recording, RECORDING_RANK_PLAY, force, now, &row));
 *   working:  tasks_claim(TASK_TRANSCRIBE) -> transcripts_begin -> transcripts_piece_put, one by one
 *             -> transcripts_finish, transcripts_fail or transcripts_wait
 *   reading:  TRY(transcripts_find(db, business, sid, &row));   TRY(transcripts_read(db, business, sid, 0, &version, &document));
 *
 * A row exists once a recording was to be transcribed. Its task (tasks.h) exists while it is queued or running. A worker names
 * the task in each write, which changes nothing unless the worker still has that lease. A new request begins a new run; earlier
 * versions stay readable meanwhile. Each write adds to `changes`. A recording that expires loses its transcript in the same
 * transaction (a trigger); transcripts_remove deletes what is left of it, in parts.
 * Times are UNIX milliseconds. Thread rule: the connection's; writes run in db_writer's transaction. */
#pragma once

#include "ledger/tasks.h"
#include "ledger/transcript_search.h"

enum {
  TRANSCRIPT_ENGINE_SIZE = 16,
  TRANSCRIPT_MODEL_SIZE = 128,
  TRANSCRIPT_LANGUAGE_SIZE = 16,
  TRANSCRIPT_BY_SIZE = 256,
  TRANSCRIPT_ANSWER_MAX = 1024 * 1024, /* of a piece, bytes */
  TRANSCRIPT_VERSIONS_MAX = 100,       /* the newest; older ones are deleted */
};

enum transcript_status {
#define X(name, text) TRANSCRIPT_##name,
#include "ledger/transcript_status.def"
#undef X
  TRANSCRIPT_STATUS_COUNT_
};
const char *transcript_status_name(enum transcript_status status);

enum transcript_error {
#define X(name, text, sentence) TRANSCRIPT_ERROR_##name,
#include "ledger/transcript_error.def"
#undef X
  TRANSCRIPT_ERROR_COUNT_
};
const char *transcript_error_code(enum transcript_error error); /* "no_speech"; "" for NONE */
const char *transcript_error_message(enum transcript_error error);
/* ERR_INVALID for no such code. */
CHECKED enum err transcript_error_of(struct str code, enum transcript_error *ret_error);

enum transcript_event {
  TRANSCRIPT_ASK,    /* it is to be made, or made again */
  TRANSCRIPT_CLAIM,  /* a worker has its task */
  TRANSCRIPT_WAIT,   /* the worker gave the task back */
  TRANSCRIPT_FINISH, /* it is complete */
  TRANSCRIPT_FAIL
};
/* The only moves there are. False: the event changes nothing in that state. */
bool transcript_next(enum transcript_status status, enum transcript_event event, enum transcript_status *ret_next);

struct transcript {
  enum transcript_status status;
  enum transcript_error error; /* failed: why; queued: what it waits for */
  int64_t run;
  char etag[RECORDING_ETAG_SIZE];  /* of the recording that this run hears */
  int64_t pieces_done, pieces_all; /* of the run; pieces_all 0: not known yet */
  int64_t failing_since;           /* the engine did not answer since; 0: it did */
  char engine[TRANSCRIPT_ENGINE_SIZE], model[TRANSCRIPT_MODEL_SIZE], language[TRANSCRIPT_LANGUAGE_SIZE];
  int64_t duration_ms;                /* of the recording; -1 unknown */
  int64_t version;                    /* the newest; 0: there is none yet */
  char edited_by[TRANSCRIPT_BY_SIZE]; /* who made the newest version; "": an engine */
  int64_t edited_at;                  /* 0: an engine made it */
  int64_t created_at, updated_at;
};

/* A stored version. */
struct transcript_version {
  int64_t version;
  char engine[TRANSCRIPT_ENGINE_SIZE], model[TRANSCRIPT_MODEL_SIZE];
  char edited_by[TRANSCRIPT_BY_SIZE]; /* "": an engine */
  int64_t made_at;
};

/* ERR_NOT_FOUND: nobody asked for one, or the recording expired. */
CHECKED enum err transcripts_find(struct db *db, int64_t business_id, struct str recording_sid,
                                  struct transcript *ret_row);
/* Appends a version's document to b, whose ceiling may be TRANSCRIPT_DOCUMENT_MAX. version 0: the newest. ERR_NOT_FOUND. */
CHECKED enum err transcripts_read(struct db *db, int64_t business_id, struct str recording_sid, int64_t version,
                                  struct transcript_version *ret_version, struct buf *b);

/* Has a recording transcribed, whose row was read in this transaction. One that is queued or running keeps its run and gets the
 * rank, if that is higher. One that is ready for the same bytes stays as it is unless forced. ERR_CONFLICT: the recording is not
 * ready. */
CHECKED enum err transcripts_request(struct db *db, const struct recording *recording, int rank, bool force,
                                     int64_t now, struct transcript *ret_row);
/* Stores a person's correction as the next version. ERR_CONFLICT: the newest version is another one than expected. ERR_NOT_FOUND:
 * there is none. */
CHECKED enum err transcripts_edit(struct db *db, int64_t business_id, struct str recording_sid,
                                  int64_t expected_version, const struct transcript_content *content, struct str by,
                                  int64_t now, int64_t *ret_version);

/* ---- for the worker that has the task; ERR_CONFLICT: its lease is lost ---- */

/* Begins or continues the run: *ret_row has it. */
CHECKED enum err transcripts_begin(struct db *db, const struct task *task, int64_t now, struct transcript *ret_row);
/* The number of the run's pieces is known. */
CHECKED enum err transcripts_set_pieces(struct db *db, const struct task *task, int64_t pieces_all, int64_t now);
/* Stores the answer of a piece, renews the lease and ends failing_since. A piece that has one keeps it. */
CHECKED enum err transcripts_piece_put(struct db *db, const struct task *task, int64_t run, int channel, int piece,
                                       struct str answer, int64_t now);
/* Appends the stored answer of a piece. ERR_NOT_FOUND. */
CHECKED enum err transcripts_piece_get(struct db *db, int64_t business_id, struct str recording_sid, int64_t run,
                                       int channel, int piece, struct buf *b);
/* Calls fn with the run's stored answers by channel and piece, which it may read during the call. */
typedef enum err transcripts_piece_fn(void *arg, int channel, int piece, struct str answer);
CHECKED enum err transcripts_pieces_each(struct db *db, int64_t business_id, struct str recording_sid, int64_t run,
                                         transcripts_piece_fn *fn, void *arg);
struct transcript_result {
  const char *engine, *model, *language; /* "": unknown */
  int64_t duration_ms;                   /* -1: unknown */
};
/* Stores the next version and ends the task. */
CHECKED enum err transcripts_finish(struct db *db, const struct task *task, const struct transcript_result *result,
                                    const struct transcript_content *content, int64_t now, int64_t *ret_version);
/* Ends the task. */
CHECKED enum err transcripts_fail(struct db *db, const struct task *task, enum transcript_error error, int64_t now);
/* Gives the task back until due_at (0: no time). error: what it waits for, of which the first begins failing_since; NONE:
 * nothing failed. */
CHECKED enum err transcripts_wait(struct db *db, const struct task *task, enum transcript_error error, int64_t due_at,
                                  int64_t now);

/* ---- a person's number is taken out ---- */

/* A version, or the answer of a piece: where a walk is. */
struct transcript_place {
  char recording_sid[SID_SIZE];
  int64_t at; /* the version, or run, channel and piece in one number; 0: before the first of the recording */
  char edited_by[TRANSCRIPT_BY_SIZE]; /* set by transcripts_next_version: who corrected it; "": nobody */
};
/* The next version of the business behind *place, which it moves. Appends its document to b, whose ceiling may be
 * TRANSCRIPT_DOCUMENT_MAX. ERR_NOT_FOUND: there is none. */
CHECKED enum err transcripts_next_version(struct db *db, int64_t business_id, struct transcript_place *place,
                                          struct buf *b);
/* The same of answers that engines gave for pieces. b: TRANSCRIPT_ANSWER_MAX. */
CHECKED enum err transcripts_next_answer(struct db *db, int64_t business_id, struct transcript_place *place,
                                         struct buf *b);
/* Replaces the newest version by the next one, which has this content and the same maker and time. ERR_NOT_FOUND. */
CHECKED enum err transcripts_replace(struct db *db, int64_t business_id, struct str recording_sid,
                                     const struct transcript_content *content, int64_t now);
/* Stores place->edited_by as the name of who corrected that version. */
CHECKED enum err transcripts_set_editor(struct db *db, int64_t business_id, const struct transcript_place *place,
                                        int64_t now);
/* Deletes a version that is not the newest. */
CHECKED enum err transcripts_delete_version(struct db *db, int64_t business_id, const struct transcript_place *place);
/* Deletes an answer: its piece is sent again if the run continues. */
CHECKED enum err transcripts_delete_answer(struct db *db, int64_t business_id, const struct transcript_place *place);

/* ---- removing ---- */

/* Deletes at most limit answers of runs before `run`; INT64_MAX: of all. *ret_more: there may be more. */
CHECKED enum err transcripts_forget_pieces(struct db *db, int64_t business_id, struct str recording_sid, int64_t run,
                                           int limit, bool *ret_more);
/* Deletes at most limit rows of what an expired recording's transcript left, its row last. *ret_more: there may be more. */
CHECKED enum err transcripts_remove(struct db *db, int64_t business_id, struct str recording_sid, int limit,
                                    bool *ret_more);
/* Deletes at most limit rows of a business: a purge. *ret_count: how many. */
CHECKED enum err transcripts_purge(struct db *db, int64_t business_id, int limit, int *ret_count);
