/* intake_set.c - stores several deliveries at once: two statements read, and a few write all of them.
 *
 *   deliveries --their legs and recordings are read--> merged, one after the other --> written
 *        `-- left: needs other rows than its own --intake_run, when the others were written--> stored
 *
 * Invariants
 *  (1) Each leg and each recording stands in the set once. Either all deliveries of it are merged, or all are left.
 *  (2) A leg is merged only if no leg below it must follow, and its top leg is itself, the one it had, or its parent that is a
 *      top leg and has no delivery in the set. Nothing else of its tree changes then.
 *  (3) Deliveries of a business with holds or erasures are left to intake.c, which knows what these cover.
 *  (4) Recordings are written before calls: the calls' triggers then find their recordings, and write no row twice. */
#include <stdlib.h>
#include <string.h>

#include "db/db.h"
#include "domain/intake.h"
#include "domain/intake_merge.h"
#include "domain/queue.h"
#include "ledger/calls_many.h"
#include "ledger/calls_search.h"
#include "ledger/changes.h"
#include "ledger/recordings_many.h"

struct set_leg {
  struct call next;
  struct fields *fields; /* owned */
  struct buf text;       /* as it is written */
  bool is_left, is_changed, has_new_document, has_new_text, has_new_top;
  int64_t place; /* sort_at of its top leg */
};

struct set_recording {
  struct recording next;
  struct fields *fields; /* owned */
  struct buf text;
  bool is_left, is_changed;
  int leg;                             /* of its deliveries */
  const struct recording_event *found; /* the event that made it ready; NULL: none did */
};

struct intake_set {
  const struct delivery *const *deliveries;
  struct intake_result *const *results;
  int count, leg_count, recording_count;
  struct call_lookup *leg_lookups; /* owned, as all below; each has room for count */
  struct set_leg *legs;
  struct recording_lookup *recording_lookups;
  struct set_recording *recordings;
  int *leg_of, *recording_of; /* of each delivery; -1: it reports no recording */
};

static void set_done(struct intake_set *s) {
  for (int i = 0; i < s->leg_count; i++) {
    fields_free(s->legs[i].fields);
    buf_done(&s->legs[i].text);
    buf_done(&s->leg_lookups[i].fields);
  }
  for (int i = 0; i < s->recording_count; i++) {
    fields_free(s->recordings[i].fields);
    buf_done(&s->recordings[i].text);
    buf_done(&s->recording_lookups[i].fields);
  }
  free(s->leg_lookups);
  free(s->legs);
  free(s->recording_lookups);
  free(s->recordings);
  free(s->leg_of);
  free(s->recording_of);
}

static enum err set_allocate(struct intake_set *s) {
  size_t n = (size_t)s->count;
  s->leg_lookups = calloc(n, sizeof(*s->leg_lookups));
  s->legs = calloc(n, sizeof(*s->legs));
  s->recording_lookups = calloc(n, sizeof(*s->recording_lookups));
  s->recordings = calloc(n, sizeof(*s->recordings));
  s->leg_of = calloc(n, sizeof(*s->leg_of));
  s->recording_of = calloc(n, sizeof(*s->recording_of));
  bool complete = s->leg_lookups && s->legs && s->recording_lookups && s->recordings && s->leg_of && s->recording_of;
  return complete ? OK : ERR_NOMEM;
}

/* ---- what stands in the set ---- */

static int find_leg(const struct intake_set *s, int64_t business_id, struct str sid) {
  for (int i = 0; i < s->leg_count; i++)
    if (s->leg_lookups[i].business_id == business_id && str_eq(sid, str_from(s->leg_lookups[i].call_sid))) return i;
  return -1;
}

static enum err add_leg(struct intake_set *s, const struct delivery *d, int *ret_leg) {
  struct str parent = intake_part_get(&d->call, CALL_FIELD_PARENT);
  int at = find_leg(s, d->business_id, d->call_sid);
  if (at < 0) {
    at = s->leg_count++;
    s->leg_lookups[at].business_id = d->business_id;
    buf_init(&s->legs[at].text, FIELDS_TEXT_MAX);
    TRY(str_copy(s->leg_lookups[at].call_sid, SID_SIZE, d->call_sid));
  }
  struct call_lookup *lookup = &s->leg_lookups[at];
  if (parent.n && lookup->parent_sid[0] && !str_eq(parent, str_from(lookup->parent_sid))) s->legs[at].is_left = true;
  if (parent.n) TRY(str_copy(lookup->parent_sid, SID_SIZE, parent));
  *ret_leg = at;
  return OK;
}

