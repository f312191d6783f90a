/* serve_volume.c - whether the recordings' volume is the right one, and the one that the other processes have.
 *
 *   VOLUME_RIGHT <--serve_watch_volume, each second--> VOLUME_UNKNOWN, VOLUME_ELSEWHERE, VOLUME_LACKS_A_MARK
 *
 * Invariants
 *  (1) The thread of the volume compares and never reads the database; the main thread reads the database and never waits
 *      for the volume.
 *  (2) While the volume does not answer, the last result stays: /readyz says that it does not answer. */
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "cmd/serve/serve_parts.h"

enum { PROBLEM_SIZE = 256 };

const char *serve_volume_problem(struct serve *s) {
  static _Thread_local char sentence[PROBLEM_SIZE];
  switch (atomic_load(&s->volume_fault)) {
    case VOLUME_RIGHT:
      return NULL;
    case VOLUME_UNKNOWN:
      return "The recordings' volume is not the one that the database knows: it is not mounted, or not shared.";
    case VOLUME_ELSEWHERE:
      return "RECORDINGS_DIR does not lead to the recordings' volume: it is not mounted there, not shared, or covered "
             "by "
             "another mount.";
    case VOLUME_LACKS_A_MARK:
      break;
  }
  LOCKED(&s->lock);
  (void)snprintf(sentence, sizeof(sentence),
                 "The mark of node %s is missing on the recordings' volume: that process has another volume, or this "
                 "one is a copy.",
                 s->missing_node);
  return sentence;
}

static enum volume_fault fault_of(const struct volume_seen *seen, const struct volume_expected *expected) {
  if (seen->is_elsewhere) return VOLUME_ELSEWHERE;
  if (seen->id_error != OK || strcmp(seen->id, expected->store_id) != 0) return VOLUME_UNKNOWN;
  return seen->missing_node[0] ? VOLUME_LACKS_A_MARK : VOLUME_RIGHT;
}

static void log_fault(struct serve *s, enum volume_fault before, enum volume_fault now) {
  if (now == before) return;
  if (now == VOLUME_RIGHT)
    log_info("Recordings' volume is the right one again");
  else
    log_error("Recordings' volume can't be used", LOG_TEXT("why", serve_volume_problem(s)),
              LOG_TEXT("recordings_dir", s->app.recordings_dir));
}

static void set_missing_node(struct serve *s, const char node_id[NODE_ID_SIZE]) {
  LOCKED(&s->lock);
  memcpy(s->missing_node, node_id, NODE_ID_SIZE);
}

void serve_watch_volume(struct serve *s) {
  struct volume_expected expected = {.store_id = ""};
  struct volume_seen seen;
  memcpy(expected.node_id, s->node.node_id, sizeof(expected.node_id));
  enum err e = store_known_id(s->app.db, expected.store_id);
  if (e == OK) e = node_marks_read(s->app.db, s->node.node_id, &expected.others);
  if (e != OK && e != ERR_NOT_FOUND) return; /* the database can't be read: compare again in a second */
  volume_expect(s->volume, &expected);
  volume_seen(s->volume, &seen);
  if (!seen.answers || seen.age_ms == INT64_MAX) return; /* (2) */
  enum volume_fault now = fault_of(&seen, &expected);
  set_missing_node(s, seen.missing_node);
  log_fault(s, atomic_exchange(&s->volume_fault, now), now);
  if (s->worker) worker_hold(s->worker, now != VOLUME_RIGHT);
}

static enum err count_node(void *arg, const struct node *node) {
  (void)node;
  ++*(int *)arg;
  return OK;
}

void serve_log_lonely_worker(struct serve *s) {
  int others = 0;
  if (s->role != SERVE_WORKER || nodes_each(s->app.db, count_node, &others) != OK || others) return;
  log_warn("No other process uses this database",
           LOG_TEXT("database", app_has_server(&s->app) ? "PostgreSQL" : s->app.database_url));
}
