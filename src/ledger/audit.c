/* audit.c - see audit.h.
 *
 * Invariants
 *  (1) Entries of a business are numbered without gaps, in the order of their commits: the row of audit_heads is written first,
 *      so that another process's transaction waits until this one ends.
 *  (2) An entry is never updated. Only audit_cut deletes, from the old end.
 *  (3) The head says which number and digest come last, so that an append reads one row, however long the chain is. */
#include "ledger/audit.h"

#include <stdio.h>

#include "ledger/audit_row.h"
#include "ledger/audit_spans.h"

/* All texts at their longest, with their lengths, after the digest before and three numbers. */
enum {
  AUDIT_TEXTS_MAX =
      AUDIT_ACTOR_SIZE + AUDIT_ROLE_SIZE + AUDIT_ACTION_SIZE + AUDIT_OBJECT_SIZE + AUDIT_IP_SIZE + AUDIT_DETAILS_SIZE,
  AUDIT_BYTES_MAX = AUDIT_DIGEST_SIZE + 3 * 8 + 6 * 4 + AUDIT_TEXTS_MAX
};

static const char *const action_names[] = {
#define X(name, text, object) text,
#include "ledger/audit_action.def"
#undef X
};

const char *audit_action_name(enum audit_action action) {
  return action_names[action];
}

bool audit_action_exists(struct str name) {
  for (size_t i = 0; i < AUDIT_ACTION_COUNT_; i++)
    if (str_eq(name, str_from(action_names[i]))) return true;
  return false;
}

/* ---- digests ---- */

static size_t add_number(uint8_t *to, uint64_t number, size_t bytes) {
  for (size_t i = 0; i < bytes; i++) to[i] = (uint8_t)(number >> 8 * (bytes - 1 - i));
  return bytes;
}

enum err audit_digest(const struct audit_row *row, struct str before, char ret_digest[AUDIT_DIGEST_SIZE]) {
  const int64_t numbers[] = {row->business_id, row->number, row->at};
  const struct str texts[] = {row->actor, row->role, row->action, row->object, row->ip, row->details};
  uint8_t bytes[AUDIT_BYTES_MAX], digest[SHA256_SIZE];
  size_t n = before.n;
  if (before.n != AUDIT_DIGEST_SIZE - 1) return ERR_TOO_BIG;
  memcpy(bytes, before.p, before.n);
  for (size_t i = 0; i < COUNT_OF(numbers); i++) n += add_number(bytes + n, (uint64_t)numbers[i], 8);
  for (size_t i = 0; i < COUNT_OF(texts); i++) {
    if (texts[i].n + 4 > sizeof(bytes) - n) return ERR_TOO_BIG;
    n += add_number(bytes + n, texts[i].n, 4);
    if (texts[i].n) memcpy(bytes + n, texts[i].p, texts[i].n);
    n += texts[i].n;
  }
  secret_sha256(str_of((const char *)bytes, n), digest);
  hex_encode(digest, sizeof(digest), ret_digest);
  return OK;
}

/* ---- appending ---- */

static bool audit_entry_fits(const struct audit_entry *e) {
  return e->actor.n < AUDIT_ACTOR_SIZE && e->role.n < AUDIT_ROLE_SIZE && e->object.n < AUDIT_OBJECT_SIZE &&
         e->ip.n < AUDIT_IP_SIZE && e->details.n < AUDIT_DETAILS_SIZE;
}

/* The end of a chain, as audit_heads has it. */
struct audit_end {
  int64_t number, filed;
  char digest[AUDIT_DIGEST_SIZE];
};

/* Takes the next count numbers (1). ret_end: its digest is still that of the entry before them. */
static enum err audit_take_numbers(struct db *db, int64_t business_id, int64_t first_at, size_t count,
                                   struct audit_end *ret_end) {
  struct db_rows q CLEANUP(db_rows_done) = DB_ROWS;
  TRY(db_query(db, &q,
               "insert into audit_heads (business_id, number, digest, first_at) values (?1, ?2, ?3, ?4)"
               " on conflict (business_id) do update set number = audit_heads.number + ?2,"
               " first_at = coalesce(audit_heads.first_at, ?4) returning number, digest, filed",
               DB_INT(business_id), DB_INT(count), DB_TEXT(STR(AUDIT_NO_DIGEST)), DB_INT(first_at)));
  TRY(db_next(&q));
  ret_end->number = db_int(&q, 0);
  ret_end->filed = db_int(&q, 2);
  return str_copy(ret_end->digest, sizeof(ret_end->digest), db_text(&q, 1)) == OK ? OK : ERR_CORRUPT;
}

