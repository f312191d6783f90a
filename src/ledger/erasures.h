/* erasures.h - the table `erasures`: calls, and persons by number, whose calls are removed with all that is known of them.
 * ledger/removed_calls.h keeps deliveries from bringing them back.
 *
 *   TRY(erasures_begin(db, &erasure, now));      in parts: erasures_next, … erasures_store, at the end erasures_end
 *
 * domain/erasure.h removes. Thread rule: the connection's. Writes need a transaction. */
#pragma once

#include "ledger/audit.h"
#include "ledger/holds.h"

enum { ERASURE_DIGEST_SIZE = 65, ERASURES_OPEN_MAX = 100 };

struct erasure {
  int64_t erasure_id;
  int64_t business_id;
  bool is_number;                            /* of a number; else of a call, ... */
  bool is_retention;                         /* ... or of all calls until until_at; its key is ERASURE_RETENTION_KEY */
  bool is_unbounded;                         /* begins however many are under way; not stored */
  char key[HOLD_KEY_SIZE];                   /* the number, or the top leg's SID; "" once it has ended */
  char tree_sid[SID_SIZE];                   /* the top leg of the call that is being removed; "": none */
  char digest[ERASURE_DIGEST_SIZE];          /* of the key, keyed */
  char reason[RECORDING_EXPIRE_REASON_SIZE]; /* of its recordings */
  bool at_provider;
  /* The requester, as actor, role and ip of the audit: */
  char by[AUDIT_ACTOR_SIZE];
  char role[AUDIT_ROLE_SIZE];
  char ip[AUDIT_IP_SIZE];
  int64_t created_at, ended_at;    /* 0: it is under way */
  int64_t calls, recordings, held; /* removed so far; calls that were left, because a legal hold covers them */
  int64_t edited;                  /* rows of other calls, recordings, notes, transcripts that named the number */
  int step;                        /* of a number: enum erasure_step */
  char after[SID_SIZE];
  int64_t until_at, after_at; /* of retention; calls up to after_at and `after` were left; else a place in a step */
};
#define ERASURE_RETENTION_KEY "retention"
/* A number's calls are found as holds_mark_part finds them; then what else names it is looked for. */
enum erasure_step {
  ERASURE_CALLS = HOLD_STEPS,
  ERASURE_RECORDINGS,
  ERASURE_NOTES,
  ERASURE_ANSWERS, /* of engines, for pieces of recordings */
  ERASURE_TRANSCRIPTS,
  ERASURE_NAMES /* of keys, holds, sessions and the business; the last one */
};

/* Reads a telephone number: blanks and ( ) - . are left out. ERR_INVALID: it is not E.164 like +972501234567. */
CHECKED enum err erasure_number(struct str text, char ret_number[HOLD_KEY_SIZE]);

/* Adds an erasure and sets its id. ERR_BUSY: ERASURES_OPEN_MAX of the business are under way, and it is not is_unbounded. */
CHECKED enum err erasures_begin(struct db *db, struct erasure *erasure, int64_t now);
/* The erasure under way whose turn it is: the first after `after`, else the first. ERR_NOT_FOUND: none is under way. */
CHECKED enum err erasures_next(struct db *db, int64_t after, struct erasure *ret_erasure);
CHECKED enum err erasures_get(struct db *db, int64_t business_id, int64_t erasure_id, struct erasure *ret_erasure);
/* Stores counts, tree_sid, step, after and after_at. */
CHECKED enum err erasures_store(struct db *db, const struct erasure *erasure);
/* Forgets an erasure that removed nothing. */
CHECKED enum err erasures_delete(struct db *db, const struct erasure *erasure);
/* Stores them, and it has ended: its key is forgotten. */
CHECKED enum err erasures_end(struct db *db, const struct erasure *erasure, int64_t now);
/* The erasure of this number or top leg that is under way. ERR_NOT_FOUND: there is none. */
CHECKED enum err erasures_find(struct db *db, int64_t business_id, struct str key, struct erasure *ret_erasure);
/* How many erasures of a business (0: of all) are under way; at most `most`. */
CHECKED enum err erasures_count(struct db *db, int64_t business_id, int most, int64_t *ret_count);
/* Whether the call with this top leg is being removed, by itself or because of its number: it is too late for a hold. */
CHECKED enum err erasures_cover_tree(struct db *db, int64_t business_id, struct str top_sid, bool *ret_covered);
/* The same of the call that has this leg, and whether that is because its time is over. */
CHECKED enum err erasures_cover_call(struct db *db, int64_t business_id, struct str call_sid, bool *ret_covered,
                                     bool *ret_is_old);
/* Whether a call that is being removed has a leg below that one. */
CHECKED enum err erasures_cover_child(struct db *db, int64_t business_id, struct str call_sid, bool *ret_covered);
/* Whether any call of the business is being removed. */
CHECKED enum err erasures_any_tree(struct db *db, int64_t business_id, bool *ret_any);
/* The same of a number: it is being erased, or is that of a leg of a call that is being removed. */
CHECKED enum err erasures_cover_number(struct db *db, int64_t business_id, struct str number, bool *ret_covered);

/* Whether an erasure has ended since then: its deleted rows may still be in the database's log. */
CHECKED enum err erasures_ended_since(struct db *db, int64_t since, bool *ret_any);

struct erasure_leg {
  char call_sid[SID_SIZE];
  char parent_call_sid[SID_SIZE]; /* "": none */
};
/* The next legs of a tree, its top leg first; at most limit. *ret_count: how many. */
CHECKED enum err erasures_legs(struct db *db, int64_t business_id, struct str top_sid, int limit,
                               struct erasure_leg *ret_legs, int *ret_count);
/* The next call of a number's step after `after`, and its top leg. ERR_NOT_FOUND: there is none. */
CHECKED enum err erasures_next_call(struct db *db, const struct erasure *erasure, char ret_call_sid[SID_SIZE],
                                    char ret_top_sid[SID_SIZE]);
/* The oldest call behind after_at and `after` that began until until_at: its top leg. ERR_NOT_FOUND: there is none. */
CHECKED enum err erasures_next_old_call(struct db *db, const struct erasure *erasure, char ret_top_sid[SID_SIZE],
                                        int64_t *ret_at);
/* Whether a recording of the call with that top leg has not expired. */
CHECKED enum err erasures_tree_is_kept(struct db *db, int64_t business_id, struct str top_sid, bool *ret_kept);
/* Takes from an expired recording all that it was told, and its call. Its SID stays, so that nothing brings it back. */
CHECKED enum err recordings_wipe(struct db *db, int64_t business_id, struct str recording_sid, struct str reason);
