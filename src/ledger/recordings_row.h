/* recordings_row.h - the columns of `recordings`, and reading a row. For the files of this room only.
 * The three lists below have the same order. Thread rule: the connection's. */
#pragma once

#include "ledger/changes.h"
#include "ledger/recordings.h"

/* The columns that recordings_read_row reads; the table's alias is r. */
#define RECORDING_COLUMNS                                                                                \
  "r.business_id, r.recording_sid, r.call_sid, r.provider_status, r.url, r.forbidden, "                  \
  "r.told_duration_s, r.told_channels, r.source, r.started_at, r.completed_at, r.first_seen_at, "        \
  "r.status, r.rank, r.enqueued_at, r.last_enqueue_at, r.wanted_at, r.next_ask_at, r.lease_owner, "      \
  "r.lease_token, r.lease_until, r.fail_count, r.failed_at, r.next_retry_at, r.error_code, r.for_good, " \
  "r.asks_404, r.first_404_at, r.crashes, r.retried_1, r.retried_2, r.retried_3, r.stem, r.name, "       \
  "r.bytes, r.total, r.got, r.content_type, r.etag, r.modified_at, r.duration_ms, r.channels, "          \
  "r.sha256, r.ready_at, r.file_seen_at, r.version, r.expired_at, r.expire_reason, r.kept_from, "        \
  "r.hold, r.transcribed, "                                                                              \
  "r.status = 'ready' and exists (select 1 from transcripts asked where asked.business_id = "            \
  "r.business_id and asked.recording_sid = r.recording_sid and asked.status <> 'removed')"

enum {
  RECORDING_COLUMN_business_id,
  RECORDING_COLUMN_recording_sid,
  RECORDING_COLUMN_call_sid,
  RECORDING_COLUMN_provider_status,
  RECORDING_COLUMN_url,
  RECORDING_COLUMN_forbidden,
  RECORDING_COLUMN_told_duration_s,
  RECORDING_COLUMN_told_channels,
  RECORDING_COLUMN_source,
  RECORDING_COLUMN_started_at,
  RECORDING_COLUMN_completed_at,
  RECORDING_COLUMN_first_seen_at,
  RECORDING_COLUMN_status,
  RECORDING_COLUMN_rank,
  RECORDING_COLUMN_enqueued_at,
  RECORDING_COLUMN_last_enqueue_at,
  RECORDING_COLUMN_wanted_at,
  RECORDING_COLUMN_next_ask_at,
  RECORDING_COLUMN_lease_owner,
  RECORDING_COLUMN_lease_token,
  RECORDING_COLUMN_lease_until,
  RECORDING_COLUMN_fail_count,
  RECORDING_COLUMN_failed_at,
  RECORDING_COLUMN_next_retry_at,
  RECORDING_COLUMN_error_code,
  RECORDING_COLUMN_for_good,
  RECORDING_COLUMN_asks_404,
  RECORDING_COLUMN_first_404_at,
  RECORDING_COLUMN_crashes,
  RECORDING_COLUMN_retried_1,
  RECORDING_COLUMN_retried_2,
  RECORDING_COLUMN_retried_3,
  RECORDING_COLUMN_stem,
  RECORDING_COLUMN_name,
  RECORDING_COLUMN_bytes,
  RECORDING_COLUMN_total,
  RECORDING_COLUMN_got,
  RECORDING_COLUMN_content_type,
  RECORDING_COLUMN_etag,
  RECORDING_COLUMN_modified_at,
  RECORDING_COLUMN_duration_ms,
  RECORDING_COLUMN_channels,
  RECORDING_COLUMN_sha256,
  RECORDING_COLUMN_ready_at,
  RECORDING_COLUMN_file_seen_at,
  RECORDING_COLUMN_version,
  RECORDING_COLUMN_expired_at,
  RECORDING_COLUMN_expire_reason,
  RECORDING_COLUMN_kept_from,
  RECORDING_COLUMN_hold,
  RECORDING_COLUMN_transcribed,
  RECORDING_COLUMN_transcript_asked,
  RECORDING_COLUMN_COUNT_
};

/* The columns that recordings_store writes, parameters from ?3 on. */
#define RECORDING_STORED_COLUMNS                                                                        \
  "call_sid, provider_status, url, forbidden, told_duration_s, told_channels, source, started_at, "     \
  "completed_at, first_seen_at, status, rank, enqueued_at, last_enqueue_at, wanted_at, next_ask_at, "   \
  "lease_owner, lease_token, lease_until, fail_count, failed_at, next_retry_at, error_code, for_good, " \
  "asks_404, first_404_at, crashes, retried_1, retried_2, retried_3, stem, name, bytes, total, got, "   \
  "content_type, etag, modified_at, duration_ms, channels, sha256, ready_at, file_seen_at, expired_at, expire_reason"
