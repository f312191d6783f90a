/* fill.c - one recording on its way from the provider to the store: the states of a fill.
 *
 *   CHECKING_STORE ------> ASKING ------> STREAMING ------> SYNCING --> ASSERTING --> PUBLISHING --> REPORTING --> freed
 *       ^                   ^  |             |                                                          ^
 *       |                   |  v             v                                                          |
 *       +--- start over ----+ PAUSED <-------+                 any state: failed, returned, lease lost -+
 *
 *   from            on                                            to              in
 *   -               the worker leased the recording               CHECKING_STORE  fill_start
 *   CHECKING_STORE  a finished file is there                      REPORTING       check_store_done (fill_disk.c)
 *   CHECKING_STORE  none is there, a part was begun               ASKING          check_store_done
 *   CHECKING_STORE  none is there, and the lease is for a check   REPORTING       check_store_done
 *   any, to ASKING  newer credentials are still missing           PAUSED          fill_waits_for_credentials: asks later
 *   ASKING          200, or 206 that continues the part           STREAMING       fill_take_answer (fill_stream.c)
 *   ASKING          404, other format: next format                ASKING          fill_ask_next_format
 *   STREAMING       not audio: next format                        ASKING          fill_ask_next_format; by CHECKING_STORE if
 *                                                                                 bytes were written, which are removed first
 *   ASKING          the same of the last format; 401, 403, …      REPORTING       fill_answer_refused, fill_transfer_ended
 *   STREAMING       the transfer broke                            PAUSED          fill_pause: for 0, 1, 2 s
 *   ASKING          it broke, and an earlier one had bytes        PAUSED          fill_pause
 *   ASKING          a failure that passes, before any byte        PAUSED          fill_ask_again: for 0.5, 1, 2 s
 *   ASKING          the fourth of these                           REPORTING       fill_transfer_ended
 *   STREAMING       the fourth break                              REPORTING       fill_pause
 *   STREAMING       a resumed request brought other bytes         CHECKING_STORE  fill_start_over: the part is emptied, or a
 *                                                                                 new token and part if it was served
 *   STREAMING       all bytes are written and are whole           SYNCING         fill_verify
 *   PAUSED          resume_at_ms has come                         ASKING          fill_tick
 *   SYNCING         the part is synced                            ASSERTING       sync_done (fill_disk.c)
 *   ASSERTING       the ledger renewed the lease                  PUBLISHING      renewal_done (fill_report.c)
 *   PUBLISHING      the file has its name                         REPORTING       publish_done (fill_disk.c)
 *   ASKING, STREAMING, PAUSED   fill_return                       REPORTING       fill_return, fill_transfer_ended
 *   any             the lease is lost or ran out                  REPORTING       fill_lease_lost
 *   REPORTING       nothing is under way any more                 freed           fill_release_if_idle
 *
 * Invariants
 *  (1) Nothing is published unless the ledger confirmed the lease after the bytes were synced, and this process's own clock
 *      says that the confirmed lease still runs.
 *  (2) Bytes enter the part only from an answer that the provider's dialect called audio. They are verified before they get
 *      a name.
 *  (3) A fill that lost its lease sends no further report. It leaves its part for the next holder to compare
 *      with, unless only the final report learned of the loss: the part of a failed fill is removed before that report.
 *  (4) A fill is freed only when no disk step, report or transfer of it is under way.
 *  (5) One fill sends at most FILL_ASKS_AGAIN_MAX requests because of failures that pass, whatever the formats.
 *  (6) The claim says which credentials are the newest. The worker may get them a moment later, so the fill waits for
 *      them. */
#include "work/fill_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/metric.h"
#include "db/db_clock.h"
#include "domain/recording_log.h"

static struct str fill_sid_of(const struct fill *f) {
  return str_from(f->row.recording_sid);
}

/* Removes the credentials that the provider uses first: the API key, else the first token. False: none is left. */
static bool drop_first_credentials(struct provider_account *account) {
  if (account->api_key.n && account->api_secret.n) {
    account->api_key = account->api_secret = STR_NONE;
  } else {
    account->tokens[0] = account->tokens[1];
    account->tokens[1] = STR_NONE;
  }
  return account->tokens[0].n > 0;
}

