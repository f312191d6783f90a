/* call_view.c - pages of calls: keys, then all their legs, then all their recordings, three queries however long the page.
 *
 * Invariants
 *  (1) A page is read in one transaction: its rows, legs and recordings are of one moment.
 *  (2) A page whose legs or recordings are more than CALLS_LIST_LEGS_MAX is halved: it ends earlier, with a cursor, and
 *      nothing is left out. Of a single call with more, the first are shown. */
#include "domain/call_view.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/secret.h"
#include "domain/status.h"

/* ---- parameters ---- */

static bool is_one_of(struct str value, const char *const *words, size_t count) {
  for (size_t i = 0; i < count; i++)
    if (str_eq(value, str_from(words[i]))) return true;
  return false;
}

static enum err set_status(struct calls_filter *f, struct str value) {
  static const char *const known[] = {"queued",    "initiated", "ringing", "answered",  "in-progress",
                                      "completed", "busy",      "failed",  "no-answer", "canceled"};
  if (!is_one_of(value, known, COUNT_OF(known))) return ERR_INVALID;
  f->status = value;
  return OK;
}

static enum err set_direction(struct calls_filter *f, struct str value) {
  static const char *const known[] = {"inbound", "outbound"};
  if (!is_one_of(value, known, COUNT_OF(known))) return ERR_INVALID;
  f->direction = value;
  return OK;
}

static enum err set_recording_status(struct calls_filter *f, struct str value) {
  TRY(recording_status_of(value, &f->recording_status));
  f->by_recording_status = true;
  return OK;
}

static enum err set_has_recording(struct calls_filter *f, struct str value) {
  static const char *const yes[] = {"true", "1", "yes"}, *const no[] = {"false", "0", "no"};
  if (is_one_of(value, yes, COUNT_OF(yes)))
    f->has_recording = CALLS_YES;
  else if (is_one_of(value, no, COUNT_OF(no)))
    f->has_recording = CALLS_NO;
  else
    return ERR_INVALID;
  return OK;
}

/* Times before 1970 leave the end open, as 0 does; nothing can be before it. */
static enum err set_since(struct calls_filter *f, struct str value) {
  int64_t at;
  TRY(date_parse_time_or_date(value, &at));
  f->since = at > 0 ? at : 0;
  return OK;
}
static enum err set_until(struct calls_filter *f, struct str value) {
  int64_t at;
  TRY(date_parse_time_or_date(value, &at));
  f->until = at > 1 ? at : 1;
  return OK;
}

static enum err set_search(struct calls_filter *f, struct str value) {
  f->search = str_trim(value);
  size_t characters = 0;
  uint32_t code;
  for (size_t at = 0, n; at < f->search.n; at += n, characters++)
    if (!(n = str_utf8_at(f->search, at, &code))) return ERR_INVALID;
  return characters >= 3 && f->search.n <= CALLS_LIST_SEARCH_MAX ? OK : ERR_INVALID;
}

static enum err set_ref(struct calls_filter *f, struct str value) {
  f->ref = value;
  return value.n < CALL_NAME_SIZE && str_is_utf8(value) ? OK : ERR_INVALID;
}

static enum err set_limit(struct calls_filter *f, struct str value) {
  uint64_t limit;
  TRY(str_to_u64(value, CALLS_LIST_LIMIT_MAX, &limit));
  f->limit = (int)limit;
  return limit ? OK : ERR_INVALID;
}

static enum err set_offset(struct calls_filter *f, struct str value) {
  uint64_t offset;
  TRY(str_to_u64(value, CALLS_LIST_OFFSET_MAX, &offset));
  f->offset = (int64_t)offset;
  return OK;
}

static enum err set_legs(struct calls_filter *f, struct str value) {
  f->all_legs = str_eq(value, STR("all"));
  return f->all_legs || str_eq(value, STR("top")) ? OK : ERR_INVALID;
}

/* The text behind a cursor: "{sort_at}.{call_sid}" of the last row that was shown. */
static enum err set_cursor(struct calls_filter *f, struct str value) {
  struct buf text CLEANUP(buf_done) = BUF_INIT(128);
  if (value.n > 128 || base64url_decode(&text, value) != OK) return ERR_INVALID;
  struct str at, sid;
  int64_t sort_at;
  if (!str_cut(buf_str(&text), '.', &at, &sid) || !sid.n || !str_is_utf8(sid)) return ERR_INVALID;
  TRY(str_to_i64(at, 0, INT64_MAX - 1, &sort_at));
  if (str_copy(f->after.call_sid, sizeof(f->after.call_sid), sid) != OK) return ERR_INVALID;
  f->after.sort_at = sort_at;
  f->after_key = true;
  return OK;
}