static enum err add_recording(struct intake_set *s, const struct delivery *d, int leg, int *ret_recording) {
  int at = 0;
  while (at < s->recording_count && (s->recording_lookups[at].business_id != d->business_id ||
                                     !str_eq(d->recording_sid, str_from(s->recording_lookups[at].recording_sid))))
    at++;
  struct set_recording *r = &s->recordings[at];
  if (at == s->recording_count) {
    s->recording_count++;
    s->recording_lookups[at].business_id = d->business_id;
    r->leg = leg;
    buf_init(&r->text, FIELDS_TEXT_MAX);
    TRY(str_copy(s->recording_lookups[at].recording_sid, SID_SIZE, d->recording_sid));
  }
  struct str call = intake_part_get(&d->recording, RECORDING_FIELD_CALL);
  if (r->leg != leg || (call.n && !str_eq(call, d->call_sid))) r->is_left = true;
  *ret_recording = at;
  return OK;
}

static enum err set_collect(struct intake_set *s) {
  for (int i = 0; i < s->count; i++) {
    const struct delivery *d = s->deliveries[i];
    s->recording_of[i] = -1;
    TRY(add_leg(s, d, &s->leg_of[i]));
    if (d->recording_sid.n) TRY(add_recording(s, d, s->leg_of[i], &s->recording_of[i]));
  }
  for (int i = 0; i < s->leg_count; i++) { /* (2) */
    const struct call_lookup *lookup = &s->leg_lookups[i];
    if (lookup->parent_sid[0] && find_leg(s, lookup->business_id, str_from(lookup->parent_sid)) >= 0)
      s->legs[i].is_left = true;
  }
  return OK;
}

/* ---- legs ---- */

static bool is_same(const char *a, const char *b) {
  return strcmp(a, b) == 0;
}

static enum err set_top(struct set_leg *leg, const char *top_sid, int64_t place) {
  leg->place = place;
  return str_copy(leg->next.top_sid, SID_SIZE, str_from(top_sid));
}

/* Finds the top leg, and whether the leg may be stored here (2). */
static enum err place_leg(const struct call_lookup *lookup, struct set_leg *leg) {
  const struct call *was = &lookup->call, *next = &leg->next;
  bool same_time = lookup->is_known && calls_sort_at(was) == calls_sort_at(next);
  bool is_top = is_same(was->top_sid, next->call_sid);
  leg->has_new_text = !lookup->is_known || !is_same(was->from_number, next->from_number) ||
                      !is_same(was->to_number, next->to_number) || !is_same(was->caller_name, next->caller_name);
  leg->has_new_document = !same_time || !was->document_id || leg->has_new_text;
  leg->has_new_top = !lookup->is_known;
  if (lookup->is_known) {
    bool moves_others = is_top && !same_time && lookup->has_children;
    leg->is_left = !is_same(was->parent_call_sid, next->parent_call_sid) || moves_others || !lookup->top_sort_at;
    return set_top(leg, was->top_sid, is_top ? calls_sort_at(next) : lookup->top_sort_at);
  }
  bool has_parent = next->parent_call_sid[0];
  leg->is_left = lookup->has_children || (has_parent && !is_same(next->parent_call_sid, lookup->parent_sid)) ||
                 (has_parent && lookup->parent_is_known && !lookup->parent_is_top);
  if (has_parent && lookup->parent_is_known) return set_top(leg, next->parent_call_sid, lookup->parent_sort_at);
  return set_top(leg, next->call_sid, calls_sort_at(next));
}

