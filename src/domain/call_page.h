/* call_page.h - the rows that a page of calls is made of, grouped so that each call finds its legs and recordings.
 *
 *   struct call_page page CLEANUP(call_page_done) = CALL_PAGE;
 *   TRY(call_page_read(db, business, keys, count, &page));          of as many keys as fit: calls_list_fit
 *   struct call_leg *leg = call_page_find(&page, call_sid);
 *   size_t n = call_page_recordings(&page, leg);                    page.shown[0 … n), until the next such call
 *
 * Thread rule: the page has one user at a time. */
#pragma once

#include "ledger/calls_list.h"

/* A recording in the lists that hold it; both go from newer to older. */
struct call_recording {
  const struct recording *row;
  const struct call_recording *next_of_leg, *next_of_tree;
};

/* A call with what the page has of its tree. All pointers lead into the same page. */
struct call_leg {
  const struct call *call;
  struct call_leg *top;    /* itself where the top leg is not on the page */
  struct call_leg *parent; /* NULL: none, or not on the page */
  struct call_leg *children, *next_child;
  struct call_leg *first_child; /* the one that began first; NULL: no children */
  const struct call_recording *recordings;
  const struct call_recording *tree_recordings; /* of a top leg: those of all legs under it, and its own */
};

struct call_page {
  struct call *calls; /* owned; in the order of calls_list_legs */
  size_t call_count, call_room;
  struct recording *rows; /* owned; newest first */
  size_t row_count, row_room;
  struct call_leg *legs;             /* owned; one a call, sorted by call_sid */
  struct call_recording *recordings; /* owned; one a row, in the same order */
  const struct call_leg **related;   /* owned; room for all calls */
  const struct recording **shown;    /* owned; room for all rows */
};
#define CALL_PAGE \
  { .call_count = 0 }
void call_page_done(struct call_page *p);

/* Reads the calls of the keys, all other legs of their trees, and their recordings, into an empty page; of each at most
 * the first CALLS_LIST_LEGS_MAX. */
CHECKED enum err call_page_read(struct db *db, int64_t business_id, const struct calls_key *keys, size_t count,
                                struct call_page *p);
/* The same for one call, with only the legs that are shown with it (calls_list_kin). */
CHECKED enum err call_page_read_one(struct db *db, int64_t business_id, const char *call_sid, struct call_page *p);
/* NULL: it is not on the page. */
struct call_leg *call_page_find(const struct call_page *p, const char *call_sid);
/* Writes the parent and the children of a leg to p->related, in the order of p->calls. Returns how many. */
size_t call_page_related(struct call_page *p, const struct call_leg *leg);
/* Writes to p->shown the recordings that are shown with a leg: its own, then those of its other legs, the newest first
 * within each. Other legs of a top leg are its whole tree; of another leg, its parent and children. Uses p->related. */
size_t call_page_recordings(struct call_page *p, const struct call_leg *leg);
