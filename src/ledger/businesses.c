/* businesses.c - tenants.
 *
 *   LIVE --businesses_remove--> REMOVED --businesses_purge, repeatedly--> PURGED (only the id is left)
 *
 * Invariants
 *  (1) A sealed column is bound to "business:{id}:{column}": in another row or column it can't be decrypted.
 *  (2) A change of the credentials or base_url adds one to credentials_version and restarts a stopped account.
 *  (3) A row is never deleted, so an id is never reused, even if a caller asks for it. */
#include "ledger/businesses.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ledger/removed_calls.h"
#include "ledger/calls_upkeep.h"
#include "ledger/changes.h"
#include "ledger/keys.h"
#include "ledger/notes.h"
#include "ledger/businesses_speech.h"
#include "ledger/sessions.h"
#include "ledger/tasks.h"
#include "ledger/transcripts.h"

enum { BUSINESS_ID_MAX = 1000000000, BOUND_MAX = 64, SEALED_MAX = BUSINESS_SECRET_SIZE + 64 };

#define BUSINESS_COLUMNS                                                                                   \
  "business_id, name, account_sid, token_1, token_2, api_key, api_secret, base_url, credentials_version, " \
  "auth_failed_at, created_at, removed_at, retention_days, retention_metadata_days"
enum { COLUMN_TOKEN_1 = 3, COLUMN_TOKEN_2 = 4, COLUMN_API_SECRET = 6 };

void business_done(struct business *b) {
  secret_wipe(b->tokens, sizeof(b->tokens));
  secret_wipe(b->api_secret, sizeof(b->api_secret));
  free(b->numbers);
  b->numbers = NULL;
  b->number_count = 0;
}

/* --- sealed columns --- */

static enum err open_column(const uint8_t *secrets_key, int64_t id, const char *column, struct str sealed,
                            char ret_text[BUSINESS_SECRET_SIZE]) {
  if (!sealed.p || !secrets_key) return OK;
  struct buf bound CLEANUP(buf_done) = BUF_INIT(BOUND_MAX);
  struct buf plain CLEANUP(secret_buf_done) = BUF_INIT(SEALED_MAX);
  TRY(buf_addf(&bound, "business:%lld:%s", (long long)id, column));
  TRY(secret_open(secrets_key, buf_str(&bound), sealed, &plain));
  return str_copy(ret_text, BUSINESS_SECRET_SIZE, buf_str(&plain)) == OK ? OK : ERR_CORRUPT;
}

/* An empty text leaves b empty, so the column becomes null. */
static enum err secrets_key_seal_column(const uint8_t *secrets_key, int64_t id, const char *column, const char *text,
                                        struct buf *b) {
  if (text[0] == '\0') return OK;
  struct buf bound CLEANUP(buf_done) = BUF_INIT(BOUND_MAX);
  TRY(buf_addf(&bound, "business:%lld:%s", (long long)id, column));
  return secret_seal(secrets_key, buf_str(&bound), str_from(text), b);
}

/* --- reading --- */

static enum err business_add_number(struct business *b, struct str number) {
  if (b->number_count == BUSINESS_NUMBERS_MAX) return ERR_CORRUPT;
  char(*more)[BUSINESS_NUMBER_SIZE] = realloc(b->numbers, (b->number_count + 1) * sizeof(*more));
  if (!more) return ERR_NOMEM;
  b->numbers = more;
  if (str_copy(more[b->number_count], sizeof(*more), number) != OK) return ERR_CORRUPT;
  b->number_count++;
  return OK;
}

static enum err read_numbers(struct db *db, struct business *b) {
  struct db_rows q CLEANUP(db_rows_done) = DB_ROWS;
  TRY(db_query(db, &q, "select number from business_numbers where business_id = ?1 order by number",
               DB_INT(b->business_id)));
  enum err e;
  while ((e = db_next(&q)) == OK) TRY(business_add_number(b, db_text(&q, 0)));
  return e == ERR_NOT_FOUND ? OK : e;
}

