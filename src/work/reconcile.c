/* reconcile.c - goes through accounts, their lists and the pages of these.
 *
 *   account --calls: page, page …--> --recordings: page, page …--> done
 *
 * Invariants
 *  (1) An entry is written as a webhook would have written it (domain/intake), so an entry that is known already changes nothing,
 *      and nothing leaves `expired`.
 *  (2) The place of the next page is stored in the transaction that writes the last entry of a page. So a run that dies goes on
 *      there, and reads at most one page again.
 *  (3) Of a shared account, legs without a parent are written before those with one: a child belongs to its parent's business.
 *  (4) A page that the provider no longer knows makes its list begin again, once.
 *  (5) On a server the entries of a part are written in a set. A set that fails is written entry by entry.
 *  (6) Readers share the accounts of a run. A reader that waits for the provider lets the others go on; else one works at a time.
 *      So accounts are read at the same time as long as the provider's answers take the time. */
#include "work/reconcile.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "db/db_clock.h"
#include "db/db_writer.h"
#include "domain/intake.h"
#include "ledger/calls.h"
#include "work/reconcile_internal.h"

enum { PAGE_ITEMS = TWILIO_PAGE_ITEMS_MAX, ROWS_OF_A_JOB = DB_JOB_ROWS / 2, PARENTS_MAX = 8, ENTRY_ROOM = 64 * 1024 };
enum { SET_MAX = 40 };
enum { DAY_MS = 24 * 60 * 60 * 1000, URL_ROOM = 4096 };

/* An entry of a set. */
struct page_slot {
  struct delivery delivery; /* its texts are in storage */
  struct buf storage;
  struct intake_result result;
};

/* One page on its way into the database. */
struct page_write {
  struct reconcile_reader *reader;
  struct reconcile *r;
  const struct reconcile_account *account;
  struct twilio_page *page;
  int64_t places[PAGE_ITEMS]; /* the business that gets the entry; 0: it is not written */
  size_t next, count;
  const struct reconcile_state *state; /* stored with the last part; NULL: not with this one */
  struct delivery delivery;            /* large */
  struct buf storage;
  struct page_slot *slots; /* owned; SET_MAX of them; NULL: not in sets (5) */
  /* of a part, which may run again */
  size_t reached;
  struct reconcile_counts found;
};

static struct str part_field(const struct delivery_part *part, const char *name) {
  for (size_t i = 0; i < part->count; i++)
    if (str_eq(part->fields[i].name, str_from(name))) return part->fields[i].value;
  return STR_NONE;
}

static enum err page_read_entry(struct page_write *w, size_t i) {
  buf_clear(&w->storage);
  return twilio_page_delivery(w->page, i, &w->storage, &w->delivery);
}

/* ---- writing ---- */

static void page_note_written(struct page_write *w, const struct delivery *d, const struct intake_result *result) {
  w->found.calls += d->recording_sid.n == 0 && result->call_changed;
  w->found.recordings += result->recording_changed;
  w->found.queued += result->enqueued;
}

static enum err entry_write(struct db *db, struct page_write *w, size_t i) {
  struct intake_result result = {.enqueued = false};
  TRY(page_read_entry(w, i));
  w->delivery.business_id = w->places[i];
  w->delivery.is_backfill = w->r->how.since_ms > 0;
  TRY(intake_run(db, &w->delivery, db_now_ms(db), &result)); /* (1) */
  page_note_written(w, &w->delivery, &result);
  return OK;
}

static struct reconcile_progress progress_of(const struct reconcile *r) {
  return (struct reconcile_progress){.is_backfill = r->how.since_ms > 0,
                                     .began_ms = r->began_ms,
                                     .accounts = (int64_t)r->accounts.count,
                                     .counts = r->counts};
}

/* Renews the lease; behind the last entry, stores how far the account is (2). */
static enum err page_end_part(struct db *db, struct page_write *w) {
  const struct reconcile_progress progress = progress_of(w->r);
  TRY(reconcile_lease_take(db, w->r->parts.owner, w->r->has_lease));
  TRY(reconcile_progress_write(db, &progress));
  if (w->reached == w->count && w->state)
    return reconcile_state_write(db, w->account, w->r->how.since_ms > 0, w->state);
  return OK;
}