static enum err audit_insert(struct db *db, const struct audit_row *r) {
  return db_run(db,
                "insert into audit (business_id, number, at, actor, role, action, object, ip, details, digest)"
                " values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
                DB_INT(r->business_id), DB_INT(r->number), DB_INT(r->at), DB_TEXT(r->actor), DB_TEXT(r->role),
                DB_TEXT(r->action), DB_TEXT(r->object), DB_TEXT(r->ip), DB_TEXT(r->details), DB_TEXT(r->digest));
}

enum err audit_append_all(struct db *db, int64_t business_id, const struct audit_entry *entries, size_t count) {
  struct audit_end end;
  if (!count) return OK;
  if (count > AUDIT_APPEND_MAX) return ERR_TOO_BIG;
  for (size_t i = 0; i < count; i++)
    if (!audit_entry_fits(&entries[i])) return ERR_TOO_BIG;
  TRY(audit_take_numbers(db, business_id, entries[0].at, count, &end));
  for (size_t i = 0; i < count; i++) {
    const struct audit_entry *e = &entries[i];
    char before[AUDIT_DIGEST_SIZE];
    struct audit_row r = {business_id, end.number - (int64_t)(count - 1 - i),
                          e->at,       e->actor,
                          e->role,     str_from(audit_action_name(e->action)),
                          e->object,   e->ip,
                          e->details,  STR_NONE};
    memcpy(before, end.digest, sizeof(before));
    TRY(audit_digest(&r, str_from(before), end.digest));
    r.digest = str_from(end.digest);
    TRY(audit_insert(db, &r));
  }
  TRY(audit_spans_file(db, business_id, end.number, &end.filed));
  return db_run(db, "update audit_heads set digest = ?2, filed = ?3 where business_id = ?1", DB_INT(business_id),
                DB_TEXT(str_from(end.digest)), DB_INT(end.filed));
}

enum err audit_append(struct db *db, int64_t business_id, const struct audit_entry *entry) {
  return audit_append_all(db, business_id, entry, 1);
}

enum err audit_append_command(struct db *db, int64_t business_id, enum audit_action action, const char *kind,
                              const char *id, struct str details) {
  struct buf object CLEANUP(buf_done) = BUF_INIT(AUDIT_OBJECT_SIZE);
  TRY(buf_addf(&object, "%s:%s", kind, id));
  return audit_append(db, business_id,
                      &(struct audit_entry){.at = db_now_ms(db),
                                            .actor = STR("command"),
                                            .role = STR("operator"),
                                            .action = action,
                                            .object = buf_str(&object),
                                            .details = details});
}

/* ---- reading ---- */

void audit_read_row(const struct db_rows *q, int64_t business_id, struct audit_row *ret_row) {
  *ret_row = (struct audit_row){.business_id = business_id,
                                .number = db_int(q, 0),
                                .at = db_int(q, 1),
                                .actor = db_text(q, 2),
                                .role = db_text(q, 3),
                                .action = db_text(q, 4),
                                .object = db_text(q, 5),
                                .ip = db_text(q, 6),
                                .details = db_text(q, 7),
                                .digest = db_text(q, 8)};
}

enum err audit_head(struct db *db, int64_t business_id, int64_t *ret_number, char ret_digest[AUDIT_DIGEST_SIZE]) {
  struct db_rows q CLEANUP(db_rows_done) = DB_ROWS;
  TRY(db_query(db, &q, "select number, digest from audit_heads where business_id = ?1", DB_INT(business_id)));
  TRY(db_next(&q));
  if (str_copy(ret_digest, AUDIT_DIGEST_SIZE, db_text(&q, 1)) != OK) return ERR_CORRUPT;
  *ret_number = db_int(&q, 0);
  return OK;
}

enum err audit_digest_of(struct db *db, int64_t business_id, int64_t number, char ret_digest[AUDIT_DIGEST_SIZE]) {
  struct db_rows q CLEANUP(db_rows_done) = DB_ROWS;
  TRY(db_query(db, &q, "select digest from audit where business_id = ?1 and number = ?2", DB_INT(business_id),
               DB_INT(number)));
  TRY(db_next(&q));
  return str_copy(ret_digest, AUDIT_DIGEST_SIZE, db_text(&q, 0)) == OK ? OK : ERR_CORRUPT;
}

enum err audit_next_business(struct db *db, int64_t after, int64_t *ret_business_id) {
  struct db_rows q CLEANUP(db_rows_done) = DB_ROWS;
  TRY(db_query(db, &q, "select business_id from audit_heads where business_id > ?1 order by business_id limit 1",
               DB_INT(after)));
  TRY(db_next(&q));
  *ret_business_id = db_int(&q, 0);
  return OK;
}
