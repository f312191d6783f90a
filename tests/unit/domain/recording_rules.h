/* recording_rules.h - rules that hold after any move of a recording; for the unit and the model tests. */
#pragma once

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "domain/recording.h"

/* Rules for a single row. */
static inline void rules_check_row(const struct recording *r) {
  bool leased = r->lease_until != 0;
  assert_true(!leased || r->status == RECORDING_QUEUED || r->status == RECORDING_DOWNLOADING);
  assert_true(r->status != RECORDING_DOWNLOADING || leased);
  assert_int_equal(leased, r->lease_owner[0] != '\0');
  assert_int_equal(r->name[0] != '\0', r->status == RECORDING_READY);
  assert_true(!r->permanent || (r->status == RECORDING_FAILED && r->next_retry_at == 0));
  assert_true(r->next_retry_at == 0 || r->status == RECORDING_FAILED);
  assert_true(r->status != RECORDING_FAILED || r->error_code[0] != '\0');
  assert_true(r->status != RECORDING_READY || (r->error_code[0] == '\0' && r->bytes > 0));
  assert_int_equal(r->status == RECORDING_EXPIRED, r->expired_at != 0);
  assert_int_equal(r->status == RECORDING_EXPIRED, r->expire_reason[0] != '\0');
  assert_true(r->rank >= RECORDING_RANK_PLAY && r->rank <= RECORDING_RANK_REST);
}

static inline bool rules_may_fail(enum recording_event_kind kind) {
  return kind == RECORDING_FAILURE || kind == RECORDING_NOT_FOUND || kind == RECORDING_LEASE_EXPIRED ||
         kind == RECORDING_RELEASED || kind == RECORDING_REFUSED;
}

static inline bool rules_needs_token(enum recording_event_kind kind) {
  return kind == RECORDING_RENEW || kind == RECORDING_ANSWERED || kind == RECORDING_NOT_FOUND ||
         kind == RECORDING_FAILURE || kind == RECORDING_COMPLETE || kind == RECORDING_RELEASED ||
         kind == RECORDING_NEW_TOKEN || kind == RECORDING_FILE_WRONG;
}

/* Rules for the change that one event makes. */
static inline void rules_check_move(const struct recording *was, const struct recording_event *event,
                                    const struct recording_outcome *outcome, const struct recording *is, int64_t now) {
  rules_check_row(is);
  if (!outcome->moved) {
    assert_memory_equal(was, is, sizeof(*was));
    assert_false(outcome->enqueued);
    return;
  }
  assert_int_not_equal(was->status, RECORDING_EXPIRED);
  bool keeps_lease = was->lease_until != 0 && is->lease_until != 0;
  assert_true(!keeps_lease || is->file_seen_at == was->file_seen_at);
  bool next_token = event->kind == RECORDING_CLAIM || event->kind == RECORDING_NEW_TOKEN;
  assert_int_equal(is->lease_token, was->lease_token + next_token);
  assert_true(event->kind != RECORDING_CLAIM || is->lease_until == now + RECORDING_LEASE_MS);
  assert_true(was->lease_until != 0 || is->lease_until == 0 || event->kind == RECORDING_CLAIM);
  if (rules_needs_token(event->kind)) assert_true(recording_holds_lease(was, event->owner, event->token, now));
  if (is->status == RECORDING_READY && was->status != RECORDING_READY)
    assert_true(event->kind == RECORDING_COMPLETE || event->kind == RECORDING_FOUND);
  assert_true(was->status != RECORDING_READY || event->kind == RECORDING_FILE_GONE || event->kind == RECORDING_EXPIRE);
  assert_true(is->fail_count <= was->fail_count + rules_may_fail(event->kind));
  assert_true(is->next_retry_at <= now + RECORDING_BACKOFF_CAP_MS || is->next_retry_at == was->next_retry_at);
  bool now_queued = is->status == RECORDING_QUEUED;
  bool was_queued = was->status == RECORDING_QUEUED || was->status == RECORDING_DOWNLOADING;
  assert_int_equal(outcome->enqueued, now_queued && !was_queued);
}
