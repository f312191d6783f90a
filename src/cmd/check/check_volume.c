/* check_volume.c - checks the recordings' volume: its id, whether files can be written, synced and linked, and its free space.
 *
 * The probe is one file under two names. check_volume removes both before it returns. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/secret.h"
#include "cmd/check/check_parts.h"
#include "domain/node_marks.h"
#include "domain/removal_mark.h"
#include "domain/store.h"

enum { PROBE_NAME_SIZE = 64 };
#define PROBE_TEXT "callreel check"

/* Does not create the directory: that would hide that the volume is not mounted. */
static bool volume_open_store(struct check *c) {
  int dir CLEANUP(fs_close_) = -1;
  char id[STORE_ID_SIZE];
  enum err e = fs_open_root(c->app.recordings_dir, false, &dir);
  bool is_known = c->has_schema && store_known_id(c->app.db, id) == OK;
  if (e == ERR_NOT_FOUND && !is_known) {
    report_add(&c->report, CHECK_WARN, "volume", "serve creates it at its start; see that RECORDINGS_DIR is right",
               "%s does not exist yet", c->app.recordings_dir);
    return false;
  }
  if (e == OK) e = blob_open_disk(c->app.recordings_dir, &c->store);
  if (e != OK)
    report_add(&c->report, CHECK_FAIL, "volume", "mount it there, or set RECORDINGS_DIR to where it is",
               "%s can't be opened: %s", c->app.recordings_dir, err_text(e));
  return e == OK;
}

/* The database has no volume's id, or does not exist yet. serve gives an id to a volume without one, but refuses a volume that
 * has one. */
static void volume_check_unknown_id(struct check *c) {
  char found[STORE_ID_SIZE];
  enum err e = store_id_of_volume(c->store, found);
  if (e == ERR_NOT_FOUND)
    report_add(&c->report, CHECK_WARN, "volume", "serve stores the volume's id at its first start",
               "the database knows no volume yet");
  else if (e == OK)
    report_add(&c->report, CHECK_FAIL, "volume",
               "see that DATABASE_URL and DATA_DIR are right. If these recordings belong to a new database on purpose, "
               "callreel verify --adopt-store",
               "%s has a .store-id of another database: serve refuses it", c->app.recordings_dir);
  else
    report_add(&c->report, CHECK_FAIL, "volume", "remove that file if the volume is the right one",
               "%s has a .store-id that can't be read or is not valid", c->app.recordings_dir);
}

/* A mark can be missing because its process ended after its row was read, so the row is read again. */
static void volume_check_marks(struct check *c) {
  struct node_marks marks;
  const struct node_mark *missing = NULL;
  for (int i = 0; i < 2; i++) {
    if (node_marks_read(c->app.db, "", &marks) != OK) return; /* check_database reported it */
    missing = node_marks_first_missing(c->store, &marks);
    if (!missing) break;
  }
  if (missing)
    report_add(
        &c->report, CHECK_FAIL, "volume",
        "mount one volume at RECORDINGS_DIR in every process; a copy of it, or a volume for each container, won't do",
        "the mark of node %s is missing in %s: that process has another volume, or this one is a copy",
        missing->node_id, c->app.recordings_dir);
  else
    report_add(&c->report, CHECK_OK, "volume", "", "%s is the one that the database and its processes know",
               c->app.recordings_dir);
}

/* The volume knows of removals that the database does not. */
static void volume_check_removals(struct check *c) {
  int64_t rounds = 0;
  if (removal_mark_compare(c->app.db, c->store, &rounds) != OK || !rounds) return;
  report_add(
      &c->report, CHECK_FAIL, "volume",
      "callreel audit compare FILE --business N says what to hold and to remove again (docs/ops/audit.md): do it with "
      "callreel serve --role web, which removes nothing; callreel prune removes what is due; then delete the file "
      ".removals there",
      "the database is older than %s: an older backup was restored. What was removed since may be fetched again, what "
      "was "
      "held since may be removed",
      c->app.recordings_dir);
}

