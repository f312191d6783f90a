/* fill_stream.c - bytes of a fill: what an answer is taken for, and how they enter the part.
 *
 * A fill that goes on after a break asks for the rest (Range, If-Range). If the provider sends the whole again, its bytes are
 * held against those of the part up to where that ends, and only what is new is appended (fill_write.c): who reads the part
 * already sees no difference. If a byte differs, the provider has changed its mind: all is asked for anew, into another part.
 *
 * Invariants
 *  (1) What a callback saw wrong is in `stop`; bytes go on to fill_write.c.
 *  (2) Validators are made once the bytes are audio and more than 1,000; before, nobody is told of any byte.
 *  (3) compared >= 0 only while a restart from byte 0 has not yet reached the part's end. If it breaks before, the provider's
 *      validators are of that restart and vouch for none of the part's further bytes: the whole is asked for again.
 *  (4) A rest is appended only if it was asked for and its validators, place and total are those of the part. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/metric.h"
#include "work/fill_internal.h"

enum { COMPARE_CHUNK = 64 * 1024 };

static enum err stop_with(struct fill *f, enum recording_error error) {
  f->stop = FILL_STOP_ERROR;
  f->stopped_by = error;
  return ERR_DENIED;
}

static enum err stop_as(struct fill *f, int stop) {
  f->stop = stop;
  return ERR_DENIED;
}

enum err fill_forget_bytes(struct fill *f) {
  f->compared = -1;
  f->source_etag[0] = f->source_modified[0] = '\0';
  digest_reset(f->digest);
  f->audio = audio_free(f->audio);
  return audio_new(&f->audio);
}

/* ---- validators ---- */

/* A strong one of our own: the provider promises none that would survive a restart. */
enum err fill_make_validators(struct fill *f) {
  uint8_t random[12];
  char hex[2 * sizeof(random) + 1];
  TRY(secret_random(random, sizeof(random)));
  hex_encode(random, sizeof(random), hex);
  (void)snprintf(f->etag, sizeof(f->etag), "\"%s\"", hex);
  f->modified_at = clock_now_ms() / 1000 * 1000;
  return OK;
}

static enum err begin_if_audio(struct fill *f) {
  enum audio_verdict verdict = audio_verdict(f->audio);
  if (verdict == AUDIO_NO) return stop_as(f, FILL_STOP_NOT_AUDIO);
  if (f->begun || verdict != AUDIO_YES || f->size < AUDIO_LEAST_BYTES) return OK;
  if (fill_begin(f) != OK) return stop_with(f, RECORDING_STORAGE_ERROR); /* (2) */
  fill_renew(f, RECORDING_RENEW);
  return OK;
}

/* ---- bytes ---- */

void fill_written(struct fill *f, struct str bytes, enum err e) {
  if (e != OK) {
    e = stop_with(f, e == ERR_FULL ? RECORDING_STORAGE_FULL : RECORDING_STORAGE_ERROR);
  } else {
    fill_tell_listeners(f);
    digest_add(f->digest, bytes);
    e = audio_feed(f->audio, bytes) == OK ? begin_if_audio(f) : stop_with(f, RECORDING_STORAGE_ERROR);
  }
  (void)e; /* it is in f->stop */
}

int64_t fill_equal_prefix(int fd, int64_t offset, struct str bytes) {
  static _Thread_local char chunk[COMPARE_CHUNK];
  int64_t equal = 0, most = (int64_t)bytes.n;
  while (equal < most) {
    size_t want = most - equal < COMPARE_CHUNK ? (size_t)(most - equal) : COMPARE_CHUNK;
    ssize_t n = pread(fd, chunk, want, offset + equal);
    if (n <= 0) break;
    ssize_t same = 0;
    while (same < n && chunk[same] == bytes.p[equal + same]) same++;
    equal += same;
    if (same < n) break;
  }
  return equal;
}

static enum err on_data(void *arg, struct str bytes) {
  struct fill *f = arg;
  if (f->lost || f->returning) return ERR_CLOSED;
  if (clock_mono_ms() >=
      f->lease_mono_ms) { /* frozen, or kept from renewing: listeners hear no byte that is not the holder's */
    fill_lease_lost(f);
    return ERR_CLOSED;
  }
  metric_add(METRIC_FILL_BYTES, 0, (int64_t)bytes.n);
  if (f->stop != FILL_STOP_NONE) return ERR_DENIED;
  if (bytes.n == 0) return OK;
  if (fill_write_position(f) + (int64_t)bytes.n > f->context->max_bytes) return stop_with(f, RECORDING_TOO_LARGE);
  return fill_write_take(f, bytes) == OK ? OK : stop_with(f, RECORDING_STORAGE_ERROR);
}

/* ---- answers ---- */

static void keep_validator(char *dst, size_t size, struct str value) {
  if (str_copy(dst, size, value) != OK) dst[0] = '\0'; /* too long to be of use: the whole is asked for instead */
}

static bool goes_on_at(const struct fill *f, struct str content_range) {
  char want[64];
  int n = snprintf(want, sizeof(want), "bytes %lld-%lld/%lld", (long long)f->size, (long long)f->total - 1,
                   (long long)f->total);
  return f->total > 0 && str_eq(content_range, str_of(want, (size_t)n));
}