static enum err read_texts(struct db_rows *q, const uint8_t *secrets_key, struct business *b) {
  enum err e = str_copy(b->name, sizeof(b->name), db_text(q, 1));
  if (e == OK) e = str_copy(b->account_sid, sizeof(b->account_sid), db_text(q, 2));
  if (e == OK) e = str_copy(b->api_key, sizeof(b->api_key), db_text(q, 5));
  if (e == OK) e = str_copy(b->base_url, sizeof(b->base_url), db_text(q, 7));
  if (e != OK) return ERR_CORRUPT;
  int64_t id = b->business_id;
  TRY(open_column(secrets_key, id, "token_1", db_text(q, COLUMN_TOKEN_1), b->tokens[0]));
  TRY(open_column(secrets_key, id, "token_2", db_text(q, COLUMN_TOKEN_2), b->tokens[1]));
  return open_column(secrets_key, id, "api_secret", db_text(q, COLUMN_API_SECRET), b->api_secret);
}

/* Reads the current row, without the numbers. The caller calls business_done, also after an error. */
static enum err read_business(struct db_rows *q, const uint8_t *secrets_key, struct business *b) {
  b->business_id = db_int(q, 0);
  b->has_token = !db_is_null(q, COLUMN_TOKEN_1) || !db_is_null(q, COLUMN_TOKEN_2);
  b->has_api_secret = !db_is_null(q, COLUMN_API_SECRET);
  b->credentials_version = db_int(q, 8);
  b->auth_failed_at = db_int(q, 9);
  b->created_at = db_int(q, 10);
  b->removed_at = db_int(q, 11);
  b->retention_days = db_int_or(q, 12, -1);
  b->metadata_days = db_int(q, 13);
  return read_texts(q, secrets_key, b);
}

enum err businesses_get(struct db *db, const uint8_t *secrets_key, int64_t id, struct business *ret_business) {
  struct db_rows q CLEANUP(db_rows_done) = DB_ROWS;
  struct business b CLEANUP(business_done) = {0};
  TRY(db_query(db, &q, "select " BUSINESS_COLUMNS " from businesses where business_id = ?1 and removed_at is null",
               DB_INT(id)));
  TRY(db_next(&q));
  TRY(read_business(&q, secrets_key, &b));
  TRY(read_numbers(db, &b));
  *ret_business = b;
  b.numbers = NULL; /* the caller owns them now */
  return OK;
}

/* The numbers of all businesses, in order of business and number. */
struct numbers {
  struct db_rows q;
  bool is_at_row;
};

static void numbers_done(struct numbers *n) {
  db_rows_done(&n->q);
}

static enum err numbers_next(struct numbers *n) {
  enum err e = db_next(&n->q);
  n->is_at_row = e == OK;
  return e == ERR_NOT_FOUND ? OK : e;
}

static enum err numbers_open(struct db *db, struct numbers *n) {
  TRY(db_query(db, &n->q, "select business_id, number from business_numbers order by business_id, number"));
  return numbers_next(n);
}

/* Adds those of b, which is behind the business of the last call. */
static enum err numbers_take(struct numbers *n, struct business *b) {
  while (n->is_at_row && db_int(&n->q, 0) <= b->business_id) {
    if (db_int(&n->q, 0) == b->business_id) TRY(business_add_number(b, db_text(&n->q, 1)));
    TRY(numbers_next(n));
  }
  return OK;
}

enum err businesses_each(struct db *db, const uint8_t *secrets_key, bool removed_too, businesses_each_fn *fn,
                         void *arg) {
  struct db_rows q CLEANUP(db_rows_done) = DB_ROWS;
  struct numbers numbers CLEANUP(numbers_done) = {.q = DB_ROWS};
  TRY(db_query(db, &q,
               "select " BUSINESS_COLUMNS " from businesses where purged_at is null and (removed_at is null or ?1 <> 0)"
               " order by business_id",
               DB_INT(removed_too)));
  enum err e = db_next(&q);
  if (e == OK) TRY(numbers_open(db, &numbers));
  for (; e == OK; e = db_next(&q)) {
    struct business b CLEANUP(business_done) = {0};
    TRY(read_business(&q, secrets_key, &b));
    TRY(numbers_take(&numbers, &b));
    TRY(fn(arg, &b));
  }
  return e == ERR_NOT_FOUND ? OK : e;
}

