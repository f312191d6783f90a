/* sweep.c - removes parts that no live lease owns.
 *
 * A fill sweeps the parts of its own recording. What is left are parts of recordings that nobody fills any more: failed for
 * good, found elsewhere, removed. A round walks the store, and for a bounded number of parts asks the ledger who owns them.
 *
 * Invariants
 *  (1) A part is removed only if, after it was seen, no row held a live lease with its token. Tokens only grow, so it can't
 *      become owned again.
 *  (2) The part of a worker that died stays until its recording's next fill, which holds its own bytes against it. */
#include "work/sweep.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "domain/recording.h"

enum { PARTS_MOST = 1000 };

struct part_seen {
  char name[BLOB_NAME_SIZE + 32];
  int64_t business_id;
  char recording_sid[SID_SIZE];
  int64_t token;
  bool owned;
};

struct sweep {
  struct blob_store *store;
  struct db_writer *writer;
  struct pool *disk;
  atomic_bool running;
  struct part_seen *parts; /* the running round's */
  size_t count;
};

/* "BUSINESS/yyyy/mm/[CALL.]RECORDING.TOKEN.part" */
static bool parse(const char *name, struct part_seen *ret_part) {
  struct part_seen p = {.owned = true};
  struct str all = str_from(name), business, rest, token_text;
  if (str_copy(p.name, sizeof(p.name), all) != OK || !str_ends(all, STR(".part"))) return false;
  all.n -= 5;
  uint64_t id, token;
  if (!str_cut(all, '/', &business, &rest) || str_to_u64(business, INT64_MAX, &id) != OK) return false;
  size_t dot = rest.n;
  while (dot > 0 && rest.p[dot - 1] != '.') dot--;
  if (dot == 0) return false;
  token_text = str_skip(rest, dot);
  struct str stem = str_head(rest, dot - 1);
  size_t from = stem.n;
  while (from > 0 && stem.p[from - 1] != '.' && stem.p[from - 1] != '/') from--;
  if (str_to_u64(token_text, INT64_MAX, &token) != OK) return false;
  if (str_copy(p.recording_sid, sizeof(p.recording_sid), str_skip(stem, from)) != OK) return false;
  p.business_id = (int64_t)id;
  p.token = (int64_t)token;
  *ret_part = p;
  return true;
}

static enum err see(void *arg, const char *name, int64_t size, bool is_part) {
  struct sweep *s = arg;
  (void)size;
  if (!is_part || s->count == PARTS_MOST) return OK;
  if (parse(name, &s->parts[s->count])) s->count++;
  return OK;
}

/* (2) */
static bool is_to_compare_with(const struct recording *row, int64_t token) {
  bool on_its_way = row->status == RECORDING_QUEUED || row->status == RECORDING_DOWNLOADING;
  return on_its_way && row->etag[0] != '\0' && row->lease_token == token;
}

static enum err ask_owners(struct db *db, void *arg) {
  struct sweep *s = arg;
  int64_t now = db_now_ms(db);
  for (size_t i = 0; i < s->count; i++) { /* a round is rare, bounded, and off every path that somebody waits for */
    struct part_seen *p = &s->parts[i];
    struct recording row;
    enum err e = recordings_get(db, p->business_id, str_from(p->recording_sid), &row);
    if (e != OK && e != ERR_NOT_FOUND) return e;
    p->owned = e == OK && (recording_holds_lease(&row, p->token, now) || is_to_compare_with(&row, p->token));
  }
  return OK;
}

static void remove_unowned(struct sweep *s) {
  int64_t removed = 0;
  for (size_t i = 0; i < s->count; i++)
    if (!s->parts[i].owned && blob_delete(s->store, s->parts[i].name) == OK) removed++;
  if (removed) log_info("Swept parts of lost fills", LOG_INT("count", removed));
}

static void run(void *arg, unsigned worker) {
  struct sweep *s = arg;
  (void)worker;
  s->count = 0;
  s->parts = calloc(PARTS_MOST, sizeof(*s->parts));
  enum err e = s->parts ? blob_each(s->store, see, s) : ERR_NOMEM;
  if (e == OK && s->count) e = db_writer_call(s->writer, (struct db_job){.name = METRIC_JOB_SWEEP, .run = ask_owners, .arg = s});
  if (e == OK) remove_unowned(s); /* else the next round is not far */
  free(s->parts);
  s->parts = NULL;
  atomic_store(&s->running, false);
}

enum err sweep_new(struct blob_store *store, struct db_writer *writer, struct pool *disk, struct sweep **ret_sweep) {
  struct sweep *s = calloc(1, sizeof(*s));
  if (!s) return ERR_NOMEM;
  s->store = store;
  s->writer = writer;
  s->disk = disk;
  *ret_sweep = s;
  return OK;
}

void sweep_start(struct sweep *s) {
  if (atomic_exchange(&s->running, true)) return;
  if (pool_run(s->disk, run, s) != OK) atomic_store(&s->running, false);
}

struct sweep *sweep_free(struct sweep *s) {
  free(s);
  return NULL;
}