/* Takes the business's credentials from the worker's newest snapshot. */
static void fill_load_account(struct fill *f) {
  access_unref(f->snapshot);
  f->snapshot = access_ref(f->context->snapshot);
  const struct access_business *b = access_find_business(f->snapshot, f->row.business_id);
  int64_t version = b ? b->credentials_version : 0;
  if (version != f->final_event.credentials_version) f->refused_credentials = 0; /* the refused ones were replaced */
  f->account = (struct provider_account){.business_id = f->row.business_id};
  f->final_event.credentials_version = version;
  if (!b) return;
  f->account.account_sid = b->account_sid;
  f->account.tokens[0] = b->tokens[0];
  f->account.tokens[1] = b->tokens[1];
  f->account.api_key = b->api_key;
  f->account.api_secret = b->api_secret;
  f->account.base_url = b->base_url;
  for (unsigned i = 0; i < f->refused_credentials; i++) (void)drop_first_credentials(&f->account);
}

enum err fill_start(const struct fill_context *context, const struct recording *row, int64_t credentials_version,
                    int64_t mono_ms, struct fill **ret_fill) {
  struct fill *f = calloc(1, sizeof(*f));
  if (!f) return ERR_NOMEM;
  f->context = context;
  f->row = *row;
  f->credentials_version = credentials_version;
  f->announced_bytes = f->compared = f->previous_fd = -1;
  buf_init(&f->incoming, FILL_INCOMING_MAX_BYTES);
  f->started_ms = f->renewed_ms = mono_ms;
  f->lease_mono_ms = mono_ms + RECORDING_LEASE_MS;
  enum err e = audio_new(&f->audio);
  if (e == OK) e = digest_new(&f->digest);
  if (e != OK) {
    audio_free(f->audio);
    free(f);
    return e;
  }
  *ret_fill = f;
  metric_add(METRIC_FILLS_RUNNING, 0, 1);
  fill_check_store(f);
  return OK;
}

static void fill_free(struct fill *f) {
  metric_add(METRIC_FILLS_RUNNING, 0, -1);
  provider_request_done(&f->request);
  fill_close_listeners(f);
  fill_close_part(f, f->hold == FILL_HOLD_LOST); /* the next holder compares its bytes with it */
  buf_done(&f->incoming);
  f->audio = audio_free(f->audio);
  f->digest = digest_free(f->digest);
  access_unref(f->snapshot);
  free(f);
}

void fill_release_if_idle(struct fill *f) {
  if (f->steps_pending || f->transfer || f->report_retry_at_ms) return; /* (4) */
  f->context->on_end(f->context->arg, f);
  fill_free(f);
}

bool fill_only_checks(const struct fill *f) {
  return f->row.file_seen_at != 0;
}

void fill_lease_lost(struct fill *f) {
  if (f->hold == FILL_HOLD_LOST) return;
  log_warn("Lease lost", LOG_RECORDING(&f->row));
  metric_add(METRIC_FILLS, METRIC_FILL_LOST, 1);
  f->hold = FILL_HOLD_LOST;
  f->state = FILL_REPORTING;
  f->report_retry_at_ms = 0;
  fill_hand_listeners_over(f);
  if (f->transfer) {
    fetch_cancel(f->transfer); /* fill_on_end releases it */
  } else {
    fill_release_if_idle(f);
  }
}

void fill_expired(struct fill *f, int64_t business_id, struct str recording_sid) {
  if (f->row.business_id == business_id && str_eq(str_from(f->row.recording_sid), recording_sid)) fill_lease_lost(f);
}

/* The next fill of this recording continues for the listeners of other processes, by its part. Listeners of this process
 * are cut (fill_void_validators). */
static bool fill_has_successor(const struct fill *f, enum recording_event_kind kind) {
  return kind == RECORDING_RELEASED && f->has_validators &&
         access_find_business(f->context->snapshot, f->row.business_id);
}

void fill_end(struct fill *f, enum recording_event_kind kind) {
  f->state = FILL_REPORTING;
  f->final_event.kind = kind;
  if (secret_random(&f->final_event.jitter, sizeof(f->final_event.jitter)) != OK)
    f->final_event.jitter = UINT32_MAX / 2;
  f->final_event.owner = str_from(f->row.lease_owner);
  f->final_event.token = f->row.lease_token;
  if (fill_has_successor(f, kind)) fill_close_part(f, true); /* the next fill compares its bytes with it */
  if (kind != RECORDING_COMPLETE) {
    fill_void_validators(f);
    fill_close_part(f, false);
  }
  fill_report_final(f);
}

void fill_fail(struct fill *f, enum recording_error error) {
  f->final_event.error = error;
  f->final_event.retry_after_ms = f->retry_after_ms;
  fill_end(f, RECORDING_FAILURE);
}

/* ---- asking ---- */