enum err businesses_next(struct db *db, int64_t after, int64_t *ret_id) {
  struct db_rows q CLEANUP(db_rows_done) = DB_ROWS;
  TRY(db_query(db, &q, "select business_id from businesses where business_id > ?1 order by business_id limit 1",
               DB_INT(after)));
  TRY(db_next(&q));
  *ret_id = db_int(&q, 0);
  return OK;
}

enum err businesses_find_account(struct db *db, struct str account_sid, int64_t *ret_id) {
  struct db_rows q CLEANUP(db_rows_done) = DB_ROWS;
  TRY(db_query(
      db, &q,
      "select business_id from businesses where account_sid = ?1 and removed_at is null order by business_id limit 1",
      DB_TEXT(account_sid)));
  TRY(db_next(&q));
  *ret_id = db_int(&q, 0);
  return OK;
}

/* --- writing --- */

static bool is_e164(struct str s) {
  if (s.n < 3 || s.n >= BUSINESS_NUMBER_SIZE || s.p[0] != '+' || s.p[1] == '0') return false;
  for (size_t i = 1; i < s.n; i++) {
    if (s.p[i] < '0' || s.p[i] > '9') return false;
  }
  return true;
}

static enum err edit_text(char *dst, size_t size, const struct str *value) {
  if (!value) return OK;
  if (!str_is_utf8(*value)) return ERR_INVALID;
  return str_copy(dst, size, *value) == OK ? OK : ERR_INVALID;
}

static enum err edit_numbers(struct db *db, int64_t id, const struct business_edit *edit) {
  if (!edit->set_numbers) return OK;
  if (edit->number_count > BUSINESS_NUMBERS_MAX) return ERR_TOO_BIG;
  TRY(db_run(db, "delete from business_numbers where business_id = ?1", DB_INT(id)));
  for (size_t i = 0; i < edit->number_count; i++) {
    if (!is_e164(edit->numbers[i])) return ERR_INVALID;
    TRY(db_run(db,
               "insert into business_numbers (business_id, number) values (?1, ?2)"
               " on conflict (business_id, number) do nothing",
               DB_INT(id), DB_TEXT(edit->numbers[i])));
  }
  return OK;
}

static enum err edit_texts(struct business *b, const struct business_edit *edit) {
  TRY(edit_text(b->name, sizeof(b->name), edit->name));
  TRY(edit_text(b->account_sid, sizeof(b->account_sid), edit->account_sid));
  TRY(edit_text(b->tokens[0], sizeof(b->tokens[0]), edit->tokens));
  TRY(edit_text(b->tokens[1], sizeof(b->tokens[1]), !edit->tokens ? NULL : &edit->tokens[1]));
  TRY(edit_text(b->api_key, sizeof(b->api_key), edit->api_key));
  TRY(edit_text(b->api_secret, sizeof(b->api_secret), edit->api_secret));
  TRY(edit_text(b->base_url, sizeof(b->base_url), edit->base_url));
  return b->name[0] == '\0' ? ERR_INVALID : OK;
}

static bool same_secret(const char *a, const char *b) {
  return secret_equal(str_from(a), str_from(b));
}

static bool same_credentials(const struct business *a, const struct business *b) {
  return strcmp(a->account_sid, b->account_sid) == 0 && strcmp(a->api_key, b->api_key) == 0 &&
         strcmp(a->base_url, b->base_url) == 0 && same_secret(a->tokens[0], b->tokens[0]) &&
         same_secret(a->tokens[1], b->tokens[1]) && same_secret(a->api_secret, b->api_secret);
}

static struct db_value blob_or_null(const struct buf *b) {
  return b->n > 0 ? DB_BLOB(buf_str(b)) : DB_NULL;
}

static enum err store_business(struct db *db, const uint8_t *secrets_key, const struct business *b) {
  struct buf token_1 CLEANUP(buf_done) = BUF_INIT(SEALED_MAX);
  struct buf token_2 CLEANUP(buf_done) = BUF_INIT(SEALED_MAX);
  struct buf api_secret CLEANUP(buf_done) = BUF_INIT(SEALED_MAX);
  TRY(secrets_key_seal_column(secrets_key, b->business_id, "token_1", b->tokens[0], &token_1));
  TRY(secrets_key_seal_column(secrets_key, b->business_id, "token_2", b->tokens[1], &token_2));
  TRY(secrets_key_seal_column(secrets_key, b->business_id, "api_secret", b->api_secret, &api_secret));
  return db_run(db,
                "update businesses set name = ?2, account_sid = ?3, token_1 = ?4, token_2 = ?5, api_key = ?6,"
                " api_secret = ?7, base_url = ?8 where business_id = ?1",
                DB_INT(b->business_id), DB_TEXT(str_from(b->name)), DB_FILLED_OR_NULL(b->account_sid),
                blob_or_null(&token_1), blob_or_null(&token_2), DB_FILLED_OR_NULL(b->api_key),
                blob_or_null(&api_secret), DB_FILLED_OR_NULL(b->base_url));
}

