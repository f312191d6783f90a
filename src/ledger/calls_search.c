/* calls_search.c - documents of calls in the full-text table.
 *
 * Invariants
 *  (1) Every leg has one document, search_id its rowid; a document's text is a pure function of the legs that it shows.
 *  (2) search_id >> 20 is sort_at (as far as it fits), so the newest document is the newest call: a list takes its
 * first page without looking at, or sorting, all that match. (3) Legs are shown to at most DOCUMENTS_MAX others, and a
 * document holds at most TEXT_MAX bytes of numbers and of names; what is beyond is found by other legs, or by its SID.
 */
#include "ledger/calls_search.h"

#include <stdlib.h>

#include "ledger/recordings.h"

enum { DOCUMENTS_MAX = 1000, TEXT_MAX = 64 * 1024, TIME_BITS = 42, BUSY_MOMENTS_MAX = 1000 };

struct document {
  char call_sid[SID_SIZE];
  int64_t search_id; /* 0: none yet */
  int64_t sort_at;
};

struct documents {
  struct document *all; /* owned */
  size_t count, room;
};

static void documents_done(struct documents *d) {
  free(d->all);
}

int64_t calls_search_first_id(int64_t sort_at) {
  const int64_t last = ((int64_t)1 << TIME_BITS) - 1;
  int64_t at = sort_at < 0 ? 0 : sort_at > last ? last : sort_at;
  return at << CALLS_SEARCH_ID_BITS;
}

/* Three characters of a range that no tokenizer folds: one trigram. */
void calls_search_scope(int64_t business_id, char ret_scope[CALLS_SEARCH_SCOPE_SIZE]) {
  enum { FIRST = 0x4e00, RANGE = 0x5000 };
  uint64_t rest = (uint64_t)business_id;
  for (size_t i = 0; i < 3; i++, rest /= RANGE) {
    unsigned code = FIRST + (unsigned)(rest % RANGE);
    ret_scope[3 * i] = (char)(0xe0 | (code >> 12));
    ret_scope[3 * i + 1] = (char)(0x80 | ((code >> 6) & 0x3f));
    ret_scope[3 * i + 2] = (char)(0x80 | (code & 0x3f));
  }
  ret_scope[CALLS_SEARCH_SCOPE_SIZE - 1] = '\0';
}

enum err calls_search_digits(struct str s, struct buf *b) {
  for (size_t i = 0; i < s.n; i++)
    if (s.p[i] >= '0' && s.p[i] <= '9') TRY(buf_add_char(b, s.p[i]));
  return OK;
}

/* ---- which documents ---- */

static enum err documents_add(struct documents *d, struct db_rows *q) {
  if (d->count == d->room) {
    size_t room = d->room ? d->room * 2 : 8;
    struct document *grown = realloc(d->all, room * sizeof(*grown));
    if (!grown) return ERR_NOMEM;
    d->all = grown;
    d->room = room;
  }
  struct document *doc = &d->all[d->count];
  TRY(str_copy(doc->call_sid, sizeof(doc->call_sid), db_text(q, 0)));
  doc->search_id = db_int(q, 1);
  doc->sort_at = db_int(q, 2);
  d->count++;
  return OK;
}

static enum err documents_find(struct db *db, int64_t business_id, struct str call_sid, struct str was_parent,
                               struct str was_top, struct documents *d) {
  struct db_rows q CLEANUP(db_rows_done) = DB_ROWS;
  TRY(db_query(
      db, &q,
      "with shown(sid) as ("
      " select ?2 union select ?3 union select ?4"
      " union select parent_call_sid from calls where business_id = ?1 and call_sid = ?2"
      " union select top_sid from calls where business_id = ?1 and call_sid = ?2"
      " union select call_sid from calls indexed by calls_parent where business_id = ?1 and parent_call_sid = ?2)"
      " select c.call_sid, c.search_id, c.sort_at from shown cross join calls c"
      " on c.business_id = ?1 and c.call_sid = shown.sid limit ?5",
      DB_INT(business_id), DB_TEXT(call_sid), DB_TEXT(was_parent), DB_TEXT(was_top), DB_INT(DOCUMENTS_MAX)));
  enum err e;
  while ((e = db_next(&q)) == OK) TRY(documents_add(d, &q));
  return e == ERR_NOT_FOUND ? OK : e;
}

/* ---- their texts ---- */

static enum err add_name(struct str name, struct buf *names) {
  if (!name.n) return OK;
  TRY(buf_add(names, name));
  return buf_add_char(names, '\n');
}

/* The digits of a number, of a SIP address those of its user; what is no number goes to the names. */
static enum err add_address(struct str address, struct buf *numbers, struct buf *names) {
  struct str user, host;
  (void)str_cut(address, '@', &user, &host); /* without a host it is all user */
  size_t had = numbers->n;
  TRY(calls_search_digits(user, numbers));
  if (numbers->n > had) TRY(buf_add_char(numbers, ' '));
  bool is_number = numbers->n > had && str_index(address, ':', 0) == address.n;
  return is_number ? OK : add_name(address, names);
}

