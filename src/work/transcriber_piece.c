/* transcriber_piece.c - one piece of a recording: finds its answer stored, or asks the engine and stores what it says.
 *
 *   stored ----------------------------------------------------------> merged
 *   asked --heard--> mapped to the recording's times --> stored ----> merged      (pieces refused before become gaps)
 *     |---the prompt made the engine lose the time: asked once more, without
 *     |---empty, with clear speech: asked once more; then a gap
 *     |---refused: asked TRANSCRIBER_REFUSED_MAX times; then kept aside until the engine takes another piece
 *     `---unreachable, busy, credentials refused: the pass ends, with job->error
 *
 * A stored answer is "LANGUAGE\n" and the piece's document, or "!REASON\n" for a gap.
 *
 * Invariants
 *  (1) An answer is stored before the next piece is sent. A stored one is not sent again. */
#include <stdlib.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "work/transcriber_internal.h"

enum { CLEAR_SPEECH_MS = 2000, REFUSED_PAUSE_MS = 500, HEADER_MAX = 64 };

/* ---- the database ---- */

struct piece_write {
  struct speech_job *job;
  int channel, index;
  struct buf answer;
  struct speech_use use;
  bool was_stored;
};

static void piece_write_done(struct piece_write *w) {
  buf_done(&w->answer);
}

static enum err piece_read_run(struct db *db, void *arg) {
  struct piece_write *w = arg;
  const struct speech_claim *c = &w->job->claim;
  buf_clear(&w->answer);
  enum err e = transcripts_piece_get(db, c->task.business_id, str_from(c->task.recording_sid), c->row.run, w->channel,
                                     w->index, &w->answer);
  w->was_stored = e == OK;
  return e == ERR_NOT_FOUND ? OK : e;
}

static enum err piece_put_run(struct db *db, void *arg) {
  struct piece_write *w = arg;
  const struct speech_claim *c = &w->job->claim;
  int64_t now = db_now_ms(db);
  TRY(transcripts_piece_put(db, &c->task, c->row.run, w->channel, w->index, buf_str(&w->answer), now));
  if (!w->use.pieces) return OK; /* a gap */
  if (c->task.attempts) TRY(tasks_got_further(db, &c->task));
  return speech_days_add(db, &w->use, now);
}

/* ---- asking ---- */

/* ERR_CLOSED: the job must end. */
static enum err send_request(struct speech_job *job, const struct speech_request *request, struct buf *body,
                             struct speech_reply *ret_reply) {
  struct fetch_get get = {.body = body};
  if (transcriber_must_end(job)) return ERR_CLOSED;
  enum err e = fetch_getter_send(job->getter, &request->fetch, &get);
  if (transcriber_must_end(job)) return ERR_CLOSED;
  TRY(e);
  *ret_reply = (struct speech_reply){.end = get.end,
                                     .status = get.status,
                                     .no_connection = get.no_connection,
                                     .retry_after_ms = get.retry_after_ms,
                                     .body = buf_str(body)};
  return OK;
}

static enum err fetch_token(struct speech_job *job, enum speech_error *ret_error) {
  struct speech_engine *engine = job->transcriber->engine;
  struct buf body CLEANUP(buf_done) = BUF_INIT(SPEECH_ANSWER_MAX);
  struct speech_request request;
  struct speech_reply reply;
  *ret_error = SPEECH_OK;
  if (!speech_engine_needs_token(engine, clock_now_ms())) return OK;
  TRY(speech_engine_token_request(engine, clock_now_ms(), &request));
  enum err e = send_request(job, &request, &body, &reply);
  speech_request_done(&request);
  if (e == OK) *ret_error = speech_engine_token_take(engine, &reply, clock_now_ms());
  return e;
}

/* With OK, *ret_answer is set and *ret_error says what came. */
static enum err piece_ask_once(struct speech_job *job, const struct speech_input *input, enum speech_error *ret_error,
                               struct speech_answer *ret_answer) {
  struct speech_engine *engine = job->transcriber->engine;
  struct buf body CLEANUP(buf_done) = BUF_INIT(SPEECH_ANSWER_MAX);
  struct speech_request request;
  struct speech_reply reply;
  memset(ret_answer, 0, sizeof(*ret_answer));
  TRY(fetch_token(job, ret_error));
  if (*ret_error != SPEECH_OK) return OK;
  TRY(speech_engine_request(engine, input, &request));
  int64_t began = clock_mono_ms();
  enum err e = send_request(job, &request, &body, &reply);
  speech_request_done(&request);
  TRY(e);
  *ret_error = speech_engine_answer(engine, input, &reply, ret_answer);
  if (*ret_error == SPEECH_OK) job->engine_ms += clock_mono_ms() - began;
  return OK;
}

