/* audit_spans.h - the table `audit_spans`: summaries of the audit's entries. Filters find entries by them, so that an entry is
 * written without an index (docs/adr/0015).
 *
 *   TRY(audit_spans_file(db, business_id, number, &filed));              behind an append
 *   TRY(audit_spans_find(db, business_id, before, &f, &spans));          spans that may hold what the filter wants
 *
 * Span s of a business has the entries s * AUDIT_SPAN_ENTRIES + 1 … (s + 1) * AUDIT_SPAN_ENTRIES. Its summary has the earliest
 * and the latest time of them, and a Bloom filter of their actors, actions and objects: it never hides an entry, and shows one
 * in some hundred spans that is not there. A span is filed once it is whole: audit_heads.filed counts those that are, from span 0
 * on.
 * Thread rule: the connection's. Writes need a transaction. */
#pragma once

#include "db/db.h"

enum {
  AUDIT_SPAN_ENTRIES = 256,
  AUDIT_SPAN_KEYS_SIZE = 768, /* 24 bits an entry, which has at most two keys that others do not have */
  AUDIT_SPANS_FILED_MAX = 2,  /* of a call: more than a release without summaries left behind, one after the other */
  AUDIT_SPANS_FOUND_MAX = 256
};

/* Files whole spans of a chain that has `number` entries, at most AUDIT_SPANS_FILED_MAX. *filed: how many are filed. */
CHECKED enum err audit_spans_file(struct db *db, int64_t business_id, int64_t number, int64_t *filed);
/* How many spans are filed; those behind have no summary yet. 0 also if the business has no chain. */
CHECKED enum err audit_spans_filed(struct db *db, int64_t business_id, int64_t *ret_filed);
/* Deletes the summaries of entries that are all gone: those up to `number`. */
CHECKED enum err audit_spans_cut(struct db *db, int64_t business_id, int64_t number);

struct audit_filter {
  struct str actor, action, object; /* empty: any */
  int64_t since, until;             /* since <= at < until; until 0: no end */
  int64_t after_number;             /* entries that follow this one, so older ones; 0: from the newest */
  int limit;                        /* 1 … AUDIT_LIST_MAX */
};

struct audit_spans {
  int64_t found[AUDIT_SPANS_FOUND_MAX]; /* the newest first */
  int count;
  int64_t before; /* all from here on were looked at; 0: there are no more */
};
/* Looks at the AUDIT_SPANS_FOUND_MAX summaries before span `before`. */
CHECKED enum err audit_spans_find(struct db *db, int64_t business_id, int64_t before, const struct audit_filter *f,
                                  struct audit_spans *ret_spans);

/* The summary of a span, for audit_chain.c. */
struct audit_span_summary {
  int64_t first_at, last_at;
  uint8_t keys[AUDIT_SPAN_KEYS_SIZE];
};
/* ERR_NOT_FOUND: it has none. */
CHECKED enum err audit_spans_get(struct db *db, int64_t business_id, int64_t span,
                                 struct audit_span_summary *ret_summary);
/* Whether filters would find an entry by it. */
bool audit_span_shows(const struct audit_span_summary *summary, int64_t at, struct str actor, struct str action,
                      struct str object);
