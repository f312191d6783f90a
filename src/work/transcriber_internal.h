/* transcriber_internal.h - what transcriber*.c share.
 * Thread rule: a job's thread, except what is said to be the manager's or any thread's. */
#pragma once

#include <stdatomic.h>

#include "base/lock.h"
#include "base/pool.h"
#include "domain/transcription.h"
#include "fetch/fetch_get.h"
#include "ledger/businesses_speech.h"
#include "ledger/speech_days.h"
#include "ledger/speech_slots.h"
#include "ledger/transcripts.h"
#include "speech/speech_engine.h"
#include "speech/speech_map.h"
#include "speech/speech_merge.h"
#include "work/transcriber.h"

enum { TRANSCRIBER_LONGEST_MS = 12 * 3600 * 1000, TRANSCRIBER_REFUSED_MAX = 3, TRANSCRIBER_LOST_MAX = 3 };

/* The rows that the claim found, in one transaction. */
struct speech_claim {
  struct task task;
  struct speech_slot slot;
  struct transcript row;
  struct recording recording;
  struct business_speech speech;
  struct transcription_speakers speakers;
};

/* A recording that is being transcribed. Its thread has it, but for the members named below. */
struct speech_job {
  struct transcriber *transcriber;
  struct fetch_getter *getter; /* owned; lives as long as the transcriber */
  struct speech_claim claim;
  atomic_bool is_lost; /* (any thread) it is to end, and its lease is no longer its own */
  bool is_running;     /* under the transcriber's lock */
  int64_t renew_at;    /* mono; of the manager's thread */
  /* of one run */
  struct speech_merge *merge; /* owned */
  struct speech_language language;
  char found[SPEECH_LANGUAGE_SIZE]; /* the recording's language */
  struct buf prompt;                /* owned: the business's vocabulary */
  /* Pieces that the engine refused, and that become gaps once it takes another one. */
  struct speech_refused {
    int channel, index;
    int64_t start_ms, end_ms;
  } refused[TRANSCRIBER_REFUSED_MAX];
  int refused_count;
  bool has_passed;             /* the engine took a piece of the run */
  int64_t engine_ms, sent_ms;  /* what the engine took, for how much sound */
  enum transcript_error error; /* why it stopped; NONE: it has not */
  bool is_engine_down;         /* the error is about the engine, not the recording */
  int64_t retry_after_ms;      /* that the engine asked for; 0: nothing */
};

struct transcriber {
  struct transcriber_parts parts;
  char owner[40];
  struct speech_engine *engine; /* owned */
  char *urls;                   /* owned; what url points into */
  const char *url[SPEECH_SLOTS_MAX];
  char slots[SPEECH_SLOTS_MAX][SPEECH_SLOT_SIZE];
  size_t slot_count;
  struct speech_job *jobs; /* owned */
  size_t job_count;
  struct pool *threads, *manager; /* owned */
  struct tasks_turn turn;         /* of the manager's thread */
  int64_t deferred_since;         /* of the manager's thread */
  atomic_bool is_held, is_stopped;
  atomic_int lost_times; /* answers to requests with a prompt whose words had lost their time */
  struct lock lock;      /* covers woken, running, is_managed and is_running of jobs */
  struct lock_cond changed;
  bool is_woken, is_managed;
  size_t running;
};

/* Runs fn in the writer's transaction and waits. */
enum err transcriber_write(struct transcriber *t, enum db_class class, enum err (*run)(struct db *db, void *arg),
                           void *arg);
/* The same, again and again while the database can't be written. */
enum err transcriber_write_surely(struct speech_job *job, enum err (*run)(struct db *db, void *arg), void *arg);
/* Waits, or less if the job must end. */
void transcriber_pause(struct speech_job *job, int64_t ms);
/* transcriber_job.c: transcribes the claim of *job, on a thread of the pool. */
void transcriber_run_job(struct speech_job *job);
/* transcriber_piece.c: has a piece heard, or finds its answer stored, and adds it to job->merge. Any error but OK ends the pass;
 * job->error then says why, if it is about the engine. */
enum err transcriber_take_piece(void *arg, const struct speech_piece *piece);
/* The last piece was taken: refused pieces become gaps, if the engine took others. */
enum err transcriber_end_pieces(struct speech_job *job);
bool transcriber_must_end(const struct speech_job *job);