static void volume_check_id(struct check *c) {
  char known[STORE_ID_SIZE], found[STORE_ID_SIZE];
  if (!c->has_schema && !c->is_new) return;
  enum err e = c->is_new ? ERR_NOT_FOUND : store_known_id(c->app.db, known);
  if (e == ERR_NOT_FOUND) {
    volume_check_unknown_id(c);
    return;
  }
  if (e == OK) e = store_id_of_volume(c->store, found);
  if (e == OK && strcmp(known, found) == 0) {
    volume_check_marks(c);
    volume_check_removals(c);
  } else {
    report_add(&c->report, CHECK_FAIL, "volume",
               "mount the right one at RECORDINGS_DIR in every process; if you moved the recordings here on purpose, "
               "callreel verify --adopt-store",
               "%s %s", c->app.recordings_dir,
               e == OK              ? "is another volume than the database knows"
               : e == ERR_NOT_FOUND ? "is not the volume that the database knows: it has no .store-id"
                                    : "has a .store-id that can't be read");
  }
}

struct probe {
  int dir;
  char name[PROBE_NAME_SIZE], link[PROBE_NAME_SIZE + 8];
  const char *step; /* the sentence for a failure of the current step */
};

static enum err volume_probe_file(struct probe *p) {
  int fd CLEANUP(fs_close_) = -1;
  char *text CLEANUP(free_char) = NULL;
  size_t size;
  p->step = "a file can't be made there";
  TRY(fs_create(p->dir, p->name, 0640, &fd));
  p->step = "a file can't be written there";
  TRY(fs_write_all(fd, STR(PROBE_TEXT)));
  p->step = "a file can't be synced there";
  TRY(fs_sync_file(fd));
  p->step = "a file can't be given a second name there (a hard link, which keeps one recording from replacing another)";
  TRY(fs_link(p->dir, p->name, p->link));
  p->step = "a directory can't be synced there";
  TRY(fs_sync_parent(p->dir, p->link));
  p->step = "a file can't be read back there";
  TRY(fs_read_whole(p->dir, p->link, sizeof(PROBE_TEXT), &text, &size));
  return str_eq(str_of(text, size), STR(PROBE_TEXT)) ? OK : ERR_CORRUPT;
}

static void volume_check_writing(struct check *c) {
  uint8_t random[8];
  char hex[2 * sizeof(random) + 1];
  struct probe p = {.dir = blob_directory_fd(c->store)};
  if (secret_random(random, sizeof(random)) != OK) return;
  hex_encode(random, sizeof(random), hex);
  (void)snprintf(p.name, sizeof(p.name), ".probe-%s", hex);
  (void)snprintf(p.link, sizeof(p.link), "%s.link", p.name);
  enum err e = volume_probe_file(&p);
  IGNORE(fs_unlink(p.dir, p.link)); /* it may not exist */
  IGNORE(fs_unlink(p.dir, p.name)); /* neither may this */
  if (e == OK)
    report_add(&c->report, CHECK_OK, "volume", "", "a file there can be written, synced, linked and read");
  else
    report_add(&c->report, CHECK_FAIL, "volume",
               "mount it for writing, give the server's user the right to write, and use a file system with hard links",
               "%s: %s", p.step, err_text(e));
}

static void volume_check_room(struct check *c) {
  uint64_t free_bytes, total;
  if (blob_free_bytes(c->store, &free_bytes, &total) != OK) {
    report_add(&c->report, CHECK_WARN, "room", "see df", "the volume's free space can't be read");
    return;
  }
  uint64_t least = store_least_free(c->app.conf.min_free_bytes, total);
  double free_mb = (double)free_bytes / 1e6, least_mb = (double)least / 1e6;
  if (free_bytes < least)
    report_add(&c->report, CHECK_FAIL, "room", "make room on the volume, enlarge it, or set MIN_FREE_BYTES lower",
               "%.0f MB are free, less than MIN_FREE_BYTES (%.0f MB): no fill begins", free_mb, least_mb);
  else if (free_bytes / 2 < least)
    report_add(&c->report, CHECK_WARN, "room", "make room on the volume, or enlarge it",
               "%.0f MB are free, and MIN_FREE_BYTES keeps %.0f MB free: little is left for recordings", free_mb,
               least_mb);
  else
    report_add(&c->report, CHECK_OK, "room", "", "%.0f MB are free, of which %.0f MB stay free", free_mb, least_mb);
}

void check_volume(struct check *c) {
  if (!volume_open_store(c)) return;
  volume_check_id(c);
  volume_check_writing(c);
  volume_check_room(c);
}