static enum err page_run_part(struct db *db, void *arg) {
  struct page_write *w = arg;
  int64_t before = db_touched(db);
  memset(&w->found, 0, sizeof(w->found));
  size_t i = w->next;
  for (; i < w->count && db_touched(db) - before < ROWS_OF_A_JOB; i++) {
    if (!w->places[i]) continue;
    enum err e = entry_write(db, w, i);
    if (e == ERR_INVALID || e == ERR_TOO_BIG)
      w->found.refused++;
    else if (e != OK)
      return e;
  }
  w->reached = i;
  return page_end_part(db, w);
}

static enum err slot_fill(struct page_write *w, size_t i, struct page_slot *slot) {
  buf_clear(&slot->storage);
  TRY(twilio_page_delivery(w->page, i, &slot->storage, &slot->delivery));
  slot->delivery.business_id = w->places[i];
  slot->delivery.is_backfill = w->r->how.since_ms > 0;
  return OK;
}

/* (5) */
static enum err page_run_set(struct db *db, void *arg) {
  struct page_write *w = arg;
  const struct delivery *deliveries[SET_MAX];
  struct intake_result *results[SET_MAX];
  int n = 0;
  size_t i = w->next;
  memset(&w->found, 0, sizeof(w->found));
  for (; i < w->count && n < SET_MAX; i++) {
    if (!w->places[i]) continue;
    TRY(slot_fill(w, i, &w->slots[n]));
    deliveries[n] = &w->slots[n].delivery;
    results[n] = &w->slots[n].result;
    n++;
  }
  TRY(intake_run_set(db, deliveries, n, db_now_ms(db), results));
  for (int k = 0; k < n; k++) page_note_written(w, deliveries[k], results[k]);
  w->reached = i;
  return page_end_part(db, w);
}

static enum err page_write_part(struct page_write *w) {
  const struct reconcile_parts *parts = &w->r->parts;
  enum err e = w->slots ? parts->write(parts->arg, page_run_set, w) : ERR_UNSUPPORTED;
  return e == OK || e == ERR_CONFLICT || e == ERR_CLOSED ? e : parts->write(parts->arg, page_run_part, w);
}

/* Writes the entries that have a place. */
static enum err page_write_all(struct page_write *w, const struct reconcile_state *state) {
  struct reconcile_counts *c = &w->r->counts;
  w->state = state;
  w->next = 0;
  do {
    TRY(page_write_part(w));
    w->next = w->reached;
    c->calls += w->found.calls;
    c->recordings += w->found.recordings;
    c->queued += w->found.queued;
    c->refused += w->found.refused;
  } while (w->next < w->count);
  return OK;
}

/* ---- places ---- */

static void entry_note_unplaced(struct page_write *w, enum reconcile_unplaced why) {
  const struct delivery *d = &w->delivery;
  w->r->counts.unplaced++;
  if (w->r->parts.unplaced)
    w->r->parts.unplaced(w->r->parts.arg, str_from(w->account->account_sid),
                         d->recording_sid.n ? d->recording_sid : d->call_sid, why);
}

static int64_t place_of_top(const struct reconcile_account *a, const struct delivery *d,
                            enum reconcile_unplaced *ret_why) {
  bool is_inbound = str_eq(part_field(&d->call, CALL_FIELD_DIRECTION), STR("inbound"));
  struct str number = part_field(&d->call, is_inbound ? CALL_FIELD_TO : CALL_FIELD_FROM);
  return reconcile_account_of_number(a, number, ret_why);
}