static enum err merge_leg(struct intake_set *s, int i) {
  struct call_lookup *lookup = &s->leg_lookups[s->leg_of[i]];
  struct set_leg *leg = &s->legs[s->leg_of[i]];
  bool changed;
  if (!leg->fields) {
    leg->next = lookup->call;
    TRY(fields_read(buf_str(&lookup->fields), &leg->fields));
  }
  bool is_known = lookup->is_known || leg->is_changed;
  TRY(intake_merge_call(&leg->next, is_known, leg->fields, s->deliveries[i], s->results[i], &changed));
  leg->is_changed = leg->is_changed || changed;
  return OK;
}

static enum err merge_legs(struct intake_set *s) {
  for (int i = 0; i < s->count; i++) {
    struct set_leg *leg = &s->legs[s->leg_of[i]];
    if (s->leg_lookups[s->leg_of[i]].is_special) leg->is_left = true; /* (3) */
    if (!leg->is_left && s->deliveries[i]->call_sid.n) TRY(merge_leg(s, i));
  }
  for (int i = 0; i < s->leg_count; i++)
    if (!s->legs[i].is_left && s->leg_lookups[i].call_sid[0]) TRY(place_leg(&s->leg_lookups[i], &s->legs[i]));
  return OK;
}

/* ---- recordings ---- */

static bool is_left(const struct intake_set *s, int i) {
  return s->legs[s->leg_of[i]].is_left || (s->recording_of[i] >= 0 && s->recordings[s->recording_of[i]].is_left);
}

/* (1) */
static void leave_all_of(struct intake_set *s) {
  for (int i = 0; i < s->recording_count; i++)
    if (s->recording_lookups[i].is_known && s->recording_lookups[i].row.status == RECORDING_EXPIRED)
      s->recordings[i].is_left = true;
  for (bool again = true; again;) {
    again = false;
    for (int i = 0; i < s->count; i++) {
      struct set_leg *leg = &s->legs[s->leg_of[i]];
      struct set_recording *r = s->recording_of[i] >= 0 ? &s->recordings[s->recording_of[i]] : NULL;
      if (!is_left(s, i) || (leg->is_left && (!r || r->is_left))) continue;
      leg->is_left = true;
      if (r) r->is_left = true;
      again = true;
    }
  }
}

static enum err merge_recording(struct intake_set *s, int i, int64_t now) {
  struct recording_lookup *lookup = &s->recording_lookups[s->recording_of[i]];
  struct set_recording *r = &s->recordings[s->recording_of[i]];
  bool row_changed, fields_changed, is_known = lookup->is_known || r->is_changed;
  if (!r->fields) {
    if (lookup->is_known)
      r->next = lookup->row;
    else
      TRY(intake_new_recording(s->deliveries[i], &r->next));
    TRY(fields_read(buf_str(&lookup->fields), &r->fields));
  }
  struct recording before = r->next;
  TRY(intake_merge_recording(&before, is_known, r->fields, s->deliveries[i], now, &r->next, s->results[i], &row_changed,
                             &fields_changed));
  r->is_changed = r->is_changed || row_changed || fields_changed;
  if (s->results[i]->is_ready) r->found = s->deliveries[i]->found;
  return OK;
}

/* ---- writing ---- */

struct writes {
  struct call_write *calls;
  struct recording_write *recordings;
  int call_count, recording_count;
};

static void writes_done(struct writes *w) {
  free(w->calls);
  free(w->recordings);
}

static enum err writes_add_leg(struct writes *w, struct set_leg *leg) {
  TRY(fields_write(leg->fields, &leg->text));
  w->calls[w->call_count++] = (struct call_write){.call = &leg->next,
                                                  .fields = buf_str(&leg->text),
                                                  .has_new_document = leg->has_new_document,
                                                  .place = leg->place};
  return OK;
}

static enum err writes_add_recording(struct writes *w, const struct intake_set *s, int i) {
  const struct recording_lookup *lookup = &s->recording_lookups[i];
  struct set_recording *r = &s->recordings[i];
  const struct call *call = r->next.call_sid[0] ? &s->legs[r->leg].next : NULL;
  TRY(fields_write(r->fields, &r->text));
  w->recordings[w->recording_count++] =
      (struct recording_write){.was = lookup->is_known ? &lookup->row : NULL,
                               .next = &r->next,
                               .fields = buf_str(&r->text),
                               .call_started_at = call ? call->started_at : 0,
                               .listed_at = call && call->document_id ? calls_search_time(call->document_id) : 0};
  return OK;
}

