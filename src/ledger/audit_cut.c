/* audit_cut.c - see audit_cut.h.
 *
 * Invariants
 *  (1) A cut deletes the beginning of a chain, without gaps; the checkpoint that names the last deleted entry is written in the
 *      same transaction.
 *  (2) audit_heads.first_at is the time of the oldest entry that is left: the next business to cut is found by an index. */
#include "ledger/audit_cut.h"

#include <string.h>

#include "ledger/audit_row.h"
#include "ledger/audit_spans.h"

/* ---- signatures ---- */

static enum err checkpoint_sign(const uint8_t key[SECRET_KEY_SIZE], const struct audit_checkpoint *c,
                                char ret_mac[AUDIT_DIGEST_SIZE]) {
  struct buf text CLEANUP(buf_done) = BUF_INIT(512);
  uint8_t derived[SHA256_SIZE], mac[SHA256_SIZE];
  TRY(buf_addf(&text, "%lld %lld %lld %lld %s", (long long)c->business_id, (long long)c->number, (long long)c->at,
               (long long)c->cut_at, c->digest));
  secret_hmac_sha256(str_of((const char *)key, SECRET_KEY_SIZE), STR("callreel audit checkpoint"), derived);
  secret_hmac_sha256(str_of((const char *)derived, sizeof(derived)), buf_str(&text), mac);
  secret_wipe(derived, sizeof(derived));
  hex_encode(mac, sizeof(mac), ret_mac);
  return OK;
}

static enum err checkpoint_verify(const uint8_t key[SECRET_KEY_SIZE], const struct audit_checkpoint *c,
                                  struct str mac) {
  char expected[AUDIT_DIGEST_SIZE];
  TRY(checkpoint_sign(key, c, expected));
  return secret_equal(mac, str_from(expected)) ? OK : ERR_DENIED;
}

static enum err checkpoint_verify_any(const uint8_t key[SECRET_KEY_SIZE], const struct audit_checkpoint *c,
                                      struct str mac) {
  uint8_t older[SECRET_KEY_SIZE];
  enum err e = checkpoint_verify(key, c, mac);
  if (e != ERR_DENIED || !secret_older_key(older)) return e;
  e = checkpoint_verify(older, c, mac);
  secret_wipe(older, sizeof(older));
  return e;
}

/* ---- checkpoints ---- */

#define CHECKPOINT_COLUMNS "business_id, number, at, digest, cut_at, mac"

/* The columns are CHECKPOINT_COLUMNS; ret_mac is valid until the next row. */
static enum err checkpoint_read_row(const struct db_rows *q, struct audit_checkpoint *ret_checkpoint,
                                    struct str *ret_mac) {
  struct audit_checkpoint c = {
      .business_id = db_int(q, 0), .number = db_int(q, 1), .at = db_int(q, 2), .cut_at = db_int(q, 4)};
  if (str_copy(c.digest, sizeof(c.digest), db_text(q, 3)) != OK) return ERR_CORRUPT;
  *ret_checkpoint = c;
  *ret_mac = db_text(q, 5);
  return OK;
}

enum err audit_checkpoint_read(struct db *db, const uint8_t secrets_key[SECRET_KEY_SIZE], int64_t business_id,
                               struct audit_checkpoint *ret_checkpoint) {
  struct db_rows q CLEANUP(db_rows_done) = DB_ROWS;
  struct str mac;
  TRY(db_query(db, &q, "select " CHECKPOINT_COLUMNS " from audit_checkpoints where business_id = ?1",
               DB_INT(business_id)));
  enum err e = db_next(&q);
  if (e == ERR_NOT_FOUND)
    *ret_checkpoint = (struct audit_checkpoint){.business_id = business_id, .digest = AUDIT_NO_DIGEST};
  if (e != OK) return e == ERR_NOT_FOUND ? OK : e;
  TRY(checkpoint_read_row(&q, ret_checkpoint, &mac));
  return checkpoint_verify_any(secrets_key, ret_checkpoint, mac);
}

static enum err checkpoint_write(struct db *db, const uint8_t key[SECRET_KEY_SIZE], const struct audit_checkpoint *c) {
  char mac[AUDIT_DIGEST_SIZE];
  TRY(checkpoint_sign(key, c, mac));
  return db_run(db,
                "insert into audit_checkpoints (" CHECKPOINT_COLUMNS
                ") values (?1, ?2, ?3, ?4, ?5, ?6)"
                " on conflict (business_id) do update set number = excluded.number, at = excluded.at,"
                " digest = excluded.digest, cut_at = excluded.cut_at, mac = excluded.mac",
                DB_INT(c->business_id), DB_INT(c->number), DB_INT(c->at), DB_TEXT(str_from(c->digest)),
                DB_INT(c->cut_at), DB_TEXT(str_from(mac)));
}

