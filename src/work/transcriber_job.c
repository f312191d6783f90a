/* transcriber_job.c - transcribes a recording: reads its file twice, first to count its pieces, then to send them to the engine.
 *
 *   count the pieces --none: no_speech--> failed
 *     `--> each piece (transcriber_piece.c) --> merged --> stored as the next version: ready
 *            `--an error of the engine--> given back until later; after too long or too often: failed
 *
 * Invariants
 *  (1) A job ends in one transaction with its task and its place at the engine.
 *  (2) Memory: the texts of the recording, one piece of sound, READ_SIZE bytes of the file. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/metric.h"
#include "db/db_clock.h"
#include "domain/recording_log.h"
#include "speech/speech_content.h"
#include "work/transcriber_internal.h"

enum {
  READ_SIZE = 128 * 1024,
  FORGET_PART = 100,
  WAIT_FIRST_MS = 2000, /* doubles with each failure in a row */
  WAIT_MOST_MS = 60 * 1000,
  WAIT_ACCOUNT_MS = 600 * 1000, /* with refused credentials */
  ENGINE_ERRORS_MAX = 5,        /* attempts; then it has failed */
  REFUSALS_MAX = 8,             /* of the credentials */
  STORAGE_ERRORS_MAX = 5,
  STORAGE_WAIT_MS = 30 * 1000,
};
#define GIVE_UP_MS (INT64_C(24) * 3600 * 1000) /* without any answer of the engine */

/* ---- through the file ---- */

static enum err count_piece(void *arg, const struct speech_piece *piece) {
  (void)piece;
  return transcriber_must_end(arg) ? ERR_CLOSED : OK;
}

static enum err feed_file(struct speech_job *job, int fd, struct speech_pieces *pieces) {
  char *bytes CLEANUP(free_char) = malloc(READ_SIZE);
  if (!bytes) return ERR_NOMEM;
  for (;;) {
    ssize_t n = read(fd, bytes, READ_SIZE);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return ERR_IO;
    if (transcriber_must_end(job)) return ERR_CLOSED;
    if (n == 0) return OK;
    TRY(speech_pieces_feed(pieces, str_of(bytes, (size_t)n)));
  }
}

static enum err go_through(struct speech_job *job, enum err (*on_piece)(void *arg, const struct speech_piece *piece),
                           struct speech_summary *ret_summary) {
  const struct speech_pieces_config config = {.arg = job, .on_piece = on_piece};
  struct speech_pieces *pieces;
  int fd;
  int64_t size;
  TRY(blob_open(job->transcriber->parts.store, job->claim.recording.name, &fd, &size));
  enum err e = speech_pieces_new(&config, &pieces);
  if (e == OK) {
    e = feed_file(job, fd, pieces);
    if (e == OK) e = speech_pieces_finish(pieces, ret_summary);
    speech_pieces_free(pieces);
  }
  (void)close(fd);
  return e;
}

/* ---- the end of a job ---- */

struct ending {
  struct speech_job *job;
  enum { ENDING_READY, ENDING_FAILED, ENDING_LATER } kind;
  int64_t wait_ms; /* until the task is claimed again, and the engine if it is down is asked again; 0: at once */
  struct transcript_result result;
  struct transcript_content content;
  int64_t pieces_all;
  int64_t forget_before; /* answers of runs before this one are deleted */
  bool more;
};

static enum err give_slot(struct db *db, const struct ending *x, int64_t now) {
  const struct speech_job *job = x->job;
  if (job->is_engine_down) return speech_slots_give(db, &job->claim.slot, true, now + x->wait_ms);
  return job->sent_ms ? speech_slots_give(db, &job->claim.slot, false, 0) : speech_slots_return(db, &job->claim.slot);
}

/* (1) */
static enum err ending_run(struct db *db, void *arg) {
  struct ending *x = arg;
  const struct speech_job *job = x->job;
  const struct task *task = &job->claim.task;
  int64_t now = db_now_ms(db), version;
  TRY(give_slot(db, x, now));
  if (x->kind == ENDING_FAILED) return transcripts_fail(db, task, job->error, now);
  int64_t due_at = x->wait_ms ? now + x->wait_ms : 0;
  if (x->kind == ENDING_LATER) return transcripts_wait(db, task, job->error, due_at, now);
  const struct speech_use use = {.transcripts = 1,
                                 .recorded_ms = x->result.duration_ms > 0 ? x->result.duration_ms : 0};
  TRY(transcripts_finish(db, task, &x->result, &x->content, now, &version));
  return speech_days_add(db, &use, now);
}

