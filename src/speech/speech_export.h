/* speech_export.h - a document as plain text, SRT or WebVTT.
 *
 *   TRY(speech_export_write(&document, SPEECH_EXPORT_SRT, &buf));
 *
 * Lines of the plain text are "[0:01:02] customer: text". Subtitles last at most 7 s and have at most 84 characters, where words
 * have times. Lines whose first letter is of a script from right to left stand in a direction embedding. Thread rule: pure. */
#pragma once

#include "speech/speech_document.h"

enum speech_export { SPEECH_EXPORT_TXT, SPEECH_EXPORT_SRT, SPEECH_EXPORT_VTT };

/* False: the name is none of "txt", "srt", "vtt". */
bool speech_export_find(struct str name, enum speech_export *ret_export);
/* "text/plain; charset=utf-8", "application/x-subrip; charset=utf-8", "text/vtt; charset=utf-8". */
const char *speech_export_content_type(enum speech_export export);
/* Appends to b. ERR_NOMEM; ERR_TOO_BIG past b's ceiling. */
CHECKED enum err speech_export_write(const struct speech_document *d, enum speech_export export, struct buf *b);