static bool fill_wants_two_channels(const struct fill *f) {
  return f->context->formats[f->format] == PROVIDER_WAV_DUAL && f->row.provider_channels == 2 && !f->channels_refused;
}

/* (6) */
static bool fill_waits_for_credentials(struct fill *f) {
  int64_t now = clock_mono_ms();
  if (f->final_event.credentials_version >= f->credentials_version || now - f->started_ms >= FILL_CREDENTIALS_MS)
    return false;
  f->state = FILL_PAUSED;
  f->resume_at_ms = now + FILL_CREDENTIALS_POLL_MS;
  fetch_wake(f->context->fetch);
  return true;
}

void fill_ask(struct fill *f) {
  f->verdict = FILL_VERDICT_NONE;
  provider_request_done(&f->request);
  fill_load_account(f);
  if (fill_waits_for_credentials(f)) return;
  f->state = FILL_ASKING;
  f->asked_ms = clock_mono_ms();
  bool has_credentials = f->account.account_sid.n && (f->account.tokens[0].n || f->account.api_secret.n);
  if (!has_credentials) {
    (void)snprintf(f->log_why, sizeof(f->log_why), "the business has no credentials of the provider");
    fill_fail(f, RECORDING_AUTH_FAILED);
    return;
  }
  enum err e = f->row.forbidden ? ERR_DENIED
                                : f->context->provider->request(&f->account, str_from(f->row.url), fill_sid_of(f),
                                                                f->context->formats[f->format],
                                                                fill_wants_two_channels(f), &f->request);
  if (e == OK) e = fill_send_request(f);
  if (e == OK) return;
  fill_fail(f, e == ERR_DENIED ? RECORDING_FORBIDDEN_URL : RECORDING_PROVIDER_ERROR);
}

/* Asks for the recording from byte 0 again. Served bytes never change, so they stay, and the fill continues in another
 * part. */
static void fill_start_over(struct fill *f) {
  bool was_served = f->was_served; /* a slow listener may still read the bytes, though the validators are void */
  if (was_served) fill_void_validators(f);
  enum err e = fill_reset_verifiers(f);
  if (e != OK) {
    fill_fail(f, RECORDING_STORAGE_ERROR);
  } else if (was_served) {
    fill_close_part(f, false);
    fill_report_new_token(f);
  } else if (f->size > 0) {
    fill_empty_part(f);
  } else {
    fill_ask(f);
  }
}

/* Asks for the next of RECORDING_FORMATS; false if there is none. */
static bool fill_ask_next_format(struct fill *f) {
  if (f->verdict == FILL_VERDICT_OTHER_FORMAT && fill_wants_two_channels(f)) {
    f->channels_refused = true;
  } else {
    if (f->format + 1 >= f->context->format_count) return false;
    f->format++;
  }
  f->resumes = 0;
  fill_start_over(f);
  return true;
}

static void fill_answer_refused(struct fill *f) {
  bool tries_next =
      f->verdict != FILL_VERDICT_NOT_FOUND || recording_tries_formats_on_404(&f->row, f->context->format_count);
  f->saw_404 = f->saw_404 || f->verdict == FILL_VERDICT_NOT_FOUND;
  f->saw_not_audio = f->saw_not_audio || f->verdict == FILL_VERDICT_NOT_AUDIO;
  if (tries_next && fill_ask_next_format(f)) return;
  if (f->saw_not_audio) {
    fill_fail(f, RECORDING_NOT_AUDIO);
  } else if (f->saw_404) {
    fill_end(f, RECORDING_NOT_FOUND);
  } else {
    fill_fail(f, RECORDING_PROVIDER_ERROR);
  }
}

/* ---- breaks and resumes ---- */

/* The provider has sent bytes in an earlier request or in this one: the part has some, or the fill was resumed. */
static bool fill_had_bytes(const struct fill *f) {
  return f->answered && f->part && (f->size > 0 || f->resumes > 0);
}

void fill_pause(struct fill *f, enum recording_error error) {
  static const int64_t pauses_ms[FILL_RESUMES_MAX] = {0, 1000, 2000};
  bool was_cut = f->answered && f->part && error == RECORDING_TRUNCATED;
  if (!(fill_had_bytes(f) || was_cut) || f->resumes >= FILL_RESUMES_MAX) {
    fill_fail(f, error);
    return;
  }
  log_debug("Fill interrupted", LOG_RECORDING(&f->row), LOG_INT("bytes", f->size), LOG_TEXT("why", f->log_why));
  f->state = FILL_PAUSED;
  f->resume_at_ms = clock_mono_ms() + pauses_ms[f->resumes++];
  fetch_wake(f->context->fetch);
}

