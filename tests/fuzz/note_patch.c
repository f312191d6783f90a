/* Input: the first byte says whether the note is new; the rest is the body. Property: what is accepted is within its bounds, and
 * the same patch once more changes nothing. */
#include <stdlib.h>
#include <string.h>

#include "domain/note.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

static void require(bool holds) {
  if (!holds) abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n) {
  if (n < 1) return 0;
  static struct note note;
  struct note_patch p;
  const char *why = NULL;
  bool is_new = bytes[0] & 1;
  note = (struct note){.at_ms = -1, .text = "x"};
  if (note_patch_read(str_of((const char *)bytes + 1, n - 1), is_new, &p, &why) != OK) {
    require(why && why[0]);
    return 0;
  }
  require(!is_new || p.has_text);
  (void)note_patch_apply(&p, &note);
  require(!note_patch_apply(&p, &note));
  require(note.at_ms >= -1 && note.text[0] && str_utf8_count(str_from(note.text)) <= NOTE_TEXT_MAX);
  struct buf b CLEANUP(buf_done) = BUF_INIT(64 * 1024);
  require(note_write(&b, &note) == OK);
  json_t *read = json_loadb(b.p, b.n, JSON_REJECT_DUPLICATES, NULL);
  require(json_is_object(read));
  json_decref(read);
  note_patch_done(&p);
  return 0;
}
