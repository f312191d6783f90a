/* texts.h - where a business's rows may name a person by telephone number, walked in parts.
 *
 *   TRY(texts_each_call(db, business, after, 100, look_at_call, arg));        in order of call_sid, the first behind `after`
 *
 * Thread rule: the connection's. */
#pragma once

#include "ledger/calls.h"

struct texts_call {
  struct str call_sid, top_sid;
  struct str addresses[2]; /* from, to */
  struct str plain[4];     /* caller_name, customer_name, ref, agent */
  struct str json[3];      /* metadata, tags, the ranked document of the provider's fields */
};
/* ERR_FULL ends the walk without an error. The texts are valid during the callback. */
typedef enum err texts_call_fn(void *arg, const struct texts_call *call);
CHECKED enum err texts_each_call(struct db *db, int64_t business_id, struct str after, int limit, texts_call_fn *fn,
                                 void *arg);

/* text: of a recording its ranked document, of a note its text (note_id > 0); by: of a note whose it is, as it is shown. */
typedef enum err texts_recording_fn(void *arg, struct str recording_sid, int64_t note_id, struct str text,
                                    struct str by);
CHECKED enum err texts_each_recording(struct db *db, int64_t business_id, struct str after, int limit,
                                      texts_recording_fn *fn, void *arg);
/* Notes by recording: those of the first `limit` notes behind the recording `after`. The last recording may be cut off unless
 * limit is more than NOTES_MAX and it is the first. */
CHECKED enum err texts_each_note(struct db *db, int64_t business_id, struct str after, int limit,
                                 texts_recording_fn *fn, void *arg);