/* True: the column does not open with the key alone. */
static bool needs_seal(const uint8_t *secrets_key, int64_t id, const char *column, struct str sealed) {
  struct buf bound CLEANUP(buf_done) = BUF_INIT(BOUND_MAX);
  struct buf plain CLEANUP(secret_buf_done) = BUF_INIT(SEALED_MAX);
  return sealed.p && buf_addf(&bound, "business:%lld:%s", (long long)id, column) == OK &&
         secret_open_strictly(secrets_key, buf_str(&bound), sealed, &plain) == ERR_CORRUPT;
}

/* Sets the ids of the businesses of this part whose secrets need another seal. */
static enum err reseal_find(struct db *db, const uint8_t *secrets_key, int64_t *after, int64_t *ids, size_t *ret_count,
                            bool *ret_more) {
  static const char *const columns[] = {"token_1", "token_2", "api_secret"};
  struct db_rows q CLEANUP(db_rows_done) = DB_ROWS;
  int seen = 0;
  enum err e;
  *ret_count = 0;
  TRY(db_query(db, &q,
               "select business_id, token_1, token_2, api_secret from businesses"
               " where business_id > ?1 order by business_id limit ?2",
               DB_INT(*after), DB_INT(BUSINESSES_RESEAL_MAX)));
  for (; (e = db_next(&q)) == OK; seen++) {
    int64_t id = db_int(&q, 0);
    bool needed = false;
    for (int i = 0; i < (int)COUNT_OF(columns); i++)
      needed = needed || needs_seal(secrets_key, id, columns[i], db_text(&q, 1 + i));
    if (needed) ids[(*ret_count)++] = id;
    *after = id;
  }
  *ret_more = seen == BUSINESSES_RESEAL_MAX;
  return e == ERR_NOT_FOUND ? OK : e;
}

enum err businesses_reseal(struct db *db, const uint8_t secrets_key[SECRET_KEY_SIZE], int64_t *after, int64_t *resealed,
                           bool *ret_more) {
  int64_t ids[BUSINESSES_RESEAL_MAX];
  size_t count;
  TRY(reseal_find(db, secrets_key, after, ids, &count, ret_more));
  for (size_t i = 0; i < count; i++) {
    struct business b CLEANUP(business_done) = {0};
    enum err e = businesses_get(db, secrets_key, ids[i], &b);
    if (e == ERR_NOT_FOUND || e == ERR_CORRUPT) continue; /* removed; or sealed with a third key: check tells of it */
    TRY(e);
    TRY(store_business(db, secrets_key, &b));
    ++*resealed;
  }
  return OK;
}

static enum err insert_business(struct db *db, int64_t id, int64_t *ret_id) {
  struct db_rows q CLEANUP(db_rows_done) = DB_ROWS;
  if (id > 0)
    TRY(db_query(db, &q,
                 "insert into businesses (business_id, name, created_at) values (?1, '', ?2) returning business_id",
                 DB_INT(id), DB_INT(db_now_ms(db))));
  else
    TRY(db_query(db, &q, "insert into businesses (name, created_at) values ('', ?1) returning business_id",
                 DB_INT(db_now_ms(db))));
  TRY(db_next(&q));
  *ret_id = db_int(&q, 0);
  return OK;
}

