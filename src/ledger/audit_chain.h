/* audit_chain.h - verifies the chain of a business's audit, part by part.
 *
 *   struct audit_chain c;
 *   TRY(audit_chain_begin(db, secrets_key, business_id, on_fault, arg, &c));
 *   do TRY(audit_chain_part(db, &c, &more)); while (more);
 *
 * Entries that are appended meanwhile are verified too. A chain that somebody who can write the database has computed again
 * from some entry on passes, unless it is compared with a digest that was kept elsewhere: audit_chain_expect.
 * Thread rule: the connection's; reads only, one transaction a part. */
#pragma once

#include "ledger/audit_cut.h"
#include "ledger/audit_spans.h"

enum { AUDIT_CHAIN_PART = 2000 };

enum audit_fault_kind {
  AUDIT_FAULT_CHANGED, /* the entry does not fit its digest and the entry before it: it was changed, moved or inserted */
  AUDIT_FAULT_MISSING,    /* entries first … last are gone */
  AUDIT_FAULT_INSERTED,   /* the entry stands behind the chain's end */
  AUDIT_FAULT_BEFORE,     /* entries stand before the chain's beginning, the oldest at first, the newest at last */
  AUDIT_FAULT_HEAD,       /* the chain's end has another digest than its last entry, or a value of a wrong type */
  AUDIT_FAULT_CHECKPOINT, /* the checkpoint at `last` was not signed here, or the chain's end stands before it */
  AUDIT_FAULT_SUMMARY,    /* the summary of entries first … last is gone, or hides one of them from filters */
  AUDIT_FAULT_EXPECTED,   /* the entry has another digest than the one that was kept elsewhere */
  AUDIT_FAULT_CUT,        /* it could not be compared with that one: entries up to `last` are no longer kept */
};

struct audit_fault {
  enum audit_fault_kind kind;
  int64_t first, last;         /* entries; the same: one */
  const struct audit_row *row; /* that entry; NULL: none */
};
typedef void audit_fault_fn(void *arg, const struct audit_fault *fault);

struct audit_chain {
  int64_t business_id;
  const uint8_t *secrets_key; /* the caller's */
  int64_t number;             /* of the last entry that was read, or of the checkpoint */
  int64_t end;                /* the chain's last entry, as audit_heads says */
  char digest[AUDIT_DIGEST_SIZE];
  char end_digest[AUDIT_DIGEST_SIZE];
  int64_t filed, span;  /* spans with a summary; the one that `summary` is of, -1: none */
  bool is_summary_good; /* so far */
  bool has_looked_before;
  struct audit_span_summary summary;
  int64_t cut;             /* entries up to this one are no longer kept */
  int64_t expected_number; /* 0: none, or it was compared */
  char expected_digest[AUDIT_DIGEST_SIZE];
  int64_t entries, faults; /* so far */
  audit_fault_fn *on_fault;
  void *arg;
};

/* The next business after `after` (-1: the first) that has entries, a chain's end or a checkpoint: one of the three is enough,
 * since somebody may have removed the others. ERR_NOT_FOUND. */
CHECKED enum err audit_chain_next(struct db *db, int64_t after, int64_t *ret_business_id);
/* secrets_key must live as long as the chain. */
CHECKED enum err audit_chain_begin(struct db *db, const uint8_t secrets_key[SECRET_KEY_SIZE], int64_t business_id,
                                   audit_fault_fn *on_fault, void *arg, struct audit_chain *ret_chain);
/* Entry `number` must have this digest; the checkpoint has that of the newest entry that was cut. Call it before the first part.
 * ERR_INVALID: no such digest is possible. */
CHECKED enum err audit_chain_expect(struct audit_chain *c, int64_t number, struct str digest);
/* Verifies at most AUDIT_CHAIN_PART entries. *ret_more: there are more. */
CHECKED enum err audit_chain_part(struct db *db, struct audit_chain *c, bool *ret_more);