static enum err add_cursor(struct buf *b, const struct calls_key *key) {
  struct buf text CLEANUP(buf_done) = BUF_INIT(128);
  TRY(buf_addf(&text, "%lld.%s", (long long)key->sort_at, key->call_sid));
  TRY(buf_add_char(b, '"'));
  TRY(base64url_encode(b, (const uint8_t *)text.p, text.n));
  return buf_add_char(b, '"');
}

static const struct {
  const char *name;
  bool or_all; /* `all` is no filter */
  enum err (*set)(struct calls_filter *f, struct str value);
} params[] = {
    {"search", false, set_search}, {"status", true, set_status},       {"recording_status", true, set_recording_status},
    {"since", false, set_since},   {"until", false, set_until},        {"has_recording", true, set_has_recording},
    {"ref", false, set_ref},       {"direction", true, set_direction}, {"limit", false, set_limit},
    {"offset", false, set_offset}, {"cursor", false, set_cursor},      {"legs", false, set_legs},
};

enum err call_view_param(struct calls_filter *f, struct str name, struct str value) {
  if (!value.n) return OK;
  for (size_t i = 0; i < COUNT_OF(params); i++) {
    if (!str_eq(name, str_from(params[i].name))) continue;
    if (params[i].or_all && str_eq(value, STR("all"))) return OK;
    return params[i].set(f, value) == OK ? OK : ERR_INVALID;
  }
  return OK;
}

/* ---- rows in memory ---- */

struct page {
  struct call *calls; /* owned: the rows of the page first, in no order, then their other legs */
  size_t call_count, call_room;
  struct recording *recordings; /* owned; newest first */
  size_t recording_count, recording_room;
  const struct recording **shown; /* owned; room for all */
  struct str *legs;               /* owned; room for all */
};

static void page_done(struct page *p) {
  free(p->calls);
  free(p->recordings);
  free(p->shown);
  free(p->legs);
}

static enum err grow(void **items, size_t item_size, size_t count, size_t *room) {
  if (count < *room) return OK;
  size_t want = *room ? *room * 2 : 32;
  void *grown = realloc(*items, want * item_size);
  if (!grown) return ERR_NOMEM;
  *items = grown;
  *room = want;
  return OK;
}

static enum err take_call(void *arg, const struct call *call) {
  struct page *p = arg;
  void *items = p->calls;
  TRY(grow(&items, sizeof(*call), p->call_count, &p->call_room));
  p->calls = items;
  p->calls[p->call_count++] = *call;
  return OK;
}

static enum err take_recording(void *arg, const struct recording *row) {
  struct page *p = arg;
  void *items = p->recordings;
  TRY(grow(&items, sizeof(*row), p->recording_count, &p->recording_room));
  p->recordings = items;
  p->recordings[p->recording_count++] = *row;
  return OK;
}

/* ERR_TOO_BIG: fewer keys may fit (2). */
static enum err page_read(struct db *db, int64_t business_id, const struct calls_key *keys, size_t count,
                          struct page *p) {
  p->call_count = p->recording_count = 0;
  TRY(calls_list_legs(db, business_id, keys, count, take_call, p));
  if (p->call_count > CALLS_LIST_LEGS_MAX) {
    if (count > 1) return ERR_TOO_BIG;
    p->call_count = CALLS_LIST_LEGS_MAX;
  }
  TRY(calls_list_recordings(db, business_id, p->calls, p->call_count, take_recording, p));
  if (p->recording_count > CALLS_LIST_LEGS_MAX) {
    if (count > 1) return ERR_TOO_BIG;
    p->recording_count = CALLS_LIST_LEGS_MAX;
  }
  free(p->shown);
  free(p->legs);
  p->shown = calloc(p->recording_count + 1, sizeof(p->shown[0]));
  p->legs = calloc(p->call_count + 1, sizeof(p->legs[0]));
  return p->shown && p->legs ? OK : ERR_NOMEM;
}

static const struct call *page_find(const struct page *p, const char *call_sid) {
  for (size_t i = 0; i < p->call_count; i++)
    if (strcmp(p->calls[i].call_sid, call_sid) == 0) return &p->calls[i];
  return NULL;
}

static int64_t time_of(const struct call *c) {
  return c->started_at ? c->started_at : c->first_seen_at;
}

static const struct call *first_child(const struct page *p, const struct call *top) {
  const struct call *first = NULL;
  for (size_t i = 0; i < p->call_count; i++) {
    const struct call *c = &p->calls[i];
    if (strcmp(c->parent_call_sid, top->call_sid) != 0 || c == top) continue;
    if (!first || time_of(c) < time_of(first) ||
        (time_of(c) == time_of(first) && strcmp(c->call_sid, first->call_sid) < 0))
      first = c;
  }
  return first;
}

static bool is_kin(const struct call *c, const struct call *other) {
  return strcmp(other->call_sid, c->parent_call_sid) == 0 || strcmp(other->parent_call_sid, c->call_sid) == 0;
}

