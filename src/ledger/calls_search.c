/* calls_search.c - see calls_search.h.
 *
 * Invariants
 *  (1) A leg has at most one document, with rowid document_id. Its text depends only on the leg's own row.
 *  (2) rowid >> 20 is the top leg's sort_at, so documents in order of rowid are rows in order of time: a list fills a page from
 *      the newest matches without reading or sorting all of them.
 *  (3) Every term begins with the business, so a search neither reads nor returns other businesses' documents.
 *  (4) A write of a document adds a segment to the index. For each, MERGE_PAGES pages are merged, more than it causes in all
 *      levels together: so segments stay few. A merge writes more than its pages only to end the documents of one term. */
#include "ledger/calls_search.h"

#include <stdatomic.h>

#include "base/fold.h"
#include "base/secret.h"
#include "ledger/withheld.h"

enum { TEXT_MAX = 8 * 1024, TIME_BITS = 42, BUSY_MOMENTS_MAX = 1000 };
enum {
  MERGE_EACH = 16,  /* documents */
  MERGE_PAGES = 4,  /* for each of them */
  MERGE_MOST = 128, /* pages at once */
  FORGET_PAGES = 64,
};
static atomic_int unmerged; /* documents that this process has written since its last merge */

int64_t calls_search_first_id(int64_t sort_at) {
  const int64_t last = ((int64_t)1 << TIME_BITS) - 1;
  int64_t at = sort_at < 0 ? 0 : sort_at > last ? last : sort_at;
  return at << CALLS_SEARCH_ID_BITS;
}

int64_t calls_search_time(int64_t document_id) {
  return document_id >> CALLS_SEARCH_ID_BITS;
}

enum err calls_search_digits(struct str s, struct buf *b) {
  uint32_t code;
  for (size_t at = 0, n; at < s.n; at += n ? n : 1) {
    n = str_utf8_at(s, at, &code);
    int digit = n ? fold_digit(code) : -1;
    if (digit >= 0) TRY(buf_add_char(b, (char)('0' + digit)));
  }
  return OK;
}

enum err calls_search_phrase(struct buf *b, int64_t business_id, enum db_grams_kind kind, struct str text) {
  struct buf scoped CLEANUP(buf_done) = BUF_INIT(TEXT_MAX);
  TRY(db_grams_text(&scoped, business_id, kind, text));
  TRY(buf_add(b, kind == DB_GRAMS_DIGITS ? STR("digits : \"") : STR("names : \"")));
  struct str s = buf_str(&scoped);
  for (size_t i = 0; i < s.n; i++) {
    if (s.p[i] == '"') TRY(buf_add_char(b, '"'));
    TRY(buf_add_char(b, s.p[i]));
  }
  return buf_add_char(b, '"');
}

/* ---- the search that a person typed ---- */

/* The number that a person wrote, without parts that are not dialled: "(0)" behind a country code, and an extension. */
enum err calls_search_number(struct str search, struct buf *b) {
  static const char *const extensions[] = {" x", "ext", " Ext", "EXT", "#"};
  bool is_international = str_starts(search, STR("+")) || str_starts(search, STR("00"));
  for (size_t at = 0; at < search.n;) {
    struct str rest = str_skip(search, at);
    for (size_t i = 0; i < COUNT_OF(extensions); i++)
      if (b->n >= CALLS_SEARCH_NUMBER_LEAST && str_starts(rest, str_from(extensions[i]))) return OK;
    if (is_international && str_starts(rest, STR("(0)"))) {
      at += 3;
      continue;
    }
    uint32_t code;
    size_t n = str_utf8_at(search, at, &code);
    TRY(calls_search_digits(str_head(rest, n ? n : 1), b));
    at += n ? n : 1;
  }
  return OK;
}

/* The words of the search, if each is long enough for the index and there are few; else 0. */
static size_t split_words(struct str search, struct str ret_words[CALLS_SEARCH_WORDS_MAX]) {
  size_t count = 0;
  struct str word;
  for (bool more = true; more;) {
    more = str_cut(search, ' ', &word, &search);
    if (!word.n) continue;
    if (count == CALLS_SEARCH_WORDS_MAX || str_utf8_count(word) < 2) return 0;
    ret_words[count++] = word;
  }
  return count;
}