/* Reads a single call of the provider as a page with one entry. */
static enum err call_ask(struct reconcile_reader *reader, const struct reconcile_account *a, const char *call_sid,
                         struct twilio_page **ret_page) {
  struct buf url CLEANUP(buf_done) = BUF_INIT(URL_ROOM), body CLEANUP(buf_done) = BUF_INIT(TWILIO_PAGE_BYTES_MAX);
  const char *text;
  if (reader->r->calls_asked++ >= RECONCILE_ASKED_MAX) return ERR_NOT_FOUND;
  TRY(buf_addf(&url, "%s/2010-04-01/Accounts/%s/Calls/%s.json", a->base_url, a->account_sid, call_sid));
  TRY(buf_terminate(&url, &text));
  TRY(reconcile_ask(reader, a, text));
  TRY(buf_add(&body, STR("{\"calls\":[")));
  TRY(buf_add(&body, buf_str(&reader->body)));
  TRY(buf_add(&body, STR("]}")));
  return twilio_page_parse(&a->provider, TWILIO_LIST_CALLS, buf_str(&body), db_clock_now_ms(), ret_page);
}

static void free_page(struct twilio_page **page) {
  *page = twilio_page_free(*page);
}

static void free_delivery(struct delivery **d) {
  free(*d);
}

/* Asks the provider for a call that no business knows. *ret_id: its business by number, 0; ret_sid becomes its parent if it has
 * one, else "". */
static enum err place_by_asking(struct page_write *w, char ret_sid[SID_SIZE], int64_t *ret_id,
                                enum reconcile_unplaced *ret_why) {
  struct twilio_page *page CLEANUP(free_page) = NULL;
  struct delivery *d CLEANUP(free_delivery) = NULL;
  struct buf storage CLEANUP(buf_done) = BUF_INIT(ENTRY_ROOM);
  enum err e = call_ask(w->reader, w->account, ret_sid, &page);
  ret_sid[0] = '\0';
  if (e == ERR_NOT_FOUND || e == ERR_INVALID || e == ERR_TOO_BIG) return OK;
  TRY(e);
  d = malloc(sizeof(*d));
  if (!d) return ERR_NOMEM;
  if (twilio_page_count(page) != 1 || twilio_page_delivery(page, 0, &storage, d) != OK) return OK;
  struct str parent = part_field(&d->call, CALL_FIELD_PARENT);
  if (parent.n) return str_copy(ret_sid, SID_SIZE, parent);
  *ret_id = place_of_top(w->account, d, ret_why);
  return OK;
}

/* The business of a call by its SID: the one that knows it, else by the number of its top leg. */
static enum err place_of_call(struct page_write *w, struct str call_sid, int64_t *ret_id,
                              enum reconcile_unplaced *ret_why) {
  char sid[SID_SIZE];
  *ret_id = 0;
  *ret_why = RECONCILE_FITS_NONE;
  TRY(str_copy(sid, sizeof(sid), call_sid));
  for (int i = 0; i < PARENTS_MAX && sid[0] && !*ret_id; i++) {
    TRY(reconcile_account_of_call(w->r->parts.db, w->account, str_from(sid), ret_id, ret_why));
    if (*ret_id || *ret_why == RECONCILE_FITS_SEVERAL) return OK;
    TRY(place_by_asking(w, sid, ret_id, ret_why));
  }
  return OK;
}

/* The place of the entry that w->delivery holds. */
static enum err entry_place(struct page_write *w, int64_t *ret_id, enum reconcile_unplaced *ret_why) {
  const struct delivery *d = &w->delivery;
  struct str parent = part_field(&d->call, CALL_FIELD_PARENT);
  *ret_why = RECONCILE_FITS_NONE;
  *ret_id = w->account->ids[0];
  if (!reconcile_account_is_shared(w->account)) return OK;
  if (d->recording_sid.n == 0 && parent.n == 0) {
    *ret_id = place_of_top(w->account, d, ret_why);
    return OK;
  }
  struct str call = d->recording_sid.n ? d->call_sid : parent;
  *ret_id = 0;
  return call.n ? place_of_call(w, call, ret_id, ret_why) : OK;
}

