/* forgetting.c - see forgetting.h. */
#include "domain/forgetting.h"

enum { PARTS_MAX = 100000, REST = 10 };

static enum err forgetting_begin(struct db *db, struct forgetting *f, int64_t mono_ms, bool *ret_begun) {
  *ret_begun = false;
  if (mono_ms < f->rests_until_ms) return OK;
  enum err e = forgets_next(db, &f->wanted);
  if (e != OK) return e == ERR_NOT_FOUND ? OK : e;
  f->parts = 0;
  f->began_ms = mono_ms;
  *ret_begun = true;
  return OK;
}

enum err forgetting_part(struct db *db, struct forgetting *f, int64_t mono_ms, bool *ret_more) {
  bool begins = !f->is_running, done;
  *ret_more = true;
  if (begins) TRY(forgetting_begin(db, f, mono_ms, ret_more));
  if (!*ret_more) return OK;
  TRY(forgets_rewrite_part(db, begins, &done));
  f->is_running = true;
  if (!done && ++f->parts < PARTS_MAX) return OK; /* other writes add to the index all the time: it must end */
  TRY(forgets_end(db, f->wanted));
  db_forget_later(db);
  f->is_running = false;
  f->rests_until_ms = mono_ms + REST * (mono_ms - f->began_ms);
  return OK;
}
