/* call_page.h - reads the rows of a page of calls, and groups them so that each call has its legs and recordings.
 *
 *   struct call_page page CLEANUP(call_page_done) = CALL_PAGE;
 *   TRY(call_page_read(db, business, keys, count, &page));          count: from calls_list_fit
 *   struct call_leg *leg = call_page_find(&page, call_sid);
 *   size_t n = call_page_recordings(&page, leg);                    page.shown[0 … n) is valid until the next call
 *
 * Thread rule: one thread at a time. */
#pragma once

#include "ledger/calls_list.h"

/* A recording in two lists, both newest first. */
struct call_recording {
  const struct recording *row;
  const struct call_recording *next_of_leg, *next_of_tree;
};

/* A call with the legs and recordings of its tree that are on the page. All pointers point into the page. */
struct call_leg {
  const struct call *call;
  struct call_leg *top;    /* itself if the top leg is not on the page */
  struct call_leg *parent; /* NULL: none, or it is not on the page */
  struct call_leg *children, *next_child;
  struct call_leg *first_child; /* the child that began first; NULL: no children */
  const struct call_recording *recordings;
  const struct call_recording *tree_recordings; /* for a top leg: its own and those of all legs below it */
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

/* Reads the calls of the keys, all other legs of their trees, and their recordings into an empty page: at most the
 * first CALLS_LIST_LEGS_MAX legs and as many recordings. */
CHECKED enum err call_page_read(struct db *db, int64_t business_id, const struct calls_key *keys, size_t count,
                                struct call_page *p);
/* The same for one call with its parent and children only (calls_list_related). */
CHECKED enum err call_page_read_one(struct db *db, int64_t business_id, const char *call_sid, struct call_page *p);
/* Returns the leg with this SID; NULL: it is not on the page. */
struct call_leg *call_page_find(const struct call_page *p, const char *call_sid);
/* Writes the parent and the children of a leg to p->related, in the order of p->calls. Returns how many. */
size_t call_page_related(struct call_page *p, const struct call_leg *leg);
/* Writes the recordings that are shown with a leg to p->shown: its own, then those of other legs, each newest first.
 * For a top leg, the other legs are its whole tree; for any other leg, its parent and children. Overwrites p->related.
 * Returns how many. */
size_t call_page_recordings(struct call_page *p, const struct call_leg *leg);
