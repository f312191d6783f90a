/* cmd_transcribe.c - asks for the transcript of one recording, or of all that were made since a time.
 *
 *   count all --print what, how long, what it costs--> --dry-run: done
 *                                                  `--> ask, a part a transaction --print how many--> done
 *
 * The workers do the work. Between two parts it pauses as long as the part took: a server's webhooks write there. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/clock.h"
#include "cmd/app.h"
#include "cmd/cmd_price.h"
#include "cmd/cmd_progress.h"
#include "domain/transcribe_many.h"
#include "ledger/businesses.h"
#include "ledger/businesses_speech.h"
#include "provider/provider.h"

enum { LINE_MAX_BYTES = 1024 };

struct transcribe_command {
  const struct cmd_args *args;
  struct app app;
  struct str id; /* of one recording or call; empty: all since a time */
  struct transcribe_many all;
  struct transcribe_many_part part;
  bool is_dry;
  struct recording row; /* of the one */
  int found;
  int64_t count, ms;      /* that are wanted, and how long they are */
  int64_t unknown_length; /* of these */
  int64_t queued;
  struct progress progress;
};

/* ---- one recording ---- */

static enum err transcribe_find_in_business(void *arg, const struct business *b) {
  struct transcribe_command *c = arg;
  struct recording row;
  bool call_known;
  enum err e = recordings_resolve(c->app.db, b->business_id, c->id, &call_known, &row);
  if (e == ERR_NOT_FOUND) return OK;
  TRY(e);
  c->row = row;
  c->found++;
  return OK;
}

/* CMD_DONE: *c has its row. */
static int transcribe_find(struct transcribe_command *c) {
  const struct business only = {.business_id = c->all.business_id};
  enum err e = c->all.business_id ? transcribe_find_in_business(c, &only)
                                  : businesses_each(c->app.db, NULL, false, transcribe_find_in_business, c);
  if (e != OK) return app_fail(c->args, c->app.db, e);
  if (!c->found) return cmd_fail(c->args, "recording or call %.*s is not known", STR_ARG(c->id));
  if (c->found > 1) return cmd_misuse(c->args, "several businesses have it; name one with --business ID");
  struct business_speech speech;
  e = businesses_speech_get(c->app.db, c->row.business_id, &speech);
  if (e != OK) return app_fail(c->args, c->app.db, e);
  if (speech.transcribe == TRANSCRIBE_NEVER)
    return cmd_fail(c->args, "business %lld has nothing transcribed: callreel business set %lld --transcribe asked",
                    (long long)c->row.business_id, (long long)c->row.business_id);
  if (c->row.status == RECORDING_READY) return CMD_DONE;
  return cmd_fail(c->args, "%s is %s: only a recording that is ready can be transcribed", c->row.recording_sid,
                  recording_status_name(c->row.status));
}

static enum err transcribe_ask_for_one(struct db *db, void *arg) {
  struct transcribe_command *c = arg;
  struct recording row;
  struct transcript made;
  TRY(recordings_get(db, c->row.business_id, str_from(c->row.recording_sid), &row));
  return transcripts_request(db, &row, RECORDING_RANK_PLAY, !c->all.only_missing, db_now_ms(db), &made);
}

/* ---- all since a time ---- */

static void transcribe_count_row(struct transcribe_command *c, const struct recording *row) {
  c->count++;
  if (row->duration_ms >= 0)
    c->ms += row->duration_ms;
  else
    c->unknown_length++;
}

static enum err transcribe_count(struct transcribe_command *c) {
  if (c->id.n) {
    enum err e = transcribe_many_wants(c->app.db, &c->row, c->all.only_missing);
    if (e == OK) transcribe_count_row(c, &c->row);
    return e == ERR_NOT_FOUND ? OK : e;
  }
  transcribe_many_begin(&c->all);
  do {
    TRY(transcribe_many_list_part(c->app.db, &c->all, &c->part));
    for (int i = 0; i < c->part.count; i++) transcribe_count_row(c, &c->part.rows[i]);
  } while (c->part.more);
  return OK;
}

static enum err transcribe_run_part(struct db *db, void *arg) {
  struct transcribe_command *c = arg;
  return transcribe_many_part(db, &c->all, &c->part);
}

static void transcribe_pause(int64_t ms) {
  (void)nanosleep(&(struct timespec){.tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000 * 1000}, NULL);
}