#define RECORDING_STORED_PARAMETERS                                                                      \
  "?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21, ?22, ?23, "   \
  "?24, ?25, ?26, ?27, ?28, ?29, ?30, ?31, ?32, ?33, ?34, ?35, ?36, ?37, ?38, ?39, ?40, ?41, ?42, ?43, " \
  "?44, ?45, ?46, ?47"

/* The same columns as arrays (db_set). */
#define RECORDING_STORED_ARRAYS                                                                \
  "?3::text[], ?4::text[], ?5::text[], ?6::bigint[], ?7::bigint[], ?8::bigint[], ?9::text[], " \
  "?10::bigint[], ?11::bigint[], ?12::bigint[], ?13::text[], ?14::bigint[], ?15::bigint[], "   \
  "?16::bigint[], ?17::bigint[], ?18::bigint[], ?19::text[], ?20::bigint[], ?21::bigint[], "   \
  "?22::bigint[], ?23::bigint[], ?24::bigint[], ?25::text[], ?26::bigint[], ?27::bigint[], "   \
  "?28::bigint[], ?29::bigint[], ?30::bigint[], ?31::bigint[], ?32::bigint[], ?33::text[], "   \
  "?34::text[], ?35::bigint[], ?36::bigint[], ?37::bigint[], ?38::text[], ?39::text[], "       \
  "?40::bigint[], ?41::bigint[], ?42::bigint[], ?43::text[], ?44::bigint[], ?45::bigint[], "   \
  "?46::bigint[], ?47::text[]"

/* "None" is 0 or "" in the struct and NULL in the table, as operators expect it in their queries. */
static inline struct db_value recording_time(int64_t ms) {
  return ms ? DB_INT(ms) : DB_NULL;
}
static inline struct db_value recording_text(const char *s) {
  return s[0] ? DB_TEXT(str_from(s)) : DB_NULL;
}

/* Every column but the key, `fields` and `version`, in the order of RECORDING_STORED_COLUMNS from ?3. */
#define RECORDING_STORED_VALUES(r)                                                                              \
  recording_text((r)->call_sid), DB_TEXT(str_from((r)->provider_status)), DB_TEXT(str_from((r)->url)),          \
      DB_INT((r)->forbidden), recording_time((r)->provider_duration_s), recording_time((r)->provider_channels), \
      recording_text((r)->source), recording_time((r)->started_at), recording_time((r)->completed_at),          \
      DB_INT((r)->first_seen_at), DB_TEXT(str_from(recording_status_name((r)->status))), DB_INT((r)->rank),     \
      recording_time((r)->enqueued_at), recording_time((r)->last_enqueue_at), recording_time((r)->wanted_at),   \
      recording_time((r)->next_ask_at), recording_text((r)->lease_owner), DB_INT((r)->lease_token),             \
      recording_time((r)->lease_until), DB_INT((r)->fail_count), recording_time((r)->failed_at),                \
      recording_time((r)->next_retry_at), recording_text((r)->error_code), DB_INT((r)->permanent),              \
      DB_INT((r)->not_found_count), recording_time((r)->first_404_at), DB_INT((r)->crashes),                    \
      recording_time((r)->retried[0]), recording_time((r)->retried[1]), recording_time((r)->retried[2]),        \
      recording_text((r)->stem), recording_text((r)->name), recording_time((r)->bytes),                         \
      DB_INT_OR_NULL((r)->announced_bytes), DB_INT((r)->received_bytes), recording_text((r)->content_type),     \
      recording_text((r)->etag), recording_time((r)->modified_at), DB_INT_OR_NULL((r)->duration_ms),            \
      recording_time((r)->channels), recording_text((r)->sha256), recording_time((r)->ready_at),                \
      recording_time((r)->file_seen_at), recording_time((r)->expired_at), recording_text((r)->expire_reason)

/* The kind of change that `changes` gets for a row that was replaced. PROGRESS: only received bytes or the lease changed, so
 * answers given before stay right. */
static inline enum change_kind recording_change(const struct recording *old, const struct recording *next) {
  bool is_progress = old->status == RECORDING_DOWNLOADING && next->status == RECORDING_DOWNLOADING &&
                     old->lease_token == next->lease_token;
  return is_progress ? CHANGE_PROGRESS : CHANGE_RECORDING;
}

CHECKED enum err recordings_read_row(struct db_rows *q, struct recording *ret_row);
/* Reads the first row. ERR_NOT_FOUND: there is none. */
CHECKED enum err recordings_read_one(struct db_rows *q, struct recording *ret_row);
CHECKED enum err recordings_read_each(struct db_rows *q, recordings_each_fn *fn, void *arg);