static enum err write_changes(struct db *db, const struct intake_set *s, const struct writes *w) {
  struct db_set rows CLEANUP(db_set_done) = DB_SET;
  int64_t now = db_now_ms(db);
  for (int i = 0; i < s->leg_count; i++) {
    const struct set_leg *leg = &s->legs[i];
    const struct call *c = &leg->next;
    if (leg->is_left || !leg->is_changed) continue;
    if (!is_same(c->top_sid, c->call_sid) && (leg->has_new_top || leg->has_new_text))
      TRY(changes_add_row(&rows, CHANGE_CALL, c->business_id, str_from(c->top_sid), now));
    TRY(changes_add_row(&rows, CHANGE_CALL, c->business_id, str_from(c->call_sid), now));
  }
  for (int i = 0; i < w->recording_count; i++) {
    const struct recording *r = w->recordings[i].next;
    TRY(changes_add_row(&rows, (enum change_kind)recordings_many_change(&w->recordings[i]), r->business_id,
                        str_from(r->recording_sid), now));
  }
  return changes_add_rows(db, &rows);
}

static enum err write_found(struct db *db, const struct intake_set *s, int64_t now) {
  for (int i = 0; i < s->recording_count; i++) {
    const struct set_recording *r = &s->recordings[i];
    if (!r->is_left && r->found) TRY(queue_became_ready(db, &r->next, r->found, now));
  }
  return OK;
}

static enum err set_write(struct db *db, struct intake_set *s, int64_t now) {
  struct writes w CLEANUP(writes_done) = {.call_count = 0};
  w.calls = calloc((size_t)s->count, sizeof(*w.calls));
  w.recordings = calloc((size_t)s->count, sizeof(*w.recordings));
  if (!w.calls || !w.recordings) return ERR_NOMEM;
  for (int i = 0; i < s->leg_count; i++)
    if (!s->legs[i].is_left && s->legs[i].is_changed) TRY(writes_add_leg(&w, &s->legs[i]));
  TRY(calls_many_write_documents(db, w.calls, w.call_count));
  for (int i = 0; i < s->recording_count; i++)
    if (!s->recordings[i].is_left && s->recordings[i].is_changed) TRY(writes_add_recording(&w, s, i));
  TRY(recordings_many_write(db, w.recordings, w.recording_count)); /* (4) */
  TRY(write_found(db, s, now));
  TRY(calls_many_write(db, w.calls, w.call_count));
  return write_changes(db, s, &w);
}

/* One round trip. */
static enum err set_read_rows(struct db *db, struct intake_set *s) {
  struct db_rows q CLEANUP(db_rows_done) = DB_ROWS;
  TRY(recordings_many_send(db, &q, s->recording_lookups, s->recording_count));
  TRY(calls_many_read(db, s->leg_lookups, s->leg_count));
  return recordings_many_receive(&q, s->recording_lookups, s->recording_count);
}

static enum err run_set(struct db *db, struct intake_set *s, int64_t now) {
  TRY(set_allocate(s));
  TRY(set_collect(s));
  TRY(set_read_rows(db, s));
  TRY(merge_legs(s));
  leave_all_of(s);
  for (int i = 0; i < s->count; i++)
    if (s->recording_of[i] >= 0 && !is_left(s, i)) TRY(merge_recording(s, i, now));
  TRY(set_write(db, s, now));
  for (int i = 0; i < s->count; i++)
    if (is_left(s, i)) TRY(intake_run(db, s->deliveries[i], now, s->results[i]));
  return OK;
}

enum err intake_run_set(struct db *db, const struct delivery *const *deliveries, int count, int64_t now,
                        struct intake_result *const *results) {
  struct intake_set s CLEANUP(set_done) = {.deliveries = deliveries, .results = results, .count = count};
  if (count == 0) return OK;
  for (int i = 0; i < count; i++) *results[i] = (struct intake_result){.enqueued = false};
  return run_set(db, &s, now);
}