/* Whether the database has what the entry says, so that nothing needs to be written. */
static enum err entry_is_known(struct page_write *w, int64_t business_id, bool *ret_known) {
  const struct delivery *d = &w->delivery;
  struct db *db = w->r->parts.db;
  *ret_known = false;
  if (d->recording_sid.n) {
    struct recording row;
    enum err e = recordings_get(db, business_id, d->recording_sid, &row);
    if (e != OK) return e == ERR_NOT_FOUND ? OK : e;
    *ret_known = row.status == RECORDING_EXPIRED ||
                 str_eq(str_from(row.provider_status), part_field(&d->recording, RECORDING_FIELD_STATUS));
    return OK;
  }
  struct call row;
  enum err e = calls_get(db, business_id, d->call_sid, &row);
  if (e != OK) return e == ERR_NOT_FOUND ? OK : e;
  *ret_known = str_eq(str_from(row.status), part_field(&d->call, CALL_FIELD_STATUS));
  return OK;
}

/* Finds the places of the entries that have a parent, or of the others. */
static enum err page_place(struct page_write *w, bool with_parent) {
  memset(w->places, 0, sizeof(w->places));
  for (size_t i = 0; i < w->count; i++) {
    enum err e = page_read_entry(w, i);
    bool known, has_parent = e == OK && part_field(&w->delivery.call, CALL_FIELD_PARENT).n > 0;
    enum reconcile_unplaced why;
    int64_t id;
    if (e == ERR_NOMEM) return e;
    if (has_parent != with_parent) continue;
    if (e != OK) {
      w->r->counts.refused++;
      continue;
    }
    TRY(entry_place(w, &id, &why));
    if (!id) {
      entry_note_unplaced(w, why);
      continue;
    }
    TRY(entry_is_known(w, id, &known));
    if (!known) w->places[i] = id;
  }
  return OK;
}

/* ---- an account ---- */

/* The state after this page. */
static enum err state_advance(struct reconcile_state *s, const struct twilio_page *page) {
  struct str next = twilio_page_next(page);
  if (next.n) return str_copy(s->url, sizeof(s->url), next);
  s->url[0] = '\0';
  if (s->list == TWILIO_LIST_CALLS) {
    s->list = TWILIO_LIST_RECORDINGS;
  } else {
    *s = (struct reconcile_state){.done_ms = s->began_ms};
  }
  return OK;
}

static struct page_slot *slots_free(struct page_slot *slots) {
  for (int i = 0; slots && i < SET_MAX; i++) buf_done(&slots[i].storage);
  free(slots);
  return NULL;
}

static enum err slots_new(struct page_slot **ret_slots) {
  struct page_slot *slots = calloc(SET_MAX, sizeof(*slots));
  if (!slots) return ERR_NOMEM;
  for (int i = 0; i < SET_MAX; i++) buf_init(&slots[i].storage, ENTRY_ROOM);
  *ret_slots = slots;
  return OK;
}

static enum err page_take(struct reconcile_reader *reader, const struct reconcile_account *a, struct twilio_page *page,
                          struct reconcile_state *s) {
  struct reconcile *r = reader->r;
  struct page_write *w = calloc(1, sizeof(*w));
  if (!w) return ERR_NOMEM;
  *w = (struct page_write){.reader = reader, .r = r, .account = a, .page = page, .count = twilio_page_count(page)};
  buf_init(&w->storage, ENTRY_ROOM);
  struct reconcile_state next = *s;
  enum err e = db_kind(r->parts.db) == DB_POSTGRES ? slots_new(&w->slots) : OK; /* (5) */
  if (e == OK) e = state_advance(&next, page);
  if (e == OK) e = page_place(w, false);
  if (e == OK) e = page_write_all(w, NULL); /* (3) */
  if (e == OK) e = page_place(w, true);
  if (e == OK) e = page_write_all(w, &next);
  if (e == OK) *s = next;
  r->counts.pages += e == OK;
  r->counts.entries += e == OK ? (int64_t)w->count : 0;
  w->slots = slots_free(w->slots);
  buf_done(&w->storage);
  free(w);
  return e;
}

