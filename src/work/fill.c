/* fill.c - one recording on its way from the provider to the store: what comes after what.
 *
 *   LOOKING --nothing here--> ASKING --200--> STREAMING --whole--> SYNCING --> ASSERTING --> PUBLISHING --> REPORTING
 *      |                       |  ^ |next        |  ^                                                         ^
 *      | the file is here      |  +-+ format     v  | 0, 1, 2 s later                                         |
 *      |<---other bytes come---|-------------  PAUSED -- 4th break -------------- failed --------------------+
 *      +-----------------------+-- 404, refused … ------------------------------------------------------------+
 *
 * Invariants
 *  (1) Nothing is published unless the ledger confirmed the lease after the bytes were synced, and this process's own clock
 *      says that the confirmed lease still runs.
 *  (2) Bytes enter the part only from an answer that the dialect called audio; they are verified before they get a name.
 *  (3) A fill whose lease is lost says nothing more to the ledger, and its part is removed.
 *  (4) A fill is freed only when no disk step, report or transfer of it is under way.
 *  (5) The ledger tells at the claim which credentials are the newest; the worker may learn of them a moment later. */
#include "work/fill_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/metric.h"

static struct str sid_of(const struct fill *f) {
  return str_from(f->row.recording_sid);
}

/* As the worker knows it now. */
static void take_account(struct fill *f) {
  access_unref(f->snapshot);
  f->snapshot = access_ref(f->context->snapshot);
  const struct access_business *b = access_find_business(f->snapshot, f->row.business_id);
  f->account = (struct provider_account){.business_id = f->row.business_id};
  f->last.credentials_version = b ? b->credentials_version : 0;
  if (!b) return;
  f->account.account_sid = b->account_sid;
  f->account.tokens[0] = b->tokens[0];
  f->account.tokens[1] = b->tokens[1];
  f->account.api_key = b->api_key;
  f->account.api_secret = b->api_secret;
  f->account.base_url = b->base_url;
}

enum err fill_start(const struct fill_context *context, const struct recording *row, int64_t credentials_version,
                    int64_t mono_ms, struct fill **ret_fill) {
  struct fill *f = calloc(1, sizeof(*f));
  if (!f) return ERR_NOMEM;
  f->context = context;
  f->row = *row;
  f->credentials_version = credentials_version;
  f->total = f->compared = f->before = -1;
  buf_init(&f->in, FILL_IN_MAX_BYTES);
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
  provider_ask_done(&f->ask);
  fill_close_listeners(f);
  fill_drop_part(f, f->lost); /* whoever goes on compares with it */
  buf_done(&f->in);
  f->audio = audio_free(f->audio);
  f->digest = digest_free(f->digest);
  access_unref(f->snapshot);
  free(f);
}

void fill_release_if_idle(struct fill *f) {
  if (f->jobs || f->transfer || f->report_again_ms) return; /* (4) */
  f->context->over(f->context->arg, f);
  fill_free(f);
}

void fill_lease_lost(struct fill *f) {
  if (f->lost) return;
  log_warn("Lease lost", LOG_INT("business", f->row.business_id), LOG_STR("recording", sid_of(f)));
  metric_add(METRIC_FILLS, METRIC_FILL_LOST, 1);
  f->lost = true;
  f->state = FILL_REPORTING;
  f->report_again_ms = 0;
  fill_hand_listeners_over(f);
  if (f->transfer) {
    fetch_cancel(f->transfer); /* its end lets go */
  } else {
    fill_release_if_idle(f);
  }
}

/* Its listeners go on with the next fill. */
static bool is_left_to_others(const struct fill *f, enum recording_event_kind kind) {
  return kind == RECORDING_RELEASED && f->begun && access_find_business(f->context->snapshot, f->row.business_id);
}

void fill_end(struct fill *f, enum recording_event_kind kind) {
  f->state = FILL_REPORTING;
  f->last.kind = kind;
  f->last.token = f->row.lease_token;
  if (is_left_to_others(f, kind)) fill_drop_part(f, true); /* whoever goes on compares with it */
  if (kind != RECORDING_COMPLETE) {
    fill_void_validators(f);
    fill_drop_part(f, false);
  }
  fill_report_last(f);
}

void fill_fail(struct fill *f, enum recording_error error) {
  f->last.error = error;
  f->last.retry_after_ms = f->retry_after_ms;
  if (secret_random(&f->last.jitter, sizeof(f->last.jitter)) != OK) f->last.jitter = UINT32_MAX / 2;
  fill_end(f, RECORDING_FAILURE);
}

/* ---- asking ---- */

static bool wants_two_channels(const struct fill *f) {
  return f->context->formats[f->format] == PROVIDER_WAV_DUAL && f->row.provider_channels == 2 && !f->without_channels;
}

