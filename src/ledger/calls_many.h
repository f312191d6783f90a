/* calls_many.h - legs of several deliveries, read and written by one statement each. For PostgreSQL, where each is a round trip.
 *
 *   struct call_lookup lookups[n] = {{.business_id = …, .call_sid = …, .parent_sid = …}, …};
 *   TRY(calls_many_read(db, lookups, n));
 *   TRY(calls_many_write_documents(db, writes, m));      each leg once
 *   TRY(calls_many_write(db, writes, m));
 *
 * They serve legs whose place in a tree is plain. For others, and for what is_special, calls.h and the rules of domain/intake.c
 * are needed. Thread rule: the connection's, in a transaction that holds the locks of the businesses (db_lock_businesses). */
#pragma once

#include "ledger/calls.h"

struct call_lookup {
  int64_t business_id;
  char call_sid[SID_SIZE];   /* "": only is_special is wanted */
  char parent_sid[SID_SIZE]; /* the parent that a delivery names, "": none */
  /* Found: */
  bool is_special; /* the business has holds or erasures under way, or the leg or its parent was removed */
  bool has_children;
  bool is_known;
  struct call call;    /* if it is known; without agent, own_number and hold */
  struct buf fields;   /* its ranked document; the caller calls buf_done */
  int64_t top_sort_at; /* of the row's top leg */
  bool parent_is_known, parent_is_top;
  int64_t parent_sort_at;
};
CHECKED enum err calls_many_read(struct db *db, struct call_lookup *lookups, int count);

/* A leg to write. The caller sets top_sid, and place where the document changes. */
struct call_write {
  struct call *call; /* its document_id is set if the document changes */
  struct str fields;
  bool has_new_document;
  int64_t place; /* sort_at of its top leg */
};
/* Replaces the documents of those that have a new one, and sets their calls' document_id. */
CHECKED enum err calls_many_write_documents(struct db *db, struct call_write *writes, int count);
/* Inserts or replaces the rows; recordings of new calls are to be written before, which saves a second version of each. Adds no
 * changes. */
CHECKED enum err calls_many_write(struct db *db, const struct call_write *writes, int count);