/* Names that hold all words of `words`, in any order: "Levi Dana" finds "Dana Levi"; else the phrase. */
static enum err names_add(struct buf *b, int64_t business_id, struct str words, struct str phrase) {
  struct str all[CALLS_SEARCH_WORDS_MAX];
  size_t count = split_words(words, all);
  if (count < 2) return calls_search_phrase(b, business_id, DB_GRAMS_NAMES, phrase);
  for (size_t i = 0; i < count; i++) {
    if (i) TRY(buf_add(b, STR(" AND ")));
    TRY(calls_search_phrase(b, business_id, DB_GRAMS_NAMES, all[i]));
  }
  return OK;
}

/* A document has "Ben-Gurion" as "bengurion". So does the search as one phrase; as words it also finds "Ben Gurion". */
enum err calls_search_names(struct buf *b, int64_t business_id, struct str search, bool also_unfolded) {
  struct buf words CLEANUP(buf_done) = BUF_INIT(TEXT_MAX), phrase CLEANUP(buf_done) = BUF_INIT(TEXT_MAX);
  TRY(fold_text(search, FOLD_SPLIT, &words));
  TRY(fold_text(search, FOLD_JOIN, &phrase));
  TRY(names_add(b, business_id, buf_str(&words), str_trim(buf_str(&phrase))));
  if (!also_unfolded) return OK;
  TRY(buf_add(b, STR(" OR ")));
  return names_add(b, business_id, search, search);
}

enum err calls_search_parts(struct str search, struct buf *text, struct str ret_parts[CALLS_SEARCH_WORDS_MAX],
                            size_t *ret_count) {
  TRY(fold_text(search, FOLD_SPLIT, text));
  *ret_count = split_words(buf_str(text), ret_parts);
  if (*ret_count >= 2) return OK;
  buf_clear(text);
  TRY(fold_text(search, FOLD_JOIN, text));
  ret_parts[0] = str_trim(buf_str(text));
  *ret_count = str_utf8_count(ret_parts[0]) >= 2;
  return OK;
}

enum err calls_search_is_refolding(struct db *db, bool *ret_refolding) {
  struct db_rows q CLEANUP(db_rows_done) = DB_ROWS;
  TRY(db_query(db, &q, "select exists (select 1 from call_documents_folding where version < ?1)",
               DB_INT(CALLS_SEARCH_FOLDING)));
  TRY(db_next(&q));
  *ret_refolding = db_int(&q, 0) != 0;
  return OK;
}

/* ---- a document's text ---- */

static enum err document_add_name(struct str name, struct buf *names) {
  if (!name.n) return OK;
  TRY(fold_text(name, FOLD_JOIN, names));
  return buf_add_char(names, '\n');
}

/* Adds a phone number's digits to numbers; of a SIP address the user's digits. Anything but a plain number goes to names too. A
 * number that was withheld is not found. */
static enum err document_add_address(struct str address, struct buf *numbers, struct buf *names) {
  struct str user, host;
  if (withheld_number(address)) return OK;
  (void)str_cut(address, '@', &user, &host); /* without '@' all of it is the user */
  size_t had = numbers->n;
  TRY(calls_search_digits(user, numbers));
  bool has_digits = numbers->n > had;
  if (has_digits) TRY(buf_add_char(numbers, ' '));
  bool is_number = has_digits && str_index(address, ':', 0) == address.n;
  return is_number ? OK : document_add_name(address, names);
}

/* ---- its id ---- */

static enum err document_last_id(struct db *db, int64_t first, int64_t *ret_id) {
  struct db_rows q CLEANUP(db_rows_done) = DB_ROWS;
  TRY(db_query(db, &q,
               DB_FOR_SQLITE
               "select rowid from call_documents where rowid >= ?1 and rowid < ?2 order by rowid desc limit 1",
               DB_INT(first), DB_INT(first + ((int64_t)1 << CALLS_SEARCH_ID_BITS))));
  enum err e = db_next(&q);
  if (e != OK && e != ERR_NOT_FOUND) return e;
  *ret_id = e == OK ? db_int(&q, 0) : first - 1;
  return OK;
}

static enum err document_free_id(struct db *db, int64_t sort_at, int64_t *ret_id) {
  const int64_t span = (int64_t)1 << CALLS_SEARCH_ID_BITS;
  int64_t first = calls_search_first_id(sort_at);
  for (int i = 0; i < BUSY_MOMENTS_MAX; i++, first += span) {
    int64_t last;
    TRY(document_last_id(db, first, &last));
    if (last + 1 >= first + span) continue;
    *ret_id = last + 1;
    return OK;
  }
  return ERR_FULL;
}

/* ---- writing ---- */

static enum err calls_search_delete(struct db *db, int64_t document_id) {
  if (!document_id) return OK;
  return db_run(db, DB_FOR_SQLITE "delete from call_documents where rowid = ?1", DB_INT(document_id));
}