/* (5) */
static bool waits_for_credentials(struct fill *f) {
  int64_t now = clock_mono_ms();
  if (f->last.credentials_version >= f->credentials_version || now - f->started_ms >= FILL_CREDENTIALS_MS) return false;
  f->state = FILL_PAUSED;
  f->resume_at_ms = now + FILL_CREDENTIALS_LOOK_MS;
  fetch_wake(f->context->fetch);
  return true;
}

void fill_ask(struct fill *f) {
  f->stop = FILL_STOP_NONE;
  provider_ask_done(&f->ask);
  take_account(f);
  if (waits_for_credentials(f)) return;
  f->state = FILL_ASKING;
  bool has_credentials = f->account.account_sid.n && (f->account.tokens[0].n || f->account.api_secret.n);
  if (!has_credentials) {
    fill_fail(f, RECORDING_AUTH_FAILED);
    return;
  }
  enum err e = f->row.forbidden
                   ? ERR_DENIED
                   : f->context->provider->ask(&f->account, str_from(f->row.url), sid_of(f),
                                               f->context->formats[f->format], wants_two_channels(f), &f->ask);
  if (e == OK) e = fill_send(f);
  if (e == OK) return;
  fill_fail(f, e == ERR_DENIED ? RECORDING_FORBIDDEN_URL : RECORDING_PROVIDER_ERROR);
}

/* From byte 0 again. Bytes that others were told of stay what they are: then it goes on in another part. */
static void start_over(struct fill *f) {
  bool was_told = f->told; /* who is behind may still read them, though the validators are void */
  if (was_told) fill_void_validators(f);
  enum err e = fill_forget_bytes(f);
  if (e != OK) {
    fill_fail(f, RECORDING_STORAGE_ERROR);
  } else if (was_told) {
    fill_drop_part(f, false);
    fill_report_anew(f);
  } else if (f->size > 0) {
    fill_cut(f);
  } else {
    fill_ask(f);
  }
}

/* The next format of the ladder; false when there is none. */
static bool ask_next_format(struct fill *f) {
  if (f->stop == FILL_STOP_OTHER_FORMAT && wants_two_channels(f)) {
    f->without_channels = true;
  } else {
    if (f->format + 1 >= f->context->format_count) return false;
    f->format++;
  }
  f->restarts = 0;
  start_over(f);
  return true;
}

static void ask_is_over(struct fill *f) {
  bool tries_next = f->stop != FILL_STOP_NOT_THERE || recording_tries_formats_on_404(&f->row);
  f->saw_404 = f->saw_404 || f->stop == FILL_STOP_NOT_THERE;
  f->saw_not_audio = f->saw_not_audio || f->stop == FILL_STOP_NOT_AUDIO;
  if (tries_next && ask_next_format(f)) return;
  if (f->saw_not_audio) {
    fill_fail(f, RECORDING_NOT_AUDIO);
  } else if (f->saw_404) {
    fill_end(f, RECORDING_NOT_FOUND);
  } else {
    fill_fail(f, RECORDING_PROVIDER_ERROR);
  }
}

/* ---- breaking and going on ---- */

/* Bytes of this ask came. A reset may have taken them from us again on its way: then the restart remembers. */
static bool had_bytes(const struct fill *f) {
  return f->answered && f->part && (f->size > 0 || f->restarts > 0);
}

void fill_break(struct fill *f, enum recording_error error) {
  static const int64_t pauses_ms[FILL_RESTARTS_MAX] = {0, 1000, 2000};
  bool was_cut = f->answered && f->part && error == RECORDING_TRUNCATED;
  if (!(had_bytes(f) || was_cut) || f->restarts >= FILL_RESTARTS_MAX) {
    fill_fail(f, error);
    return;
  }
  log_debug("Fill interrupted", LOG_INT("business", f->row.business_id), LOG_STR("recording", sid_of(f)),
            LOG_INT("bytes", f->size), LOG_TEXT("why", f->log_why));
  f->state = FILL_PAUSED;
  f->resume_at_ms = clock_mono_ms() + pauses_ms[f->restarts++];
  fetch_wake(f->context->fetch);
}