/* What the answer has must be what the part has; an answer may leave a validator out. */
static bool agrees(const char *source, struct str told) {
  return told.n == 0 || str_eq(told, str_from(source));
}

/* (4): "bytes FIRST-LAST/TOTAL" that goes on exactly where the part ends, of the same recording. */
static bool goes_on(const struct fill *f, const struct fetch_reply *r) {
  if (!f->asked_rest || !agrees(f->source_etag, r->etag) || !agrees(f->source_modified, r->last_modified)) return false;
  return goes_on_at(f, r->content_range);
}

static enum err take_audio(struct fill *f, const struct fetch_reply *r) {
  bool resumes = f->size > 0;
  if (r->status == 206) {
    if (!resumes || !goes_on(f, r)) {
      f->source_etag[0] = f->source_modified[0] = '\0'; /* the whole, next time */
      return stop_with(f, RECORDING_PROVIDER_ERROR);
    }
  } else {
    if (r->length > f->context->max_bytes) return stop_with(f, RECORDING_TOO_LARGE);
    f->compared = resumes ? 0 : -1;
    if (resumes && f->total >= 0 && r->length != f->total) fill_void_validators(f);
    if (!resumes) fill_compare_length(f, r->length);
    f->total = r->length;
    keep_validator(f->source_etag, sizeof(f->source_etag), r->etag);
    keep_validator(f->source_modified, sizeof(f->source_modified), r->last_modified);
  }
  f->state = FILL_STREAMING;
  if (!f->answered) {
    f->answered = true;
    char phrase[64];
    (void)snprintf(phrase, sizeof(phrase), "downloading from %s", f->context->provider->name);
    log_info(phrase, LOG_INT("business", f->row.business_id), LOG_TEXT("recording", f->row.recording_sid));
  }
  fill_renew(f, RECORDING_ANSWERED);
  return OK;
}

static enum err on_reply(void *arg, const struct fetch_reply *r) {
  struct fill *f = arg;
  uint64_t seconds;
  enum recording_error error = RECORDING_PROVIDER_ERROR;
  f->retry_after_ms = str_to_u64(r->retry_after, 86400, &seconds) == OK ? (int64_t)seconds * 1000 : 0;
  switch (f->context->provider->answer(r->status, r->content_encoding, &error)) {
    case PROVIDER_AUDIO:
      return take_audio(f, r);
    case PROVIDER_NOT_THERE:
      return stop_as(f, FILL_STOP_NOT_THERE);
    case PROVIDER_OTHER_FORMAT:
      return stop_as(f, FILL_STOP_OTHER_FORMAT);
    case PROVIDER_FAILED:
      break;
  }
  /* Who never saw the credentials did not refuse them. */
  if (error == RECORDING_AUTH_FAILED && !r->own_origin) error = RECORDING_PROVIDER_ERROR;
  return stop_with(f, error);
}

static void on_end(void *arg, const struct fetch_result *result) {
  struct fill *f = arg;
  f->transfer = NULL;
  metric_add(METRIC_PROVIDER_REQUESTS, metric_http_code(result->status), 1);
  fill_write_end(f, result);
}

/* ---- the request ---- */

enum {
  CONNECT_MS = 10 * 1000,
  FIRST_BYTE_MS = 60 * 1000,
  IDLE_MS = 30 * 1000,
  SLOW_BYTES = 500,
  SLOW_WINDOW_MS = 60 * 1000
};

enum err fill_send(struct fill *f) {
  char range[64], condition[320];
  const char *headers[4] = {"Accept-Encoding: identity"};
  const char *validator = f->source_etag[0] == '"' ? f->source_etag : f->source_modified;
  f->asked_rest = f->size > 0 && f->total > 0 && validator[0] && f->compared < 0; /* (3) */
  if (f->asked_rest) {
    (void)snprintf(range, sizeof(range), "Range: bytes=%lld-", (long long)f->size);
    (void)snprintf(condition, sizeof(condition), "If-Range: %s", validator);
    headers[1] = range;
    headers[2] = condition;
  }
  char user[128], password[256];
  TRY(str_copy(user, sizeof(user), f->ask.user));
  TRY(str_copy(password, sizeof(password), f->ask.password));
  struct fetch_request request = {
      .url = f->ask.url,
      .user = user,
      .password = password,
      .headers = headers,
      .connect_ms = CONNECT_MS,
      .first_byte_ms = FIRST_BYTE_MS,
      .idle_ms = IDLE_MS,
      .slow_bytes = SLOW_BYTES,
      .slow_ms = SLOW_WINDOW_MS,
      .max_bytes = f->context->max_bytes,
      .max_hops = 5,
      .trust_origin = true, /* the business's base: the dialect made the url */
      .arg = f,
      .on_reply = on_reply,
      .on_data = on_data,
      .on_end = on_end,
  };
  enum err e = fetch_start(f->context->fetch, &request, &f->transfer);
  secret_wipe(password, sizeof(password));
  return e;
}
