/* rows_scratch.h - adds calls and recordings to a test's catalog. */
#pragma once

#include "ledger_scratch.h"

#include "ledger/calls.h"

#define SCRATCH_NOW INT64_C(1790000000000)

/* Inserts or replaces a call, as a webhook does. */
static inline enum err scratch_put(struct db *db, const struct call *c) {
  struct buf fields CLEANUP(buf_done) = BUF_INIT(64 * 1024);
  struct call was;
  enum err e = calls_read(db, c->business_id, str_from(c->call_sid), &was, &fields);
  if (e != OK && e != ERR_NOT_FOUND) return e;
  struct call next = *c;
  if (e == OK) memcpy(next.customer_name, was.customer_name, sizeof(next.customer_name));
  return calls_put(db, e == OK ? &was : NULL, &next, STR("{}"));
}

static inline void scratch_call(struct db *db, int64_t business, const char *sid, const char *parent, int64_t at) {
  struct call c;
  memset(&c, 0, sizeof(c));
  c.business_id = business;
  (void)snprintf(c.call_sid, sizeof(c.call_sid), "%s", sid);
  (void)snprintf(c.parent_call_sid, sizeof(c.parent_call_sid), "%s", parent);
  c.duration_s = -1;
  c.started_at = c.first_seen_at = at;
  assert_int_equal(scratch_put(db, &c), OK);
}

/* The i-th call of a business, from a number and a name that are searched. */
static inline void scratch_named_call(struct db *db, int64_t business, int i, const char *from, const char *name) {
  struct call c;
  memset(&c, 0, sizeof(c));
  c.business_id = business;
  (void)snprintf(c.call_sid, sizeof(c.call_sid), "CA%lld%06d", (long long)business, i);
  (void)snprintf(c.from_number, sizeof(c.from_number), "%s", from);
  (void)snprintf(c.caller_name, sizeof(c.caller_name), "%s", name);
  c.duration_s = -1;
  c.started_at = c.first_seen_at = SCRATCH_NOW + i;
  assert_int_equal(scratch_put(db, &c), OK);
}

/* The i-th number or name that other businesses store, or one like it that nobody has. */
static inline void scratch_others_text(char *b, size_t size, bool by_name, bool of_nobody, int i) {
  if (by_name)
    (void)snprintf(b, size, "%s%05d", of_nobody ? "Zob J" : "Zeb Q", i);
  else
    (void)snprintf(b, size, "%s%04d5", of_nobody ? "161406" : "141508", i);
}

static inline struct recording scratch_recording(struct db *db, int64_t business, const char *sid, const char *call_sid,
                                                 enum recording_status status, int rank, int64_t at) {
  struct recording r;
  memset(&r, 0, sizeof(r));
  r.business_id = business;
  (void)snprintf(r.recording_sid, sizeof(r.recording_sid), "%s", sid);
  (void)snprintf(r.call_sid, sizeof(r.call_sid), "%s", call_sid);
  r.status = status;
  r.rank = rank;
  r.announced_bytes = r.duration_ms = -1;
  r.first_seen_at = r.started_at = at;
  r.version = 1;
  if (status == RECORDING_QUEUED) r.enqueued_at = at;
  if (status == RECORDING_READY) {
    (void)snprintf(r.name, sizeof(r.name), "%s.mp3", sid);
    r.bytes = 4000;
  }
  if (status == RECORDING_FAILED) (void)snprintf(r.error_code, sizeof(r.error_code), "provider_error");
  assert_int_equal(recordings_insert(db, &r, STR("{}")), OK);
  return r;
}

static inline struct recording scratch_row(struct db *db, int64_t business, const char *sid) {
  struct recording r;
  assert_int_equal(recordings_get(db, business, str_from(sid), &r), OK);
  return r;
}
