/* call_page.c - reads a page's rows by two queries and groups them once.
 *
 * Invariants
 *  (1) Grouping n calls and m recordings takes O((n + m) log n) comparisons.
 *  (2) The k recordings of a leg are collected in O(k), and sorted in O(k log k) if they are of several legs.
 *  (3) calls and rows do not move after they were grouped, because all else points into them.
 *  (4) Lists have the order of their array, because they are built from its end. */
#include "domain/call_page.h"

#include <stdlib.h>
#include <string.h>

void call_page_done(struct call_page *p) {
  free(p->calls);
  free(p->rows);
  free(p->legs);
  free(p->recordings);
  free(p->related);
  free(p->shown);
  *p = (struct call_page)CALL_PAGE;
}

/* ---- reading ---- */

static enum err grow_array(void **items, size_t item_size, size_t count, size_t *room) {
  if (count < *room) return OK;
  size_t more = *room ? *room * 2 : 32;
  void *grown = realloc(*items, more * item_size);
  if (!grown) return ERR_NOMEM;
  *items = grown;
  *room = more;
  return OK;
}

static enum err add_call_row(void *arg, const struct call *call) {
  struct call_page *p = arg;
  void *items = p->calls;
  TRY(grow_array(&items, sizeof(*call), p->call_count, &p->call_room));
  p->calls = items;
  p->calls[p->call_count++] = *call;
  return OK;
}

static enum err add_recording_row(void *arg, const struct recording *row) {
  struct call_page *p = arg;
  void *items = p->rows;
  TRY(grow_array(&items, sizeof(*row), p->row_count, &p->row_room));
  p->rows = items;
  p->rows[p->row_count++] = *row;
  return OK;
}

static void cap_at_legs_max(size_t *count) {
  if (*count > CALLS_LIST_LEGS_MAX) *count = CALLS_LIST_LEGS_MAX;
}

static enum err read_recordings(struct db *db, int64_t business_id, struct call_page *p) {
  cap_at_legs_max(&p->call_count);
  TRY(calls_list_recordings(db, business_id, p->calls, p->call_count, add_recording_row, p));
  cap_at_legs_max(&p->row_count);
  return OK;
}

/* ---- grouping ---- */

static int compare_legs(const void *a, const void *b) {
  const struct call_leg *x = a, *y = b;
  return strcmp(x->call->call_sid, y->call->call_sid);
}

static int compare_sid(const void *call_sid, const void *leg) {
  return strcmp(call_sid, ((const struct call_leg *)leg)->call->call_sid);
}

struct call_leg *call_page_find(const struct call_page *p, const char *call_sid) {
  if (!p->call_count) return NULL;
  return bsearch(call_sid, p->legs, p->call_count, sizeof(p->legs[0]), compare_sid);
}

static int64_t began_at(const struct call *c) {
  return c->started_at ? c->started_at : c->first_seen_at;
}

static bool began_before(const struct call_leg *a, const struct call_leg *b) {
  int64_t x = began_at(a->call), y = began_at(b->call);
  return x < y || (x == y && strcmp(a->call->call_sid, b->call->call_sid) < 0);
}

static void link_leg(const struct call_page *p, struct call_leg *leg) {
  struct call_leg *top = call_page_find(p, leg->call->top_sid);
  leg->top = top ? top : leg;
  struct call_leg *parent = call_page_find(p, leg->call->parent_call_sid);
  if (!parent || parent == leg) return;
  leg->parent = parent;
  leg->next_child = parent->children;
  parent->children = leg;
  if (!parent->first_child || began_before(leg, parent->first_child)) parent->first_child = leg;
}

static void link_recording(const struct call_page *p, struct call_recording *r) {
  struct call_leg *leg = call_page_find(p, r->row->call_sid);
  if (!leg) return;
  r->next_of_leg = leg->recordings;
  leg->recordings = r;
  r->next_of_tree = leg->top->tree_recordings;
  leg->top->tree_recordings = r;
}

static enum err group_rows(struct call_page *p) {
  p->legs = calloc(p->call_count + 1, sizeof(p->legs[0]));
  p->recordings = calloc(p->row_count + 1, sizeof(p->recordings[0]));
  p->related = calloc(p->call_count + 1, sizeof(p->related[0]));
  p->shown = calloc(p->row_count + 1, sizeof(p->shown[0]));
  if (!p->legs || !p->recordings || !p->related || !p->shown) return ERR_NOMEM;
  for (size_t i = 0; i < p->call_count; i++) p->legs[i].call = &p->calls[i];
  qsort(p->legs, p->call_count, sizeof(p->legs[0]), compare_legs);
  for (size_t i = p->call_count; i-- > 0;) link_leg(p, call_page_find(p, p->calls[i].call_sid)); /* (4) */
  for (size_t i = p->row_count; i-- > 0;) {
    p->recordings[i].row = &p->rows[i];
    link_recording(p, &p->recordings[i]);
  }
  return OK;
}

enum err call_page_read(struct db *db, int64_t business_id, const struct calls_key *keys, size_t count,
                        struct call_page *p) {
  enum err e = calls_list_legs(db, business_id, keys, count, add_call_row, p);
  if (e == OK) e = read_recordings(db, business_id, p);
  if (e == OK) e = group_rows(p);
  if (e != OK) call_page_done(p);
  return e;
}

enum err call_page_read_one(struct db *db, int64_t business_id, const char *call_sid, struct call_page *p) {
  enum err e = calls_list_related(db, business_id, call_sid, add_call_row, p);
  if (e == OK) e = read_recordings(db, business_id, p);
  if (e == OK) e = group_rows(p);
  if (e != OK) call_page_done(p);
  return e;
}

/* ---- legs and recordings that are shown with a leg ---- */

size_t call_page_related(struct call_page *p, const struct call_leg *leg) {
  const struct call_leg *parent = leg->parent; /* NULL once it was written */
  size_t n = 0;
  for (const struct call_leg *child = leg->children; child; child = child->next_child) {
    if (parent && parent->call < child->call) p->related[n++] = TAKE(parent);
    if (parent == child) parent = NULL; /* two legs that name each other as parent */
    p->related[n++] = child;
  }
  if (parent) p->related[n++] = parent;
  return n;
}

static int compare_row_order(const void *a, const void *b) {
  const struct recording *const *x = a, *const *y = b;
  return (*x > *y) - (*x < *y);
}

static size_t show_tree(struct call_page *p, const struct call_leg *top, size_t n) {
  for (const struct call_recording *r = top->tree_recordings; r; r = r->next_of_tree)
    if (strcmp(r->row->call_sid, top->call->call_sid) != 0) p->shown[n++] = r->row;
  return n;
}

static size_t show_related(struct call_page *p, const struct call_leg *leg, size_t n) {
  size_t own = n, related = call_page_related(p, leg);
  for (size_t i = 0; i < related; i++)
    for (const struct call_recording *r = p->related[i]->recordings; r; r = r->next_of_leg) p->shown[n++] = r->row;
  qsort(p->shown + own, n - own, sizeof(p->shown[0]), compare_row_order); /* rows are newest first */
  return n;
}

size_t call_page_recordings(struct call_page *p, const struct call_leg *leg) {
  size_t n = 0;
  for (const struct call_recording *r = leg->recordings; r; r = r->next_of_leg) p->shown[n++] = r->row;
  bool is_top = strcmp(leg->call->call_sid, leg->call->top_sid) == 0;
  return is_top ? show_tree(p, leg, n) : show_related(p, leg, n);
}