/* ---- cutting ---- */

static enum err audit_find_old(struct db *db, int64_t before, int64_t *ret_business_id) {
  struct db_rows q CLEANUP(db_rows_done) = DB_ROWS;
  TRY(db_query(db, &q,
               "select business_id from audit_heads where first_at < ?1 and first_at is not null"
               " order by first_at limit 1",
               DB_INT(before)));
  TRY(db_next(&q));
  *ret_business_id = db_int(&q, 0);
  return OK;
}

/* Walks from the old end. cut: its last entry that goes; number stays 0 if none does. *ret_first_at: when the oldest entry was
 * that stays; -1: none does. */
static enum err audit_measure(struct db *db, int64_t before, struct audit_checkpoint *cut, int64_t *ret_count,
                              int64_t *ret_first_at) {
  struct db_rows q CLEANUP(db_rows_done) = DB_ROWS;
  int64_t count = 0;
  TRY(db_query(db, &q, "select number, at, digest from audit where business_id = ?1 order by number limit ?2",
               DB_INT(cut->business_id), DB_INT(AUDIT_CUT_MAX + 1)));
  enum err e;
  *ret_first_at = -1;
  while ((e = db_next(&q)) == OK) {
    *ret_first_at = db_int(&q, 1);
    if (db_int(&q, 1) >= before || count == AUDIT_CUT_MAX) break;
    *ret_first_at = -1;
    cut->number = db_int(&q, 0);
    cut->at = db_int(&q, 1);
    if (str_copy(cut->digest, sizeof(cut->digest), db_text(&q, 2)) != OK) return ERR_CORRUPT;
    count++;
  }
  *ret_count = count;
  return e == ERR_NOT_FOUND ? OK : e;
}

enum err audit_cut(struct db *db, const uint8_t secrets_key[SECRET_KEY_SIZE], int64_t before, int64_t now,
                   int64_t *ret_count, bool *ret_more) {
  struct audit_checkpoint cut = {.cut_at = now};
  int64_t count, first_at;
  enum err e = audit_find_old(db, before, &cut.business_id);
  if (e == ERR_NOT_FOUND) {
    *ret_count = 0;
    *ret_more = false;
    return OK;
  }
  TRY(e);
  TRY(audit_measure(db, before, &cut, &count, &first_at));
  if (count) {
    TRY(checkpoint_write(db, secrets_key, &cut)); /* (1) */
    TRY(db_run(db, "delete from audit where business_id = ?1 and number <= ?2", DB_INT(cut.business_id),
               DB_INT(cut.number)));
    TRY(audit_spans_cut(db, cut.business_id, cut.number));
  }
  TRY(db_run(db, "update audit_heads set first_at = ?2 where business_id = ?1", DB_INT(cut.business_id),
             DB_INT_OR_NULL(first_at))); /* (2) */
  *ret_count = count;
  *ret_more = true;
  return OK;
}

/* ---- a rotation of the key ---- */

enum { RESIGN_MAX = 100 };

enum err audit_resign(struct db *db, const uint8_t secrets_key[SECRET_KEY_SIZE], int64_t *after, bool *ret_more) {
  struct audit_checkpoint found[RESIGN_MAX];
  size_t count = 0, stale = 0;
  {
    struct db_rows q CLEANUP(db_rows_done) = DB_ROWS;
    enum err e;
    TRY(db_query(db, &q,
                 "select " CHECKPOINT_COLUMNS
                 " from audit_checkpoints where business_id > ?1 order by business_id limit ?2",
                 DB_INT(*after), DB_INT(RESIGN_MAX)));
    while ((e = db_next(&q)) == OK) {
      struct str mac;
      TRY(checkpoint_read_row(&q, &found[stale], &mac));
      count++;
      *after = found[stale].business_id;
      if (checkpoint_verify(secrets_key, &found[stale], mac) == ERR_DENIED &&
          checkpoint_verify_any(secrets_key, &found[stale], mac) == OK)
        stale++; /* a signature that no key made stays as it is: verify reports it */
    }
    if (e != ERR_NOT_FOUND) return e;
  }
  for (size_t i = 0; i < stale; i++) TRY(checkpoint_write(db, secrets_key, &found[i]));
  *ret_more = count == RESIGN_MAX;
  return OK;
}