/* A document's text without its scope. */
static struct str document_own_text(struct str text) {
  struct str scope, own;
  (void)str_cut(text, DB_GRAMS_END_OF_SCOPE, &scope, &own);
  return own;
}

static enum err document_replace(struct db *db, const struct call *call, int64_t sort_at, struct str digits,
                                 struct str names, int64_t *ret_id) {
  /* before the delete, so that it differs from the old id (0009_documents.sql) */
  TRY(document_free_id(db, sort_at, ret_id));
  TRY(calls_search_delete(db, call->document_id));
  TRY(db_run(db, DB_FOR_SQLITE "insert into call_documents (rowid, call_sid, digits, names) values (?1, ?2, ?3, ?4)",
             DB_INT(*ret_id), DB_TEXT(str_from(call->call_sid)), DB_TEXT(digits), DB_TEXT(names)));
  return db_run(db,
                DB_FOR_SQLITE
                "insert into call_documents_text (business_id, rowid, call_sid, digits, names)"
                " values (?1, ?2, ?3, ?4, ?5)",
                DB_INT(call->business_id), DB_INT(*ret_id), DB_TEXT(str_from(call->call_sid)),
                DB_TEXT(document_own_text(digits)), DB_TEXT(document_own_text(names)));
}

static enum err document_text(const struct call *call, struct buf *digits, struct buf *names) {
  TRY(document_add_address(str_from(call->from_number), digits, names));
  TRY(document_add_address(str_from(call->to_number), digits, names));
  TRY(document_add_name(str_from(call->caller_name), names));
  return document_add_name(str_from(call->customer_name), names);
}

/* Ids may be the same there: a free one can't be found while other processes write. */
enum err calls_search_document(const struct call *call, int64_t sort_at, struct buf *digits, struct buf *names,
                               int64_t *ret_id) {
  uint32_t random;
  TRY(secret_random(&random, sizeof(random)));
  *ret_id = calls_search_first_id(sort_at) | (random >> (32 - CALLS_SEARCH_ID_BITS));
  if (*ret_id == call->document_id) *ret_id ^= 1;
  return document_text(call, digits, names);
}

static enum err document_replace_postgres(struct db *db, const struct call *call, int64_t sort_at, int64_t *ret_id) {
  struct buf digits CLEANUP(buf_done) = BUF_INIT(TEXT_MAX), names CLEANUP(buf_done) = BUF_INIT(TEXT_MAX);
  TRY(calls_search_document(call, sort_at, &digits, &names, ret_id));
  return db_run_later(
      db,
      DB_FOR_POSTGRES
      "insert into call_documents (business_id, call_sid, rowid, digits, names) values (?1, ?2, ?3, ?4, ?5)"
      " on conflict (business_id, call_sid) do update set rowid = excluded.rowid, digits = excluded.digits,"
      " names = excluded.names",
      DB_INT(call->business_id), DB_TEXT(str_from(call->call_sid)), DB_INT(*ret_id), DB_TEXT(buf_str(&digits)),
      DB_TEXT(buf_str(&names)));
}

enum err calls_search_put(struct db *db, const struct call *call, int64_t sort_at, int64_t *ret_document_id) {
  if (db_kind(db) == DB_POSTGRES) return document_replace_postgres(db, call, sort_at, ret_document_id);
  struct buf digits CLEANUP(buf_done) = BUF_INIT(TEXT_MAX), names CLEANUP(buf_done) = BUF_INIT(TEXT_MAX);
  TRY(db_grams_text(&digits, call->business_id, DB_GRAMS_DIGITS, STR("")));
  TRY(db_grams_text(&names, call->business_id, DB_GRAMS_NAMES, STR("")));
  TRY(document_text(call, &digits, &names));
  int64_t id;
  TRY(document_replace(db, call, sort_at, buf_str(&digits), buf_str(&names), &id));
  atomic_fetch_add_explicit(&unmerged, 1, memory_order_relaxed);
  *ret_document_id = id;
  return OK;
}

enum err calls_search_merge(struct db *db) {
  int count = atomic_load_explicit(&unmerged, memory_order_relaxed);
  if (count < MERGE_EACH || db_kind(db) != DB_SQLITE) return OK;
  atomic_store_explicit(&unmerged, 0, memory_order_relaxed);
  int pages = count < MERGE_MOST / MERGE_PAGES ? count * MERGE_PAGES : MERGE_MOST;
  return db_run_apart(db, DB_FOR_SQLITE "insert into call_documents (call_documents, rank) values ('merge', ?1)",
                      DB_INT(pages));
}
