/* fill_stream.c - the request of a fill, and fetch's callbacks: judges the answer and passes its bytes on.
 *
 * After a break the fill asks for the rest (Range, If-Range; RFC 9110 14.2, 13.1.5). If the provider sends the whole
 * recording again, its bytes are compared with those of the part, and only the bytes after the part's end are appended
 * (fill_write.c), so that listeners who read the part see no difference. If a byte differs, the provider's recording has
 * changed: the fill asks for all of it again, into another part.
 *
 * Invariants
 *  (1) A callback that stops the transfer sets f->verdict. Bytes go to fill_write.c only while there is no verdict.
 *  (2) Validators are made once the bytes are audio and at least AUDIO_LEAST_BYTES. No listener reads before.
 *  (3) compared >= 0 only while a resumed request from byte 0 has not yet reached the part's end. If it breaks before that, the
 *      provider's validators belong to that request and say nothing of the part's further bytes: the fill asks for the
 *      whole.
 *  (4) A 206 is appended only if a range was asked for, and its validators, offset and length fit the part. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/metric.h"
#include "db/db_clock.h"
#include "domain/recording_log.h"
#include "work/fill_internal.h"

enum { COMPARE_CHUNK = 64 * 1024 };

static enum err stop_with_error(struct fill *f, enum recording_error error) {
  f->verdict = FILL_VERDICT_ERROR;
  f->verdict_error = error;
  return ERR_DENIED;
}

static enum err stop_with_verdict(struct fill *f, enum fill_verdict verdict) {
  f->verdict = verdict;
  return ERR_DENIED;
}

enum err fill_reset_verifiers(struct fill *f) {
  f->compared = -1;
  f->source_etag[0] = f->source_modified[0] = '\0';
  digest_reset(f->digest);
  f->audio = audio_free(f->audio);
  return audio_new(&f->audio);
}

/* ---- validators ---- */

/* A strong ETag of our own: the provider's may change when it is asked again though the bytes don't. */
enum err fill_make_validators(struct fill *f) {
  uint8_t random[12];
  char hex[2 * sizeof(random) + 1];
  TRY(secret_random(random, sizeof(random)));
  hex_encode(random, sizeof(random), hex);
  (void)snprintf(f->etag, sizeof(f->etag), "\"%s\"", hex);
  f->modified_at = db_clock_now_ms() / 1000 * 1000;
  return OK;
}

static enum err set_validators_if_audio(struct fill *f) {
  enum audio_verdict verdict = audio_verdict(f->audio);
  if (verdict == AUDIO_NO) return stop_with_verdict(f, FILL_VERDICT_NOT_AUDIO);
  if (f->has_validators || verdict != AUDIO_YES || f->size < AUDIO_LEAST_BYTES) return OK;
  if (fill_set_validators(f) != OK) return stop_with_error(f, RECORDING_STORAGE_ERROR); /* (2) */
  fill_renew(f, RECORDING_RENEW);
  return OK;
}

/* ---- bytes ---- */