static enum err return_slot_run(struct db *db, void *arg) {
  return speech_slots_return(db, &((struct speech_job *)arg)->claim.slot);
}

static enum err set_pieces_run(struct db *db, void *arg) {
  struct ending *x = arg;
  return transcripts_set_pieces(db, &x->job->claim.task, x->pieces_all, db_now_ms(db));
}

static enum err forget_run(struct db *db, void *arg) {
  struct ending *x = arg;
  const struct speech_claim *c = &x->job->claim;
  return transcripts_forget_pieces(db, c->task.business_id, str_from(c->task.recording_sid), x->forget_before,
                                   FORGET_PART, &x->more);
}

/* Deletes answers of earlier runs. Those that a crash leaves are deleted by the next run, or with the recording. */
static void forget_pieces(struct ending *x, int64_t before) {
  x->forget_before = before;
  x->more = true;
  while (x->more)
    if (transcriber_write(x->job->transcriber, DB_CLASS_UPKEEP, forget_run, x) != OK) return;
}

/* ---- making the document ---- */

static enum err make_document(struct speech_job *job, const struct speech_summary *summary, struct ending *x) {
  struct speech_document d CLEANUP(speech_document_done) = SPEECH_DOCUMENT_INIT;
  const char *own = job->claim.speech.language, *found = speech_language_of_recording(&job->language);
  bool is_told = own[0] && strcmp(own, "auto") != 0;
  TRY(speech_merge_finish(job->merge, summary, &d));
  TRY(str_copy(d.language, sizeof(d.language), str_from(found[0] || !is_told ? found : own)));
  TRY(speech_content_make(job->claim.task.business_id, &d, &x->content));
  TRY(str_copy(job->found, sizeof(job->found), str_from(d.language)));
  x->result = (struct transcript_result){.engine = speech_engine_name(job->transcriber->engine),
                                         .model = speech_engine_model(job->transcriber->engine),
                                         .language = job->found,
                                         .duration_ms = summary->duration_ms};
  return OK;
}

static enum err job_transcribe(struct speech_job *job, struct ending *x) {
  struct speech_summary summary;
  const struct speech_merge_config config = {
      .speakers = {job->claim.speakers.channels[0], job->claim.speakers.channels[1]}, .language = ""};
  if (job->claim.recording.duration_ms > TRANSCRIBER_LONGEST_MS) return ERR_TOO_BIG;
  TRY(go_through(job, count_piece, &summary));
  if (!summary.has_speech) {
    job->error = TRANSCRIPT_ERROR_NO_SPEECH;
    return ERR_INVALID;
  }
  x->pieces_all = summary.pieces;
  TRY(transcriber_write_surely(job, set_pieces_run, x));
  forget_pieces(x, job->claim.row.run);
  TRY(speech_map_prompt(str_from(job->claim.speech.vocabulary), &job->prompt));
  TRY(speech_merge_new(&config, &job->merge));
  TRY(go_through(job, transcriber_take_piece, &summary));
  TRY(transcriber_end_pieces(job));
  return make_document(job, &summary, x);
}

/* ---- what follows from an error ---- */

static int64_t transcript_backoff_ms(int64_t failures, int64_t most) {
  int64_t ms = WAIT_FIRST_MS;
  for (int64_t i = 0; i < failures && ms < most; i++) ms *= 2;
  return ms < most ? ms : most;
}

/* Whether it has failed for good. */
static bool is_final(const struct speech_job *job, int64_t now) {
  const struct speech_claim *c = &job->claim;
  bool long_ago = c->row.failing_since && now - c->row.failing_since > GIVE_UP_MS;
  switch (job->error) {
    case TRANSCRIPT_ERROR_ENGINE_UNREACHABLE:
    case TRANSCRIPT_ERROR_RATE_LIMITED:
      return long_ago;
    case TRANSCRIPT_ERROR_ENGINE_ERROR:
      return c->task.attempts + 1 >= ENGINE_ERRORS_MAX;
    case TRANSCRIPT_ERROR_AUTH_FAILED:
      return c->task.attempts + 1 >= REFUSALS_MAX;
    case TRANSCRIPT_ERROR_STORAGE_ERROR:
      return c->task.attempts + 1 >= STORAGE_ERRORS_MAX;
    default:
      return true;
  }
}