/* The days that the edit changes. */
static enum err edit_days(struct db *db, int64_t id, const struct business_edit *edit) {
  bool good = (!edit->set_retention || (edit->retention_days >= -1 && edit->retention_days <= BUSINESS_DAYS_MAX)) &&
              (!edit->set_metadata || (edit->metadata_days >= 0 && edit->metadata_days <= BUSINESS_DAYS_MAX));
  if (!good) return ERR_INVALID;
  return db_run(db,
                "update businesses set retention_days = case when ?2 <> 0 then ?3 else retention_days end,"
                " retention_metadata_days = case when ?4 <> 0 then ?5 else retention_metadata_days end"
                " where business_id = ?1",
                DB_INT(id), DB_INT(edit->set_retention), DB_INT_OR_NULL(edit->retention_days),
                DB_INT(edit->set_metadata), DB_INT(edit->metadata_days));
}

static bool same_days(const struct business *b, const struct business_edit *edit) {
  return (!edit->set_retention || edit->retention_days == b->retention_days) &&
         (!edit->set_metadata || edit->metadata_days == b->metadata_days);
}

enum err businesses_add(struct db *db, const uint8_t secrets_key[SECRET_KEY_SIZE], int64_t id,
                        const struct business_edit *edit, int64_t *ret_id) {
  if (id < 0 || id > BUSINESS_ID_MAX) return ERR_INVALID;
  struct business b CLEANUP(business_done) = {0};
  TRY(edit_texts(&b, edit));
  TRY(insert_business(db, id, &b.business_id));
  TRY(store_business(db, secrets_key, &b));
  TRY(edit_numbers(db, b.business_id, edit));
  if (edit->set_retention || edit->set_metadata) TRY(edit_days(db, b.business_id, edit));
  TRY(businesses_speech_set(db, b.business_id, edit->transcribe, edit->language, edit->vocabulary));
  TRY(changes_add(db, CHANGE_BUSINESS, b.business_id, STR("")));
  *ret_id = b.business_id;
  return OK;
}

/* Reads the current row. If its secrets can't be decrypted, an edit that replaces all of them continues without. */
static enum err read_for_edit(struct db *db, const uint8_t *secrets_key, int64_t id, const struct business_edit *edit,
                              struct business *ret_now, bool *ret_opened) {
  enum err e = businesses_get(db, secrets_key, id, ret_now);
  *ret_opened = e == OK;
  if (e != ERR_CORRUPT) return e;
  TRY(businesses_get(db, NULL, id, ret_now));
  bool lost = (ret_now->has_token && !edit->tokens) || (ret_now->has_api_secret && !edit->api_secret);
  return lost ? ERR_CORRUPT : OK;
}

static bool same_numbers(const struct business *b, const struct business_edit *edit) {
  if (!edit->set_numbers) return true;
  for (size_t i = 0; i < edit->number_count; i++) {
    bool found = false;
    for (size_t j = 0; j < b->number_count && !found; j++) found = str_eq(edit->numbers[i], str_from(b->numbers[j]));
    if (!found) return false;
  }
  return edit->number_count == b->number_count;
}

enum err businesses_set(struct db *db, const uint8_t secrets_key[SECRET_KEY_SIZE], int64_t id,
                        const struct business_edit *edit, bool *ret_new_credentials) {
  struct business now CLEANUP(business_done) = {0};
  bool opened;
  TRY(read_for_edit(db, secrets_key, id, edit, &now, &opened));
  struct business next CLEANUP(business_done) = now;
  next.numbers = NULL; /* `now` owns them */
  TRY(edit_texts(&next, edit));
  bool new_credentials = !opened || !same_credentials(&now, &next);
  bool other_numbers = !same_numbers(&now, edit);
  bool other_days = !same_days(&now, edit);
  bool other_name = strcmp(now.name, next.name) != 0;
  if (new_credentials || other_name) TRY(store_business(db, secrets_key, &next));
  if (new_credentials) {
    TRY(db_run(db,
               "update businesses set credentials_version = credentials_version + 1, auth_failed_at = null,"
               " auth_trial_at = null, auth_suspect_sid = null, error_streak = 0 where business_id = ?1",
               DB_INT(id)));
    TRY(tasks_resume(db, id));
  }
  if (other_numbers) TRY(edit_numbers(db, id, edit));
  if (other_days) TRY(edit_days(db, id, edit));
  bool other_speech = edit->transcribe || edit->language || edit->vocabulary;
  if (other_speech) TRY(businesses_speech_set(db, id, edit->transcribe, edit->language, edit->vocabulary));
  if (new_credentials || other_name || other_numbers || other_days || other_speech)
    TRY(changes_add(db, CHANGE_BUSINESS, id, STR("")));
  *ret_new_credentials = new_credentials;
  return OK;
}