static enum recording_error error_of_end(const struct fetch_result *r) {
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

/* The transfer is over, and what its callbacks saw decides. */
void fill_transfer_over(struct fill *f, const struct fetch_result *r) {
  if (f->stop == FILL_STOP_NONE || r->end != FETCH_STOPPED) {
    (void)snprintf(f->log_why, sizeof(f->log_why), "%s", r->detail);
  } else if (f->stop == FILL_STOP_NOT_AUDIO) {
    (void)snprintf(f->log_why, sizeof(f->log_why), "the provider's answer has status %d, but no audio", r->status);
  } else {
    (void)snprintf(f->log_why, sizeof(f->log_why), "the provider's answer has status %d", r->status);
  }
  if (f->lost) {
    fill_release_if_idle(f);
  } else if (f->returning) {
    fill_end(f, RECORDING_RELEASED);
  } else if (f->stop == FILL_STOP_ERROR) {
    bool goes_on = had_bytes(f) && recording_error_class(f->stopped_by) == RECORDING_CLASS_CAP &&
                   f->stopped_by != RECORDING_STORAGE_FULL && f->stopped_by != RECORDING_STORAGE_ERROR;
    if (goes_on) {
      fill_break(f, f->stopped_by);
    } else {
      fill_fail(f, f->stopped_by);
    }
  } else if (f->stop == FILL_STOP_CHANGED) {
    start_over(f);
  } else if (f->stop != FILL_STOP_NONE) {
    if (had_bytes(f) && f->stop != FILL_STOP_NOT_AUDIO) {
      fill_break(f, RECORDING_TRUNCATED); /* a restart was refused: what came before still stands */
    } else {
      ask_is_over(f);
    }
  } else if (r->end == FETCH_DONE) {
    fill_body_over(f);
  } else if (r->end == FETCH_FORBIDDEN || r->end == FETCH_TOO_BIG) {
    fill_fail(f, error_of_end(r));
  } else {
    fill_break(f, error_of_end(r));
  }
}

/* ---- all bytes are here ---- */

void fill_body_over(struct fill *f) {
  audio_finish(f->audio, &f->info);
  bool is_audio = f->info.kind != AUDIO_NONE && f->info.bytes >= AUDIO_LEAST_BYTES;
  if (!is_audio) {
    f->stop = FILL_STOP_NOT_AUDIO;
    ask_is_over(f);
    return;
  }
  bool is_short = f->compared >= 0 || (f->total >= 0 ? f->size != f->total : !f->info.whole);
  if (is_short) {
    fill_fail(f, RECORDING_TRUNCATED);
    return;
  }
  fill_compare_end(f);
  fill_tell_whole(f);
  digest_hex(f->digest, f->sha256);
  int n = snprintf(f->name, sizeof(f->name), "%s.%s", f->row.stem, audio_extension(f->info.kind));
  if (n < 0 || (size_t)n >= sizeof(f->name)) {
    fill_fail(f, RECORDING_STORAGE_ERROR);
    return;
  }
  fill_sync(f);
}

/* ---- time ---- */

/* How often others are told how far it is. */
static int64_t progress_ms(const struct fill *f) {
  return clock_now_ms() - f->row.wanted_at < RECORDING_PLAY_RANK_MS ? FILL_PLAYED_MS : FILL_PROGRESS_MS;
}

static bool may_be_cut(const struct fill *f) {
  return f->state == FILL_ASKING || f->state == FILL_STREAMING || f->state == FILL_PAUSED;
}

void fill_return(struct fill *f) {
  f->returning = true;
  if (!may_be_cut(f)) return;
  if (f->transfer) {
    fetch_cancel(f->transfer);
  } else if (!f->is_over) { /* else its end decides, when the write is back */
    fill_end(f, RECORDING_RELEASED);
  }
}

void fill_take_access(struct fill *f) {
  int64_t id = f->row.business_id;
  bool was_known = f->snapshot && access_find_business(f->snapshot, id); /* a new one may be known a moment later */
  if (was_known && !access_find_business(f->context->snapshot, id)) fill_return(f);
}

int64_t fill_tick(struct fill *f, int64_t mono_ms) {
  if (f->report_again_ms && mono_ms >= f->report_again_ms) {
    f->report_again_ms = 0;
    fill_report_last(f);
    return FILL_PROGRESS_MS;
  }
  if (f->state == FILL_REPORTING) return FILL_PROGRESS_MS;
  if (mono_ms >= f->lease_mono_ms && may_be_cut(f)) {
    fill_lease_lost(f);
    return FILL_PROGRESS_MS;
  }
  if (f->state == FILL_PAUSED && mono_ms >= f->resume_at_ms) {
    fill_ask(f);
    return FILL_PROGRESS_MS;
  }
  bool progressed =
      f->begun && may_be_cut(f) && f->size != f->renewed_bytes && mono_ms - f->renewed_ms >= progress_ms(f);
  if (!f->renewing && f->state <= FILL_SYNCING && (progressed || mono_ms - f->renewed_ms >= FILL_RENEW_MS))
    fill_renew(f, RECORDING_RENEW);
  if (f->state == FILL_PAUSED) return f->resume_at_ms - mono_ms;
  return progress_ms(f);
}