static enum err read_texts(struct db *db, int64_t business_id, const char *call_sid, struct buf *numbers,
                           struct buf *names) {
  struct db_rows q CLEANUP(db_rows_done) = DB_ROWS;
  TRY(db_query(
      db, &q,
      "select from_number, to_number, caller_name, customer_name from calls"
      " where business_id = ?1 and call_sid in ("
      " select ?2 union select parent_call_sid from calls where business_id = ?1 and call_sid = ?2"
      " union select call_sid from calls indexed by calls_parent where business_id = ?1 and parent_call_sid = ?2"
      " union select call_sid from calls indexed by calls_legs where business_id = ?1 and top_sid = ?2) order by "
      "call_sid",
      DB_INT(business_id), DB_TEXT(str_from(call_sid))));
  enum err e;
  while ((e = db_next(&q)) == OK) {
    if (numbers->max - numbers->n < 1024 || names->max - names->n < 2048) return OK; /* (3) */
    TRY(add_address(db_text(&q, 0), numbers, names));
    TRY(add_address(db_text(&q, 1), numbers, names));
    TRY(add_name(db_text(&q, 2), names));
    TRY(add_name(db_text(&q, 3), names));
  }
  return e == ERR_NOT_FOUND ? OK : e;
}

/* ---- writing ---- */

static enum err is_same(struct db *db, int64_t search_id, struct str numbers, struct str names, bool *ret_same) {
  struct db_rows q CLEANUP(db_rows_done) = DB_ROWS;
  TRY(db_query(db, &q, "select numbers, names from call_search where rowid = ?1", DB_INT(search_id)));
  enum err e = db_next(&q);
  if (e != OK && e != ERR_NOT_FOUND) return e;
  *ret_same = e == OK && str_eq(db_text(&q, 0), numbers) && str_eq(db_text(&q, 1), names);
  return OK;
}

static enum err last_id(struct db *db, int64_t first, int64_t *ret_id) {
  struct db_rows q CLEANUP(db_rows_done) = DB_ROWS;
  TRY(db_query(db, &q, "select max(search_id) from calls where search_id >= ?1 and search_id < ?2", DB_INT(first),
               DB_INT(first + ((int64_t)1 << CALLS_SEARCH_ID_BITS))));
  TRY(db_next(&q));
  *ret_id = db_int_or(&q, 0, first - 1);
  return OK;
}

/* The next free id of that millisecond; where it is full, of one of the following. */
static enum err free_id(struct db *db, int64_t sort_at, int64_t *ret_id) {
  const int64_t span = (int64_t)1 << CALLS_SEARCH_ID_BITS;
  int64_t first = calls_search_first_id(sort_at);
  for (int i = 0; i < BUSY_MOMENTS_MAX; i++, first += span) {
    int64_t last;
    TRY(last_id(db, first, &last));
    if (last + 1 >= first + span) continue;
    *ret_id = last + 1;
    return OK;
  }
  return ERR_FULL;
}

static enum err document_put(struct db *db, int64_t business_id, const struct document *doc) {
  struct buf numbers CLEANUP(buf_done) = BUF_INIT(TEXT_MAX), names CLEANUP(buf_done) = BUF_INIT(TEXT_MAX);
  TRY(read_texts(db, business_id, doc->call_sid, &numbers, &names));
  bool same = false;
  int64_t id = doc->search_id;
  bool in_place = id && id >> CALLS_SEARCH_ID_BITS == calls_search_first_id(doc->sort_at) >> CALLS_SEARCH_ID_BITS;
  if (in_place) TRY(is_same(db, id, buf_str(&numbers), buf_str(&names), &same));
  if (same) return OK;
  if (doc->search_id) TRY(db_run(db, "delete from call_search where rowid = ?1", DB_INT(doc->search_id)));
  if (!in_place) {
    TRY(free_id(db, doc->sort_at, &id));
    TRY(db_run(db, "update calls set search_id = ?3 where business_id = ?1 and call_sid = ?2", DB_INT(business_id),
               DB_TEXT(str_from(doc->call_sid)), DB_INT(id)));
  }
  char scope[CALLS_SEARCH_SCOPE_SIZE];
  calls_search_scope(business_id, scope);
  return db_run(db, "insert into call_search (rowid, scope, numbers, names) values (?1, ?2, ?3, ?4)", DB_INT(id),
                DB_TEXT(str_from(scope)), DB_TEXT(buf_str(&numbers)), DB_TEXT(buf_str(&names)));
}

enum err calls_search_put(struct db *db, int64_t business_id, struct str call_sid, struct str was_parent,
                          struct str was_top) {
  struct documents d CLEANUP(documents_done) = {NULL, 0, 0};
  TRY(documents_find(db, business_id, call_sid, was_parent, was_top, &d));
  for (size_t i = 0; i < d.count; i++) TRY(document_put(db, business_id, &d.all[i]));
  return OK;
}