void fill_bytes_written(struct fill *f, struct str bytes, enum err e) {
  if (e != OK) {
    e = stop_with_error(f, e == ERR_FULL ? RECORDING_STORAGE_FULL : RECORDING_STORAGE_ERROR);
  } else {
    fill_extend_tape(f);
    digest_add(f->digest, bytes);
    e = audio_feed(f->audio, bytes) == OK ? set_validators_if_audio(f) : stop_with_error(f, RECORDING_STORAGE_ERROR);
  }
  (void)e; /* f->verdict has it */
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

static enum err fill_on_data(void *arg, struct str bytes) {
  struct fill *f = arg;
  if (f->hold != FILL_HOLD_LEASED) return ERR_CLOSED;
  /* The process was suspended or could not renew: another worker may hold the lease, so no listener may get these bytes. */
  if (clock_mono_ms() >= f->lease_mono_ms) {
    fill_lease_lost(f);
    return ERR_CLOSED;
  }
  metric_add(METRIC_FILL_BYTES, 0, (int64_t)bytes.n);
  if (f->verdict != FILL_VERDICT_NONE) return ERR_DENIED;
  if (bytes.n == 0) return OK;
  if (fill_write_position(f) + (int64_t)bytes.n > f->context->max_bytes) return stop_with_error(f, RECORDING_TOO_LARGE);
  return fill_write_take(f, bytes) == OK ? OK : stop_with_error(f, RECORDING_STORAGE_ERROR);
}

/* ---- answers ---- */

static void copy_validator(char *dst, size_t size, struct str value) {
  if (str_copy(dst, size, value) != OK)
    dst[0] = '\0'; /* too long to keep: a resumed request asks for the whole instead */
}

static bool range_continues_part(const struct fill *f, struct str content_range) {
  char want[64];
  int n = snprintf(want, sizeof(want), "bytes %lld-%lld/%lld", (long long)f->size, (long long)f->announced_bytes - 1,
                   (long long)f->announced_bytes);
  return f->announced_bytes > 0 && str_eq(content_range, str_of(want, (size_t)n));
}

/* An answer may leave a validator out; one that it has must be the part's. */
static bool validator_agrees(const char *source, struct str answer) {
  return answer.n == 0 || str_eq(answer, str_from(source));
}

/* (4): a Content-Range that begins where the part ends and has the same length, of the same recording. */
static bool answer_continues_part(const struct fill *f, const struct fetch_reply *r) {
  if (!f->asked_range || !validator_agrees(f->source_etag, r->etag) ||
      !validator_agrees(f->source_modified, r->last_modified))
    return false;
  return range_continues_part(f, r->content_range);
}

static enum err fill_take_answer(struct fill *f, const struct fetch_reply *r) {
  bool resumes = f->size > 0;
  if (r->status == 206) {
    if (!resumes || !answer_continues_part(f, r)) {
      f->source_etag[0] = f->source_modified[0] = '\0'; /* asks for the whole next time */
      return stop_with_error(f, RECORDING_PROVIDER_ERROR);
    }
  } else {
    if (r->length > f->context->max_bytes) return stop_with_error(f, RECORDING_TOO_LARGE);
    f->compared = resumes ? 0 : -1;
    if (resumes && f->announced_bytes >= 0 && r->length != f->announced_bytes) fill_void_validators(f);
    if (!resumes) fill_compare_announced(f, r->length);
    f->announced_bytes = r->length;
    copy_validator(f->source_etag, sizeof(f->source_etag), r->etag);
    copy_validator(f->source_modified, sizeof(f->source_modified), r->last_modified);
  }
  f->state = FILL_STREAMING;
  if (!f->answered) {
    f->answered = true;
    char phrase[64];
    (void)snprintf(phrase, sizeof(phrase), "downloading from %s", f->context->provider->name);
    log_info(phrase, LOG_RECORDING(&f->row));
  }
  fill_renew(f, RECORDING_ANSWERED);
  return OK;
}

static enum err fill_on_reply(void *arg, const struct fetch_reply *r) {
  struct fill *f = arg;
  enum recording_error error = RECORDING_PROVIDER_ERROR;
  f->retry_after_ms = fetch_retry_after_ms(r->retry_after);
  switch (f->context->provider->answer(r->status, r->content_encoding, &error)) {
    case PROVIDER_AUDIO:
      return fill_take_answer(f, r);
    case PROVIDER_NOT_FOUND:
      return stop_with_verdict(f, FILL_VERDICT_NOT_FOUND);
    case PROVIDER_OTHER_FORMAT:
      return stop_with_verdict(f, FILL_VERDICT_OTHER_FORMAT);
    case PROVIDER_FAILED:
      break;
  }
  /* A redirect target gets no credentials, so its 401 or 403 says nothing about them. */
  bool is_refusal = error == RECORDING_AUTH_FAILED || error == RECORDING_DENIED_BY_PROVIDER;
  if (is_refusal && !r->own_origin) error = RECORDING_PROVIDER_ERROR;
  return stop_with_error(f, error);
}

static void fill_on_end(void *arg, const struct fetch_result *result) {
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

enum err fill_send_request(struct fill *f) {
  char range[64], condition[320];
  const char *headers[4] = {"Accept-Encoding: identity"};
  const char *validator = f->source_etag[0] == '"' ? f->source_etag : f->source_modified;
  f->asked_range = f->size > 0 && f->announced_bytes > 0 && validator[0] && f->compared < 0; /* (3) */
  if (f->asked_range) {
    (void)snprintf(range, sizeof(range), "Range: bytes=%lld-", (long long)f->size);
    (void)snprintf(condition, sizeof(condition), "If-Range: %s", validator);
    headers[1] = range;
    headers[2] = condition;
  }
  char user[128], password[256];
  TRY(str_copy(user, sizeof(user), f->request.user));
  TRY(str_copy(password, sizeof(password), f->request.password));
  struct fetch_request request = {
      .url = f->request.url,
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
      .trust_origin = true, /* the url is below the business's base: the dialect checked it */
      .arg = f,
      .on_reply = fill_on_reply,
      .on_data = fill_on_data,
      .on_end = fill_on_end,
  };
  enum err e = fetch_start(f->context->fetch, &request, &f->transfer);
  secret_wipe(password, sizeof(password));
  return e;
}
