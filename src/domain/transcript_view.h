/* transcript_view.h - transcripts as the API and its events show them.
 *
 *   TRY(transcripts_find(db, business, sid, &row));
 *   TRY(transcript_write(&buf, &row, &version, document));        with a version that transcripts_read gave, or
 *   TRY(transcript_write(&buf, &row, NULL, STR_NONE));            there is none yet
 *
 * Thread rule: pure. */
#pragma once

#include "ledger/transcripts.h"

/* Appends {"status","progress","engine","model","language","duration","version","edited_by","edited_at","error"}, the status of
 * the row: engine, version and edited_by are of the newest version. */
CHECKED enum err transcript_write_state(struct buf *b, const struct transcript *row);
/* Appends the same of the version that is given, with "text","segments","gaps","talk" of its document, which is the text that
 * transcripts_read gave. version NULL: there is none. */
CHECKED enum err transcript_write(struct buf *b, const struct transcript *row, const struct transcript_version *version,
                                  struct str document);
/* Appends {"recording_sid","status","progress"} for an event; row NULL: it was removed, and status is null. */
CHECKED enum err transcript_write_event(struct buf *b, const char *recording_sid, const struct transcript *row);

enum { TRANSCRIPT_ETAG_SIZE = 96 };
/* The strong ETag, with its quotes, of the answer to a request for a version: it stands for the state and the version. form:
 * "json", "srt" … It begins with the number of the version. */
void transcript_etag(const struct transcript *row, int64_t version, const char *form,
                     char ret_etag[TRANSCRIPT_ETAG_SIZE]);
/* Whether a list of ETags (If-Match: `"…", "…"` or `*`) has one of this version. Weak ones never match. */
bool transcript_etags_have_version(struct str etags, int64_t version);