static void job_judge_error(struct speech_job *job, enum err e, struct ending *x) {
  const struct speech_claim *c = &job->claim;
  x->kind = ENDING_READY;
  if (e == OK) return;
  x->kind = ENDING_LATER;
  if (e == ERR_CLOSED) return; /* the process ends: another one continues at once */
  if (e == ERR_TOO_BIG) job->error = TRANSCRIPT_ERROR_TOO_LONG;
  if (e == ERR_UNSUPPORTED || e == ERR_CORRUPT) job->error = TRANSCRIPT_ERROR_UNSUPPORTED_AUDIO;
  if (job->error == TRANSCRIPT_ERROR_NONE) job->error = TRANSCRIPT_ERROR_STORAGE_ERROR;
  if (is_final(job, db_clock_now_ms())) x->kind = ENDING_FAILED;
  bool is_account = job->error == TRANSCRIPT_ERROR_AUTH_FAILED;
  x->wait_ms = job->error == TRANSCRIPT_ERROR_STORAGE_ERROR
                   ? STORAGE_WAIT_MS
                   : transcript_backoff_ms(c->slot.failures, is_account ? WAIT_ACCOUNT_MS : WAIT_MOST_MS);
  if (job->retry_after_ms > 0)
    x->wait_ms = job->retry_after_ms < SPEECH_PAUSE_MAX_MS ? job->retry_after_ms : SPEECH_PAUSE_MAX_MS;
}

static void count_and_log(const struct speech_job *job, const struct ending *x) {
  const struct recording *r = &job->claim.recording;
  const char *code = transcript_error_code(job->error);
  int64_t recorded = x->result.duration_ms > 0 ? x->result.duration_ms : 0;
  switch (x->kind) {
    case ENDING_READY:
      metric_add(METRIC_TRANSCRIPTS, METRIC_TRANSCRIPT_READY, 1);
      metric_add(METRIC_TRANSCRIPT_SECONDS, 0, recorded / 1000);
      if (recorded && job->engine_ms)
        metric_set(METRIC_TRANSCRIPT_REALTIME_FACTOR, 0, (double)job->engine_ms / (double)recorded);
      log_info("Transcript ready", LOG_RECORDING(r), LOG_INT("seconds", recorded / 1000),
               LOG_INT("pieces", x->pieces_all), LOG_INT("engine_ms", job->engine_ms));
      return;
    case ENDING_FAILED:
      metric_add(METRIC_TRANSCRIPTS,
                 job->error == TRANSCRIPT_ERROR_NO_SPEECH ? METRIC_TRANSCRIPT_NO_SPEECH : METRIC_TRANSCRIPT_FAILED, 1);
      if (job->error == TRANSCRIPT_ERROR_NO_SPEECH)
        log_info("Transcript without speech", LOG_RECORDING(r));
      else
        log_warn("Transcript failed", LOG_RECORDING(r), LOG_TEXT("code", code),
                 LOG_TEXT("why", transcript_error_message(job->error)));
      return;
    case ENDING_LATER:
      if (job->error == TRANSCRIPT_ERROR_NONE) return;
      metric_add(METRIC_TRANSCRIPTS, METRIC_TRANSCRIPT_LATER, 1);
      log_warn("Transcript waits", LOG_RECORDING(r), LOG_TEXT("code", code), LOG_INT("ms", x->wait_ms));
  }
}

static void work_and_end(struct speech_job *job) {
  struct ending x = {.job = job, .content = TRANSCRIPT_CONTENT};
  enum err e = job_transcribe(job, &x);
  job_judge_error(job, e, &x);
  e = atomic_load(&job->is_lost) ? ERR_CONFLICT : transcriber_write_surely(job, ending_run, &x);
  if (e == OK)
    count_and_log(job, &x);
  else if (e == ERR_CONFLICT)
    IGNORE(transcriber_write(job->transcriber, DB_CLASS_LEASE, return_slot_run, job)); /* else its lease ends */
  else
    log_error("Could not store a transcript", LOG_RECORDING(&job->claim.recording), LOG_ERR(e));
  if (e == OK && x.kind == ENDING_READY) forget_pieces(&x, job->claim.row.run + 1);
  transcript_content_done(&x.content);
}

void transcriber_run_job(struct speech_job *job) {
  buf_init(&job->prompt, SPEECH_PROMPT_MAX);
  memset(&job->language, 0, sizeof(job->language));
  job->refused_count = 0;
  job->has_passed = job->is_engine_down = false;
  job->engine_ms = job->sent_ms = job->retry_after_ms = 0;
  job->error = TRANSCRIPT_ERROR_NONE;
  work_and_end(job);
  job->merge = speech_merge_free(job->merge);
  buf_done(&job->prompt);
}
