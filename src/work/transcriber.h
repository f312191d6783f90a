/* transcriber.h - has recordings transcribed: claims their tasks, cuts each recording into pieces, and asks the engine.
 *
 *   transcriber_new(&parts, &t);   transcriber_wake(t) whenever a transcript may have been queued
 *   when the worker drains: transcriber_stop(t), then transcriber_wait(t, ms);   transcriber_free(t)
 *
 * It has threads of its own, which may wait for the volume, the database and the engine. Thread rule: new, wait and free: the
 * owner; the rest: any thread. All accept NULL: there is no engine. */
#pragma once

#include "base/conf.h"
#include "blob/blob.h"
#include "db/db_writer.h"

struct transcriber;

struct transcriber_parts {
  const struct conf *conf;
  struct db_writer *writer;
  struct blob_store *store;
  const char *owner; /* of leases; at most 39 bytes */
  int64_t tick_ms;   /* how often it looks for tasks without being woken; 0: once a second */
};

/* *ret_transcriber is NULL without an engine (SPEECH_ENGINE). ERR_INVALID: a setting can't be used; a line was logged. */
CHECKED enum err transcriber_new(const struct transcriber_parts *parts, struct transcriber **ret_transcriber);
void transcriber_wake(struct transcriber *t);
/* While held it claims nothing, because this is not the right volume. */
void transcriber_hold(struct transcriber *t, bool is_held);
/* A recording expired: its transcription ends at once, if it runs here. */
void transcriber_expired(struct transcriber *t, int64_t business_id, struct str recording_sid);
/* Begins nothing more, ends the requests that run, and gives the tasks back. */
void transcriber_stop(struct transcriber *t);
/* After transcriber_stop. False: the volume or the database did not answer in time, and its threads still use the parts. */
bool transcriber_wait(struct transcriber *t, int64_t timeout_ms);
/* After transcriber_wait was true, or of one that was never stopped. Always NULL. */
struct transcriber *transcriber_free(struct transcriber *t);
