/* note.h - notes as the API takes and shows them.
 *
 *   struct note_patch p CLEANUP(note_patch_done) = {0};
 *   if (note_patch_read(body, true, &p, &why) != OK) …answer 400 with the sentence why…
 *   note_patch_apply(&p, &note);   TRY(note_write(&buf, &note));
 *
 * Thread rule: pure. */
#pragma once

#include <jansson.h>

#include "ledger/notes.h"

struct note_patch {
  json_t *document; /* owned; text points into it */
  bool has_at, has_text;
  int64_t at_ms; /* -1: of the whole recording */
  struct str text;
};

/* Reads {"at": seconds or null, "text": …}; a new note must have a text. The caller calls note_patch_done after OK. ERR_INVALID:
 * *ret_why is a sentence that names the member. */
CHECKED enum err note_patch_read(struct str body, bool is_new, struct note_patch *ret_patch, const char **ret_why);
void note_patch_done(struct note_patch *p);
/* False: the note is as the patch says already. */
bool note_patch_apply(const struct note_patch *p, struct note *note);
/* Appends {"id","at","text","by","created_at","edited_at"}. */
CHECKED enum err note_write(struct buf *b, const struct note *note);
/* Appends the same with recording_sid and "deleted":false; note NULL: {"recording_sid","id","deleted":true}. For events. */
CHECKED enum err note_write_event(struct buf *b, const char *recording_sid, int64_t note_id, const struct note *note);