enum err businesses_next_retention(struct db *db, int64_t after, int64_t default_days, int64_t *ret_id,
                                   int64_t *ret_days) {
  struct db_rows q CLEANUP(db_rows_done) = DB_ROWS;
  if (default_days > 0)
    TRY(db_query(db, &q,
                 "select business_id, coalesce(retention_days, ?2) from businesses where business_id > ?1"
                 " and purged_at is null order by business_id limit 1",
                 DB_INT(after), DB_INT(default_days)));
  else
    TRY(db_query(db, &q,
                 "select business_id, retention_days from businesses indexed by businesses_retained"
                 " where business_id > ?1 and retention_days > 0 and purged_at is null order by business_id limit 1",
                 DB_INT(after)));
  TRY(db_next(&q));
  *ret_id = db_int(&q, 0);
  *ret_days = db_int(&q, 1);
  return OK;
}

enum err businesses_next_metadata(struct db *db, int64_t after, int64_t default_days, int64_t *ret_id,
                                  int64_t *ret_days) {
  struct db_rows q CLEANUP(db_rows_done) = DB_ROWS;
  TRY(db_query(db, &q,
               "select business_id, retention_metadata_days, coalesce(retention_days, ?2) from businesses"
               " indexed by businesses_metadata where business_id > ?1 and retention_metadata_days > 0"
               " and purged_at is null order by business_id limit 1",
               DB_INT(after), DB_INT(default_days)));
  TRY(db_next(&q));
  int64_t days = db_int(&q, 1), kept = db_int(&q, 2);
  *ret_id = db_int(&q, 0);
  *ret_days = kept == 0 ? 0 : days < kept ? kept : days;
  return OK;
}

enum err businesses_remove(struct db *db, int64_t id) {
  TRY(db_run(db, "update businesses set removed_at = ?2 where business_id = ?1 and removed_at is null", DB_INT(id),
             DB_INT(db_now_ms(db))));
  if (db_changed(db) == 0) return ERR_NOT_FOUND;
  bool left; /* no key of a removed business is good for anything */
  TRY(keys_revoke_some(db, id, &left));
  TRY(sessions_end_all(db, id));
  return changes_add(db, CHANGE_BUSINESS, id, STR(""));
}

enum err business_edit_write(struct buf *b, const struct business_edit *edit) {
  const struct {
    const char *name;
    bool is_set;
  } fields[] = {{"name", edit->name},
                {"account_sid", edit->account_sid},
                {"auth_token", edit->tokens},
                {"api_key", edit->api_key},
                {"base_url", edit->base_url},
                {"numbers", edit->set_numbers},
                {"retention", edit->set_retention},
                {"retention_metadata", edit->set_metadata},
                {"transcribe", edit->transcribe},
                {"language", edit->language},
                {"vocabulary", edit->vocabulary}};
  bool some = false;
  TRY(buf_add(b, STR("{\"fields\":[")));
  for (size_t i = 0; i < COUNT_OF(fields); i++) {
    if (!fields[i].is_set) continue;
    TRY(buf_addf(b, "%s\"%s\"", some ? "," : "", fields[i].name));
    some = true;
  }
  TRY(buf_add_char(b, ']'));
  if (edit->set_retention && edit->retention_days < 0) TRY(buf_add(b, STR(",\"retention_days\":null")));
  if (edit->set_retention && edit->retention_days >= 0)
    TRY(buf_addf(b, ",\"retention_days\":%lld", (long long)edit->retention_days));
  if (edit->set_metadata) TRY(buf_addf(b, ",\"retention_metadata_days\":%lld", (long long)edit->metadata_days));
  return buf_add_char(b, '}');
}

enum err businesses_has_number(struct db *db, int64_t id, struct str number, bool *ret_has) {
  struct db_rows q CLEANUP(db_rows_done) = DB_ROWS;
  TRY(db_query(db, &q, "select 1 from business_numbers where business_id = ?1 and number = ?2", DB_INT(id),
               DB_TEXT(number)));
  enum err e = db_next(&q);
  if (e != OK && e != ERR_NOT_FOUND) return e;
  *ret_has = e == OK;
  return OK;
}