/* ---- failures that pass ---- */

static bool fill_failure_passes(const struct fill *f, const struct fetch_result *r) {
  if (f->verdict == FILL_VERDICT_ERROR) return r->status == 500 || (r->status >= 502 && r->status <= 504);
  if (f->verdict != FILL_VERDICT_NONE) return false;
  if (r->end == FETCH_REFUSED) return r->no_connection;
  bool is_short = clock_mono_ms() - f->asked_ms < FILL_SHORT_TIMEOUT_MS;
  return r->end == FETCH_TIMEOUT && r->status == 0 && is_short;
}

/* Pauses before the same request is sent again. False: this failure does not pass, or it did not pass in time, or the
 * provider asks for a longer pause. */
static bool fill_ask_again(struct fill *f, const struct fetch_result *r) {
  bool may_ask = !fill_had_bytes(f) && f->asks_again < FILL_ASKS_AGAIN_MAX; /* (5) */
  if (!may_ask || !fill_failure_passes(f, r)) return false;
  if (f->verdict == FILL_VERDICT_ERROR && f->retry_after_ms > (FILL_ASK_AGAIN_MS << f->asks_again)) return false;
  log_debug("Fill interrupted", LOG_RECORDING(&f->row), LOG_INT("bytes", f->size), LOG_TEXT("why", f->log_why));
  f->state = FILL_PAUSED;
  f->resume_at_ms = clock_mono_ms() + (f->context->ask_again_ms << f->asks_again++);
  fetch_wake(f->context->fetch);
  return true;
}

static enum recording_error fetch_end_error(const struct fetch_result *r) {
  switch (r->end) {
    case FETCH_CUT:
      return RECORDING_TRUNCATED;
    case FETCH_TIMEOUT:
      return RECORDING_TIMEOUT;
    case FETCH_FORBIDDEN:
      return RECORDING_FORBIDDEN_URL;
    case FETCH_TOO_BIG:
      return RECORDING_TOO_LARGE;
    default:
      return RECORDING_PROVIDER_ERROR;
  }
}

/* Why the transfer ended, for the log. It stays empty if the recording's error code says it: the answer was good, but
 * it could not be stored or was too large. */
static void note_why(struct fill *f, const struct fetch_result *r) {
  bool was_stopped = f->verdict != FILL_VERDICT_NONE && r->end == FETCH_STOPPED;
  bool was_good = f->verdict == FILL_VERDICT_ERROR && (r->status == 200 || r->status == 206);
  f->log_why[0] = '\0';
  if (!was_stopped) {
    (void)snprintf(f->log_why, sizeof(f->log_why), "%s", r->detail);
  } else if (f->verdict == FILL_VERDICT_NOT_AUDIO) {
    (void)snprintf(f->log_why, sizeof(f->log_why), "the provider answered %d without audio", r->status);
  } else if (!was_good || f->verdict_error == RECORDING_PROVIDER_ERROR) {
    (void)snprintf(f->log_why, sizeof(f->log_why), "the provider answered %d", r->status);
  }
}

/* Goes on after the end of the transfer. If a callback set a verdict, that decides; else r->end does. */
void fill_transfer_ended(struct fill *f, const struct fetch_result *r) {
  note_why(f, r);
  if (f->hold == FILL_HOLD_LOST) {
    fill_release_if_idle(f);
  } else if (f->hold == FILL_HOLD_RETURNING) {
    fill_end(f, RECORDING_RELEASED);
  } else if (f->verdict == FILL_VERDICT_ERROR && f->verdict_error == RECORDING_AUTH_FAILED &&
             drop_first_credentials(&f->account)) {
    f->refused_credentials++;
    fill_ask(f);
  } else if (fill_ask_again(f, r)) {
    return;
  } else if (f->verdict == FILL_VERDICT_ERROR) {
    bool goes_on = fill_had_bytes(f) && recording_error_class(f->verdict_error) == RECORDING_CLASS_CAP &&
                   f->verdict_error != RECORDING_STORAGE_FULL && f->verdict_error != RECORDING_STORAGE_ERROR;
    if (goes_on) {
      fill_pause(f, f->verdict_error);
    } else {
      fill_fail(f, f->verdict_error);
    }
  } else if (f->verdict == FILL_VERDICT_CHANGED) {
    fill_start_over(f);
  } else if (f->verdict != FILL_VERDICT_NONE) {
    if (fill_had_bytes(f) && f->verdict != FILL_VERDICT_NOT_AUDIO) {
      fill_pause(f,
                 RECORDING_TRUNCATED); /* the resumed request was refused: the bytes received earlier are still good */
    } else {
      fill_answer_refused(f);
    }
  } else if (r->end == FETCH_DONE) {
    fill_verify(f);
  } else if (r->end == FETCH_FORBIDDEN || r->end == FETCH_TOO_BIG) {
    fill_fail(f, fetch_end_error(r));
  } else {
    fill_pause(f, fetch_end_error(r));
  }
}

