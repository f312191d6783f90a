/* changes_trimmer.h - keeps `changes` at its ceiling: submits changes_trim to the writer whenever it is due.
 *
 *   struct changes_trimmer trimmer = {.writer = writer};
 *   changes_trimmer_tick(&trimmer, changes_seq(changes), false);    some times a second
 *
 * Free the writer before the trimmer. Thread rule: one thread calls changes_trimmer_tick. */
#pragma once

#include <stdatomic.h>

#include "db/db_writer.h"

struct changes_trimmer {
  struct db_writer *writer;
  int64_t trimmed_to;     /* the newest seq when the last trim was submitted */
  atomic_bool is_running; /* a trim was submitted and has not ended */
  bool more;              /* belongs to the writer's thread */
};

/* newest_seq: of all changes. Submits a trim once CHANGES_TRIM_EACH changes were added since the last one, or if is_time. At
 * most one runs. */
void changes_trimmer_tick(struct changes_trimmer *t, int64_t newest_seq, bool is_time);