static enum err transcribe_ask(struct transcribe_command *c) {
  if (c->id.n) {
    if (c->count) TRY(app_write(&c->app, transcribe_ask_for_one, c));
    c->queued = c->count;
    return OK;
  }
  transcribe_many_begin(&c->all);
  progress_begin(&c->progress, "Queueing recordings");
  do {
    int64_t began = clock_mono_ms();
    TRY(app_write(&c->app, transcribe_run_part, c));
    int64_t took = clock_mono_ms() - began;
    c->queued += c->part.count;
    progress_show(&c->progress, c->queued, c->count);
    if (c->part.more && c->part.count) transcribe_pause(took < 1000 ? took : 1000);
  } while (c->part.more);
  progress_end(&c->progress);
  return OK;
}

/* ---- what is said ---- */

static enum err transcribe_print_size(struct transcribe_command *c) {
  struct buf b CLEANUP(buf_done) = BUF_INIT(LINE_MAX_BYTES);
  if (c->args->json) return OK;
  TRY(buf_addf(&b, "%lld recordings, %.1f minutes of audio", (long long)c->count, (double)c->ms / 60000.0));
  TRY(price_add_text(&b, &c->app.conf, c->ms));
  if (c->unknown_length) TRY(buf_addf(&b, "; the length of %lld is not known", (long long)c->unknown_length));
  printf("%.*s.\n", STR_ARG(buf_str(&b)));
  return fflush(stdout) == 0 ? OK : ERR_IO;
}

static enum err transcribe_print_end(struct transcribe_command *c) {
  struct buf b CLEANUP(buf_done) = BUF_INIT(LINE_MAX_BYTES);
  if (!c->args->json) {
    if (c->is_dry) return OK;
    printf("%lld recordings are queued.%s\n", (long long)c->queued,
           c->queued ? " callreel status shows how far the engine is." : "");
    return OK;
  }
  TRY(buf_addf(&b, "{\"dry_run\":%s,\"recordings\":%lld,\"minutes\":%.2f,\"price\":", c->is_dry ? "true" : "false",
               (long long)c->count, (double)c->ms / 60000.0));
  TRY(price_add_json(&b, &c->app.conf, c->ms));
  printf("%.*s,\"queued\":%lld}\n", STR_ARG(buf_str(&b)), (long long)c->queued);
  return OK;
}

static int transcribe_main(struct transcribe_command *c) {
  c->app.is_patient = true;
  int code = app_open(&c->app, c->args);
  if (code == CMD_DONE) code = app_require_business(&c->app, c->args, c->all.business_id);
  if (code == CMD_DONE && !c->is_dry && !c->app.conf.speech_engine)
    code = cmd_fail(c->args, "there is no engine: SPEECH_ENGINE is none");
  if (code == CMD_DONE && c->id.n) code = transcribe_find(c);
  if (code != CMD_DONE) return code;
  enum err e = transcribe_count(c);
  if (e == OK) e = transcribe_print_size(c);
  if (e == OK && !c->is_dry) e = transcribe_ask(c);
  if (e == OK) e = transcribe_print_end(c);
  if (e == ERR_IO) return cmd_fail(c->args, "standard output can't be written");
  return e == OK ? CMD_DONE : app_fail(c->args, c->app.db, e);
}

static int transcribe_read_options(struct transcribe_command *c, const struct cmd_args *args) {
  struct cmd_options o;
  cmd_options_init(&o, args);
  c->args = args;
  c->is_dry = cmd_flag(&o, "--dry-run");
  c->all.only_missing = cmd_flag(&o, "--missing");
  const char *business = cmd_option(&o, "--business"), *since = cmd_option(&o, "--since"), *id = cmd_word(&o);
  if (!cmd_options_end(&o)) return CMD_USAGE;
  if (business && !cmd_number("--business", business, 1, INT64_MAX, &c->all.business_id)) return CMD_USAGE;
  if (!id == !since) return cmd_misuse(args, "either an ID or --since TIME is needed");
  if (since && date_parse_time_or_date(str_from(since), &c->all.since) != OK)
    return cmd_misuse(args, "--since must be a time like 2026-11-21T08:00:00Z or a date");
  if (!id) return CMD_DONE;
  c->id = str_from(id);
  if (!provider_twilio.is_call_sid(c->id) && !provider_twilio.is_recording_sid(c->id))
    return cmd_misuse(args, "%s is not the SID of a recording or a call", id);
  return CMD_DONE;
}

int cmd_transcribe(const struct cmd_args *args) {
  struct transcribe_command *c = calloc(1, sizeof(*c));
  if (!c) return cmd_fail(args, "out of memory");
  int code = transcribe_read_options(c, args);
  if (code == CMD_DONE) code = transcribe_main(c);
  app_done(&c->app);
  free(c);
  return code;
}