/* Reads and takes the next page. */
static enum err page_read(struct reconcile_reader *reader, const struct reconcile_account *a,
                          struct reconcile_state *s) {
  struct buf url CLEANUP(buf_done) = BUF_INIT(URL_ROOM);
  struct twilio_page *page CLEANUP(free_page) = NULL;
  const char *text;
  if (s->url[0])
    TRY(buf_add(&url, str_from(s->url)));
  else
    TRY(twilio_list_url(&a->provider, (enum twilio_list)s->list, s->since_ms, PAGE_ITEMS, &url));
  TRY(buf_terminate(&url, &text));
  TRY(reconcile_ask(reader, a, text));
  enum err e =
      twilio_page_parse(&a->provider, (enum twilio_list)s->list, buf_str(&reader->body), db_clock_now_ms(), &page);
  if (e == ERR_INVALID || e == ERR_DENIED || e == ERR_TOO_BIG) {
    (void)snprintf(reader->why, sizeof(reader->why), "the provider's answer is not a list that can be read (%s)",
                   err_text(e));
    return ERR_TIMEOUT;
  }
  TRY(e);
  return page_take(reader, a, page, s);
}

/* False: the account was read lately. Else *s is the run to begin or to continue. */
static bool state_begin(const struct reconcile *r, const struct reconcile_account *a, struct reconcile_state *s) {
  int64_t now = db_clock_now_ms();
  if (r->how.not_after_ms && s->done_ms > r->how.not_after_ms && s->done_ms <= now) return false;
  if (r->how.since_ms && s->since_ms == r->how.since_ms && s->began_ms) return true;
  if (!r->how.since_ms && s->since_ms && s->began_ms && s->began_ms <= now && now - s->began_ms < DAY_MS) return true;
  int64_t done_ms = s->done_ms, since = r->how.since_ms;
  if (!since) since = (done_ms ? done_ms : a->oldest_ms) - DAY_MS;
  *s = (struct reconcile_state){.done_ms = done_ms, .since_ms = since > 1 ? since : 1, .began_ms = now};
  return true;
}

static enum err account_run(struct reconcile_reader *reader, const struct reconcile_account *a) {
  struct reconcile *r = reader->r;
  bool is_backfill = r->how.since_ms > 0, was_lost = false;
  struct reconcile_state s;
  TRY(reconcile_state_read(r->parts.db, a, is_backfill, &s));
  if (!state_begin(r, a, &s)) return OK;
  reader->asked_ms = 0;
  while (s.since_ms) {
    if (r->result != OK) return r->result; /* of another reader */
    enum err e = page_read(reader, a, &s);
    if (e == ERR_NOT_FOUND && s.url[0] && !was_lost) { /* (4) */
      was_lost = true;
      s.url[0] = '\0';
      continue;
    }
    if (e == ERR_NOT_FOUND) {
      (void)snprintf(reader->why, sizeof(reader->why), "the provider does not know the account's lists (404)");
      return ERR_TIMEOUT;
    }
    TRY(e);
    if (r->parts.progress) r->parts.progress(r->parts.arg, &r->counts);
  }
  r->counts.accounts++;
  return OK;
}

/* An account that can't be read is counted, and no error. */
static enum err account_read(struct reconcile_reader *reader, struct reconcile_account *a) {
  struct reconcile *r = reader->r;
  enum err e = reconcile_renew(r);
  if (e == OK) e = reconcile_account_open(&r->parts, a);
  if (e == OK) e = account_run(reader, a);
  if (e == ERR_CORRUPT) {
    (void)snprintf(reader->why, sizeof(reader->why), "its secrets were encrypted with another key");
    e = ERR_DENIED;
  }
  bool is_unread = e == ERR_DENIED || e == ERR_TIMEOUT, is_removed = e == ERR_NOT_FOUND; /* since they were read */
  r->counts.failed += is_unread;
  if (is_unread && r->parts.failed) r->parts.failed(r->parts.arg, str_from(a->account_sid), reader->why);
  reconcile_account_close(a);
  return is_unread || is_removed ? OK : e;
}