static bool is_refusal(enum speech_error error) {
  return error == SPEECH_BAD_PIECE || error == SPEECH_ERROR;
}

/* Asks until the piece is heard, or was refused too often. *ret_empty: the engine heard nothing twice, though the piece has
 * speech. */
static enum err ask_engine(struct speech_job *job, struct speech_input *input, const struct speech_piece *piece,
                           enum speech_error *ret_error, struct speech_answer *ret_answer, bool *ret_empty) {
  int refusals = 0;
  bool was_empty = false;
  for (;;) {
    TRY(piece_ask_once(job, input, ret_error, ret_answer));
    bool is_lost = *ret_error == SPEECH_OK && ret_answer->has_lost_time && input->prompt.n;
    bool is_empty = *ret_error == SPEECH_OK && !ret_answer->phrase_count && piece->speech_ms >= CLEAR_SPEECH_MS;
    bool refused = is_refusal(*ret_error) && ++refusals < TRANSCRIBER_REFUSED_MAX;
    *ret_empty = is_empty && was_empty;
    if (!is_lost && !(is_empty && !was_empty) && !refused) return OK;
    if (is_lost) {
      input->prompt = STR_NONE;
      atomic_fetch_add(&job->transcriber->lost_times, 1);
    }
    was_empty = was_empty || is_empty;
    speech_answer_done(ret_answer);
    if (refused) transcriber_pause(job, REFUSED_PAUSE_MS * refusals);
  }
}

static void job_note_error(struct speech_job *job, enum speech_error error, int64_t retry_after_ms) {
  static const enum transcript_error errors[SPEECH_ERROR_COUNT_] = {
      [SPEECH_UNREACHABLE] = TRANSCRIPT_ERROR_ENGINE_UNREACHABLE,
      [SPEECH_SLOW] = TRANSCRIPT_ERROR_ENGINE_UNREACHABLE,
      [SPEECH_ERROR] = TRANSCRIPT_ERROR_ENGINE_ERROR,
      [SPEECH_BAD_PIECE] = TRANSCRIPT_ERROR_ENGINE_ERROR,
      [SPEECH_RATE_LIMITED] = TRANSCRIPT_ERROR_RATE_LIMITED,
      [SPEECH_AUTH_FAILED] = TRANSCRIPT_ERROR_AUTH_FAILED,
      [SPEECH_UNSUPPORTED_LANGUAGE] = TRANSCRIPT_ERROR_UNSUPPORTED_LANGUAGE};
  job->error = errors[error];
  job->is_engine_down = error != SPEECH_UNSUPPORTED_LANGUAGE;
  job->retry_after_ms = retry_after_ms;
}

/* ---- after an answer ---- */

static enum err piece_store(struct speech_job *job, struct piece_write *w) {
  return transcriber_write_surely(job, piece_put_run, w);
}

static enum err store_gap(struct speech_job *job, const struct speech_refused *r, const char *reason) {
  struct piece_write w CLEANUP(piece_write_done) = {
      .job = job, .channel = r->channel, .index = r->index, .answer = BUF_INIT(HEADER_MAX)};
  TRY(buf_addf(&w.answer, "!%s\n", reason));
  TRY(piece_store(job, &w)); /* (1) */
  return speech_merge_add_gap(job->merge, r->start_ms, r->end_ms, reason);
}

/* The engine took a piece, so what it refused before is the pieces' own fault. */
static enum err confirm_refused(struct speech_job *job) {
  for (int i = 0; i < job->refused_count; i++)
    TRY(store_gap(job, &job->refused[i], transcript_error_code(TRANSCRIPT_ERROR_ENGINE_ERROR)));
  job->refused_count = 0;
  return OK;
}

enum err transcriber_end_pieces(struct speech_job *job) {
  if (job->has_passed) return confirm_refused(job);
  if (!job->refused_count) return OK;
  job_note_error(job, SPEECH_ERROR, 0);
  return ERR_BUSY;
}

static struct speech_refused place_of(const struct speech_piece *piece) {
  return (struct speech_refused){piece->channel, piece->index, piece->spans[0].start_ms,
                                 piece->spans[piece->span_count - 1].end_ms};
}

/* Several in a row: the engine fails, not the pieces; unless that has been tried before. */
static enum err take_refused(struct speech_job *job, const struct speech_piece *piece, enum speech_error error) {
  bool was_tried = job->claim.task.attempts >= TRANSCRIBER_REFUSED_MAX && job->has_passed;
  struct speech_refused place = place_of(piece);
  if (was_tried) return store_gap(job, &place, transcript_error_code(TRANSCRIPT_ERROR_ENGINE_ERROR));
  job->refused[job->refused_count++] = place;
  if (job->refused_count < TRANSCRIBER_REFUSED_MAX) return OK;
  job_note_error(job, error, 0);
  return ERR_BUSY;
}