static enum err may_purge(struct db *db, int64_t id) {
  struct db_rows q CLEANUP(db_rows_done) = DB_ROWS;
  TRY(db_query(db, &q, "select removed_at is null from businesses where business_id = ?1 and purged_at is null",
               DB_INT(id)));
  TRY(db_next(&q));
  return db_int(&q, 0) != 0 ? ERR_CONFLICT : OK;
}

/* Deletes at most limit sessions, links, URLs, tasks, keys and kept rows of holds each. */
static enum err purge_access(struct db *db, int64_t id, int limit, bool *ret_left) {
  TRY(db_run(db, "delete from sessions where digest in (select digest from sessions where business_id = ?1 limit ?2)",
             DB_INT(id), DB_INT(limit)));
  int64_t most = db_changed(db);
  TRY(db_run(db, "delete from links where digest in (select digest from links where business_id = ?1 limit ?2)",
             DB_INT(id), DB_INT(limit)));
  if (db_changed(db) > most) most = db_changed(db);
  TRY(db_run(db, "delete from urls where url_id in (select url_id from urls where business_id = ?1 limit ?2)",
             DB_INT(id), DB_INT(limit)));
  if (db_changed(db) > most) most = db_changed(db);
  TRY(db_run(db, "delete from tasks where task_id in (select task_id from tasks where business_id = ?1 limit ?2)",
             DB_INT(id), DB_INT(limit)));
  if (db_changed(db) > most) most = db_changed(db);
  TRY(db_run(db, "delete from keys where key_id in (select key_id from keys where business_id = ?1 limit ?2)",
             DB_INT(id), DB_INT(limit)));
  if (db_changed(db) > most) most = db_changed(db);
  TRY(db_run(db,
             "delete from hold_keeps where business_id = ?1 and (sid, hold_id) in"
             " (select sid, hold_id from hold_keeps where business_id = ?1 limit ?2)",
             DB_INT(id), DB_INT(limit)));
  if (db_changed(db) > most) most = db_changed(db);
  *ret_left = most == limit;
  return OK;
}

enum err businesses_purge(struct db *db, int64_t id, int limit, bool *ret_left) {
  TRY(may_purge(db, id));
  TRY(db_run(db,
             "delete from recordings where business_id = ?1"
             " and recording_sid in (select recording_sid from recordings where business_id = ?1 limit ?2)",
             DB_INT(id), DB_INT(limit)));
  int64_t room = limit - db_changed(db);
  TRY(db_run(db,
             "delete from calls where business_id = ?1"
             " and call_sid in (select call_sid from calls where business_id = ?1 limit ?2)",
             DB_INT(id), DB_INT(room)));
  room -= db_changed(db);
  if (room <= 0) {
    *ret_left = true;
    return OK;
  }
  int documents, notes, transcripts;
  TRY(notes_purge(db, id, (int)room, &notes));
  TRY(transcripts_purge(db, id, (int)room - notes, &transcripts));
  room -= notes + transcripts;
  if (room <= 0) {
    *ret_left = true;
    return OK;
  }
  TRY(removed_calls_purge(db, id, (int)room, ret_left));
  if (*ret_left) return OK;
  TRY(calls_upkeep_delete(db, limit / 2, &documents));
  if (documents) {
    *ret_left = true;
    return OK;
  }
  TRY(purge_access(db, id, limit, ret_left));
  if (*ret_left) return OK;
  TRY(db_run(db, "delete from business_numbers where business_id = ?1", DB_INT(id)));
  TRY(db_run(db, "delete from retries where business_id = ?1", DB_INT(id)));
  TRY(db_run(db, "delete from last_webhooks where business_id = ?1", DB_INT(id)));
  TRY(tasks_resume(db, id));
  TRY(db_run(db, "delete from holds where business_id = ?1", DB_INT(id)));
  TRY(db_run(db,
             "update businesses set name = '', account_sid = null, token_1 = null, token_2 = null, api_key = null,"
             " api_secret = null, base_url = null, speech_vocabulary = null, purged_at = ?2 where business_id = ?1",
             DB_INT(id), DB_INT(db_now_ms(db))));
  *ret_left = false;
  return OK;
}
