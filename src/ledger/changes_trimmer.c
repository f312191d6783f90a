/* changes_trimmer.c - see changes_trimmer.h.
 *
 * The job is upkeep, which has a share of the writer's time: as an edit it would get one turn in as many as businesses edit, and
 * each of them adds changes meanwhile. */
#include "ledger/changes_trimmer.h"

#include "ledger/changes.h"

static enum err changes_trimmer_run(struct db *db, void *arg) {
  struct changes_trimmer *t = arg;
  return changes_trim(db, db_now_ms(db), &t->more);
}

static void changes_trimmer_done(void *arg, enum err e) {
  struct changes_trimmer *t = arg;
  (void)e; /* the next trim follows soon */
  atomic_store(&t->is_running, false);
}

void changes_trimmer_tick(struct changes_trimmer *t, int64_t newest_seq, bool is_time) {
  int64_t fresh = newest_seq - t->trimmed_to;
  if (fresh >= 0 && fresh < CHANGES_TRIM_EACH && !is_time) return;
  if (atomic_exchange(&t->is_running, true)) return;
  t->trimmed_to = newest_seq;
  struct db_job trim = {.name = METRIC_JOB_TRIM,
                        .class = DB_CLASS_UPKEEP,
                        .run = changes_trimmer_run,
                        .done = changes_trimmer_done,
                        .arg = t,
                        .more = &t->more};
  enum err e = db_writer_submit(t->writer, trim);
  if (e != OK) changes_trimmer_done(t, e);
}