static enum err merge_document(struct speech_job *job, const struct speech_document *d) {
  job->has_passed = true;
  TRY(speech_merge_add(job->merge, d));
  return confirm_refused(job);
}

static enum err merge_stored(struct speech_job *job, const struct speech_piece *piece, struct str answer) {
  struct speech_document d CLEANUP(speech_document_done) = SPEECH_DOCUMENT_INIT;
  struct speech_wrong wrong;
  struct str header, json;
  char code[SPEECH_LANGUAGE_SIZE], reason[HEADER_MAX];
  (void)str_cut(answer, '\n', &header, &json);
  if (str_starts(header, STR("!"))) {
    struct speech_refused place = place_of(piece);
    TRY(str_copy(reason, sizeof(reason), str_skip(header, 1)));
    return speech_merge_add_gap(job->merge, place.start_ms, place.end_ms, reason);
  }
  TRY(str_copy(code, sizeof(code), header));
  if (code[0]) speech_language_note(&job->language, piece->channel, piece->speech_ms, code);
  TRY(speech_document_parse(json, &d, &wrong));
  return merge_document(job, &d);
}

static enum err take_answer(struct speech_job *job, const struct speech_piece *piece, struct str prompt,
                            int64_t engine_ms, const struct speech_answer *answer) {
  struct speech_document d CLEANUP(speech_document_done) = SPEECH_DOCUMENT_INIT;
  struct piece_write w CLEANUP(piece_write_done) = {
      .job = job, .channel = piece->channel, .index = piece->index, .answer = BUF_INIT(TRANSCRIPT_ANSWER_MAX)};
  const int64_t piece_ms = (int64_t)piece->count * 1000 / SPEECH_PIECES_RATE;
  const struct speech_place place = {.channel = piece->channel,
                                     .piece_ms = piece_ms,
                                     .spans = piece->spans,
                                     .span_count = piece->span_count,
                                     .prompt = prompt};
  struct speech_mapped mapped;
  TRY(speech_map_answer(answer, &place, &d, &mapped));
  if (answer->language[0]) speech_language_note(&job->language, piece->channel, piece->speech_ms, answer->language);
  w.use = (struct speech_use){.pieces = 1, .sent_ms = piece_ms, .took_ms = engine_ms};
  job->sent_ms += piece_ms;
  TRY(buf_addf(&w.answer, "%s\n", answer->language));
  TRY(speech_document_write(&d, &w.answer));
  TRY(piece_store(job, &w)); /* (1) */
  job->claim.task.attempts = 0;
  return merge_document(job, &d);
}

static const char *language_of(const struct speech_job *job, const struct speech_piece *piece) {
  const char *own = job->claim.speech.language, *all = job->transcriber->parts.conf->speech_language;
  const char *language = own[0] ? own : all ? all : "auto";
  return strcmp(language, "auto") == 0 ? speech_language_next(&job->language, piece->channel, piece->speech_ms)
                                       : language;
}

static enum err have_heard(struct speech_job *job, const struct speech_piece *piece) {
  struct transcriber *t = job->transcriber;
  struct speech_input input = {
      .url = t->url[job->claim.slot.index],
      .language = language_of(job, piece),
      .prompt = atomic_load(&t->lost_times) < TRANSCRIBER_LOST_MAX ? buf_str(&job->prompt) : STR_NONE,
      .samples = piece->samples,
      .count = piece->count,
      .wait_ms = t->parts.conf->speech_wait_s * 1000};
  struct speech_answer answer;
  enum speech_error error;
  bool is_empty;
  int64_t before = job->engine_ms;
  TRY(ask_engine(job, &input, piece, &error, &answer, &is_empty));
  enum err e = ERR_BUSY;
  struct speech_refused place = place_of(piece);
  if (error == SPEECH_OK && is_empty)
    e = store_gap(job, &place, "empty");
  else if (error == SPEECH_OK)
    e = take_answer(job, piece, input.prompt, job->engine_ms - before, &answer);
  else if (is_refusal(error))
    e = take_refused(job, piece, error);
  else
    job_note_error(job, error, answer.retry_after_ms);
  speech_answer_done(&answer);
  return e;
}

enum err transcriber_take_piece(void *arg, const struct speech_piece *piece) {
  struct speech_job *job = arg;
  if (transcriber_must_end(job)) return ERR_CLOSED;
  if (job->claim.row.pieces_done) {
    struct piece_write w CLEANUP(piece_write_done) = {
        .job = job, .channel = piece->channel, .index = piece->index, .answer = BUF_INIT(TRANSCRIPT_ANSWER_MAX)};
    TRY(transcriber_write_surely(job, piece_read_run, &w));
    if (w.was_stored) return merge_stored(job, piece, buf_str(&w.answer));
  }
  return have_heard(job, piece);
}