/* Reads one account after the other, until none is left or one of the readers found an error. (6) */
static void *reader_main(void *arg) {
  struct reconcile_reader *reader = arg;
  struct reconcile *r = reader->r;
  LOCKED(&r->work);
  while (r->result == OK && r->next < r->accounts.count) {
    enum err e = account_read(reader, &r->accounts.list[r->next++]);
    if (e != OK && r->result == OK) r->result = e;
  }
  return NULL;
}

static enum err accounts_run(struct reconcile *r) {
  pthread_t threads[RECONCILE_READERS_MAX];
  size_t wanted = r->accounts.count < RECONCILE_READERS_MAX ? r->accounts.count : RECONCILE_READERS_MAX, n = 0;
  while (n + 1 < wanted && pthread_create(&threads[n], NULL, reader_main, &r->readers[n + 1]) == 0) n++;
  (void)reader_main(&r->readers[0]); /* this thread is one of them */
  for (size_t i = 0; i < n; i++) (void)pthread_join(threads[i], NULL);
  return r->result;
}

static enum err run_begin(struct db *db, void *arg) {
  const struct reconcile *r = arg;
  const struct reconcile_progress progress = progress_of(r);
  TRY(reconcile_lease_take(db, r->parts.owner, true));
  return reconcile_progress_write(db, &progress);
}

static enum err run_end(struct db *db, void *arg) {
  const struct reconcile *r = arg;
  struct reconcile_progress progress = progress_of(r);
  progress.ended_ms = db_now_ms(db);
  if (r->result != ERR_CONFLICT) TRY(reconcile_progress_write(db, &progress)); /* else it is another one's */
  return reconcile_lease_drop(db, r->parts.owner);
}

enum err reconcile_run(struct reconcile *r, const struct reconcile_how *how, struct reconcile_counts *ret_counts) {
  memset(&r->counts, 0, sizeof(r->counts));
  r->how = *how;
  r->next = 0;
  r->result = OK;
  r->calls_asked = 0;
  r->has_lease = false;
  r->began_ms = db_clock_now_ms();
  enum err e = reconcile_renew(r);
  if (e == OK) e = reconcile_accounts_read(&r->parts, how->business_id, &r->accounts);
  if (e == OK) e = r->parts.write(r->parts.arg, run_begin, r);
  if (e == OK) e = accounts_run(r);
  if (r->has_lease) IGNORE(r->parts.write(r->parts.arg, run_end, r)); /* the lease ends by itself */
  reconcile_accounts_done(&r->accounts);
  *ret_counts = r->counts;
  return e;
}

void reconcile_stop(struct reconcile *r) {
  for (int i = 0; i < RECONCILE_READERS_MAX; i++) fetch_getter_stop(r->readers[i].getter);
  LOCKED(&r->lock);
  r->stopped = true;
  lock_cond_broadcast(&r->wake);
}

enum err reconcile_new(const struct reconcile_parts *parts, struct reconcile **ret_reconcile) {
  struct reconcile *r = calloc(1, sizeof(*r));
  if (!r) return ERR_NOMEM;
  r->parts = *parts;
  lock_init(&r->work, "reconcile work", LOCK_RANK_WORK);
  lock_init(&r->lock, "reconcile", LOCK_RANK_WORK);
  lock_cond_init(&r->wake);
  enum err e = OK;
  for (int i = 0; e == OK && i < RECONCILE_READERS_MAX; i++) {
    r->readers[i].r = r;
    buf_init(&r->readers[i].body, TWILIO_PAGE_BYTES_MAX);
    e = fetch_getter_new(&r->readers[i].getter);
  }
  if (e != OK) {
    reconcile_free(r);
    return e;
  }
  *ret_reconcile = r;
  return OK;
}

struct reconcile *reconcile_free(struct reconcile *r) {
  if (!r) return NULL;
  for (int i = 0; i < RECONCILE_READERS_MAX; i++) {
    r->readers[i].getter = fetch_getter_free(r->readers[i].getter);
    buf_done(&r->readers[i].body);
  }
  lock_cond_done(&r->wake);
  lock_done(&r->lock);
  lock_done(&r->work);
  free(r);
  return NULL;
}