/* The other leg's recordings are shown with c's: all of a top leg's tree, else of parent and children. */
static bool is_shown_with(const struct call *c, const struct call *other) {
  if (strcmp(c->call_sid, c->top_sid) == 0) return strcmp(other->top_sid, c->top_sid) == 0;
  return is_kin(c, other);
}

/* Its own, then its other legs', newest first within each. */
static size_t find_recordings(struct page *p, const struct call *c) {
  size_t n = 0;
  for (size_t i = 0; i < p->recording_count; i++)
    if (strcmp(p->recordings[i].call_sid, c->call_sid) == 0) p->shown[n++] = &p->recordings[i];
  for (size_t i = 0; i < p->recording_count; i++) {
    const struct recording *r = &p->recordings[i];
    if (strcmp(r->call_sid, c->call_sid) == 0) continue;
    const struct call *leg = page_find(p, r->call_sid);
    if (leg && is_shown_with(c, leg)) p->shown[n++] = r;
  }
  return n;
}

static size_t find_legs(struct page *p, const struct call *c) {
  size_t n = 0;
  for (size_t i = 0; i < p->call_count; i++)
    if (&p->calls[i] != c && is_kin(c, &p->calls[i])) p->legs[n++] = str_from(p->calls[i].call_sid);
  return n;
}

/* ---- JSON ---- */

struct viewer {
  const struct str *own_numbers;
  size_t own_count;
  struct str path_base;
  int64_t now;
};

static enum err write_call(struct buf *b, struct page *p, const struct call *c, bool with_legs,
                           const struct viewer *v) {
  const struct call *top = page_find(p, c->top_sid);
  if (!top) top = c;
  struct status_call s = {.call = c, .top = top, .recordings = p->shown};
  s.customer_number = status_customer_number(top, first_child(p, top), v->own_numbers, v->own_count);
  s.recording_count = find_recordings(p, c);
  if (with_legs) {
    s.legs = p->legs;
    s.leg_count = find_legs(p, c);
  }
  return status_write_call(b, &s, v->path_base, v->now);
}

static enum err write_page(struct db *db, int64_t business_id, const struct calls_filter *f, const struct viewer *v,
                           struct buf *b) {
  struct calls_key keys[CALLS_LIST_LIMIT_MAX];
  struct page p CLEANUP(page_done) = {NULL};
  size_t count = 0;
  bool more = false;
  TRY(calls_list_page(db, business_id, f, keys, &count, &more));
  enum err e;
  while ((e = page_read(db, business_id, keys, count, &p)) == ERR_TOO_BIG && count > 1) {
    count /= 2;
    more = true;
  }
  TRY(e);
  TRY(buf_add(b, STR("{\"calls\":[")));
  bool first = true;
  for (size_t i = 0; i < count; i++) {
    const struct call *c = page_find(&p, keys[i].call_sid);
    if (!c) continue; /* only past the ceiling of legs */
    if (!first) TRY(buf_add_char(b, ','));
    first = false;
    TRY(write_call(b, &p, c, false, v));
  }
  TRY(buf_add(b, STR("],\"next_cursor\":")));
  TRY(more && count ? add_cursor(b, &keys[count - 1]) : buf_add(b, STR("null")));
  return buf_add_char(b, '}');
}

enum err call_view_list(struct db *db, int64_t business_id, const struct calls_filter *f, const struct str *own_numbers,
                        size_t own_count, struct str path_base, int64_t now, struct buf *b) {
  const struct viewer v = {own_numbers, own_count, path_base, now};
  db_deadline(db, clock_mono_ms() + CALL_VIEW_DEADLINE_MS);
  enum err e = db_begin(db); /* (1) */
  if (e == OK) e = write_page(db, business_id, f, &v, b);
  db_deadline(db, 0);
  db_rollback(db);
  return e;
}

static enum err write_one(struct db *db, int64_t business_id, struct str call_sid, const struct viewer *v,
                          struct buf *b) {
  struct calls_key key = {.sort_at = 0};
  struct page p CLEANUP(page_done) = {NULL};
  if (str_copy(key.call_sid, sizeof(key.call_sid), call_sid) != OK) return ERR_NOT_FOUND;
  TRY(page_read(db, business_id, &key, 1, &p));
  const struct call *c = page_find(&p, key.call_sid);
  return c ? write_call(b, &p, c, true, v) : ERR_NOT_FOUND;
}

enum err call_view_one(struct db *db, int64_t business_id, struct str call_sid, const struct str *own_numbers,
                       size_t own_count, struct str path_base, int64_t now, struct buf *b) {
  const struct viewer v = {own_numbers, own_count, path_base, now};
  if (db_in_transaction(db)) return write_one(db, business_id, call_sid, &v, b);
  TRY(db_begin(db)); /* (1) */
  enum err e = write_one(db, business_id, call_sid, &v, b);
  db_rollback(db);
  return e;
}