/* ---- all bytes are written ---- */

void fill_verify(struct fill *f) {
  audio_finish(f->audio, &f->info);
  bool is_audio = f->info.kind != AUDIO_NONE && f->info.bytes >= AUDIO_LEAST_BYTES;
  if (!is_audio) {
    f->verdict = FILL_VERDICT_NOT_AUDIO;
    fill_answer_refused(f);
    return;
  }
  bool is_short = f->compared >= 0 || (f->announced_bytes >= 0 ? f->size != f->announced_bytes : !f->info.whole);
  if (is_short) {
    fill_fail(f, RECORDING_TRUNCATED);
    return;
  }
  fill_end_comparison(f);
  fill_finish_tape(f);
  digest_hex(f->digest, f->sha256);
  int n = snprintf(f->name, sizeof(f->name), "%s.%s", f->row.stem, audio_extension(f->info.kind));
  if (n < 0 || (size_t)n >= sizeof(f->name)) {
    fill_fail(f, RECORDING_STORAGE_ERROR);
    return;
  }
  fill_sync(f);
}

/* ---- time ---- */

/* How often the row gets the progress. */
static int64_t fill_progress_ms(const struct fill *f) {
  return db_clock_now_ms() - f->row.wanted_at < RECORDING_PLAY_RANK_MS ? FILL_PLAYED_MS : FILL_PROGRESS_MS;
}

void fill_note_slow(struct fill *f, int64_t mono_ms) {
  if (f->slow_logged || mono_ms - f->started_ms < FILL_SLOW_MS) return;
  f->slow_logged = true;
  log_warn("Slow download detected", LOG_RECORDING(&f->row), LOG_INT("bytes", f->size),
           LOG_INT("total", f->announced_bytes), LOG_REAL("seconds", (double)(mono_ms - f->started_ms) / 1000.0));
}

static bool fill_may_be_stopped(const struct fill *f) {
  return f->state == FILL_ASKING || f->state == FILL_STREAMING || f->state == FILL_PAUSED;
}

void fill_return(struct fill *f) {
  if (f->hold == FILL_HOLD_LOST) return;
  f->hold = FILL_HOLD_RETURNING;
  if (!fill_may_be_stopped(f)) return;
  if (f->transfer) {
    fetch_cancel(f->transfer);
  } else if (!f->transfer_ended) { /* else fill_transfer_ended does it when the write is done */
    fill_end(f, RECORDING_RELEASED);
  }
}

void fill_access_changed(struct fill *f) {
  int64_t id = f->row.business_id;
  bool was_known =
      f->snapshot && access_find_business(f->snapshot, id); /* a business that is new may be known a moment later */
  if (was_known && !access_find_business(f->context->snapshot, id)) fill_return(f);
}

int64_t fill_tick(struct fill *f, int64_t mono_ms) {
  if (f->report_retry_at_ms && mono_ms >= f->report_retry_at_ms) {
    f->report_retry_at_ms = 0;
    fill_report_final(f);
    return FILL_PROGRESS_MS;
  }
  if (f->state == FILL_REPORTING) return FILL_PROGRESS_MS;
  fill_note_slow(f, mono_ms);
  if (mono_ms >= f->lease_mono_ms && fill_may_be_stopped(f)) {
    fill_lease_lost(f);
    return FILL_PROGRESS_MS;
  }
  if (f->state == FILL_PAUSED && mono_ms >= f->resume_at_ms) {
    fill_ask(f);
    return FILL_PROGRESS_MS;
  }
  bool progressed = f->has_validators && fill_may_be_stopped(f) && f->size != f->renewed_bytes &&
                    mono_ms - f->renewed_ms >= fill_progress_ms(f);
  if (!f->renewal_pending && f->state <= FILL_SYNCING && (progressed || mono_ms - f->renewed_ms >= FILL_RENEW_MS))
    fill_renew(f, RECORDING_RENEW);
  if (f->state == FILL_PAUSED) return f->resume_at_ms - mono_ms;
  return fill_progress_ms(f);
}
