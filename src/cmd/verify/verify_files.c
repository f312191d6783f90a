/* verify_files.c - finds the recording of every file of the store, and reports files that have none.
 *
 * Invariants
 *  (1) A row is read after its file was seen: if a fill had begun by then, its live lease shows it, and the file is not touched.
 *  (2) A part is removed only if, after it was seen, its row did not need it. Tokens only grow, so it never will. */
#include <stdio.h>
#include <string.h>

#include "audio/audio.h"
#include "base/clock.h"
#include "base/fs.h"
#include "cmd/verify/verify_parts.h"
#include "domain/part.h"
#include "domain/recording.h"
#include "work/fill_found.h"

static enum err files_report_part(struct verify *v, const char *name, const struct recording *row, int64_t token) {
  bool is_repaired = false;
  int fd CLEANUP(fs_close_) = -1;
  if (part_is_needed(row, token, db_now_ms(v->app.db))) return OK;
  enum err e = fs_open_read(blob_directory_fd(v->store), name, &fd);
  if (e == OK && v->repair) {
    e = fs_unlink(blob_directory_fd(v->store), name); /* (2) */
    is_repaired = e == OK;
  }
  if (e == ERR_NOT_FOUND) return OK; /* its fill has ended in the meantime */
  return verify_report_finding(v, VERIFY_PART, name, row, is_repaired);
}

static enum err files_verify_part(void *arg, const char *owner, int64_t token, int64_t size) {
  struct verify *v = arg;
  struct recording row;
  char name[BLOB_NAME_SIZE + 64], recording_sid[SID_SIZE];
  int64_t business_id;
  (void)size;
  if (!part_owner_parse(owner, &business_id, recording_sid)) return OK; /* not a part of callreel */
  (void)snprintf(name, sizeof(name), ".parts/%s.%lld", owner, (long long)token);
  enum err e = recordings_get(v->app.db, business_id, str_from(recording_sid), &row); /* (1) */
  if (e != OK && e != ERR_NOT_FOUND) return e;
  return files_report_part(v, name, e == OK ? &row : NULL, token);
}

/* Checks a file with the name of a recording that is missing, failed or queued. */
static enum err files_verify_candidate(struct verify *v, const char *name, const struct recording *row) {
  struct audio_info info;
  char sha256[65];
  bool is_repaired = false;
  enum err e = fill_inspect_file(v->store, name, &info, sha256);
  if (e == ERR_NOT_FOUND) return OK; /* removed in the meantime */
  if (e != OK) return verify_report_finding(v, VERIFY_UNREAD, name, row, false);
  v->files++;
  bool is_whole = fill_file_is_whole(row, &info);
  if (is_whole && v->repair) TRY(verify_take(v, row, name, &info, sha256, &is_repaired));
  if (!is_whole && v->repair) is_repaired = fill_set_file_aside(v->store, row, name) == OK;
  return verify_report_finding(v, is_whole ? VERIFY_FOUND : VERIFY_BAD, name, row, is_repaired);
}

static enum err files_verify_blob(struct verify *v, const char *name, const struct recording *row) {
  if (!row) return verify_report_finding(v, VERIFY_STRAY, name, NULL, false);
  switch (row->status) {
    case RECORDING_READY:
      return strcmp(row->name, name) == 0 ? OK : verify_report_finding(v, VERIFY_STRAY, name, row, false);
    case RECORDING_EXPIRED:
      return verify_report_finding(v, VERIFY_STRAY, name, row, false);
    default:
      return recording_is_leased(row, db_now_ms(v->app.db)) ? OK : files_verify_candidate(v, name, row);
  }
}

static enum err files_verify_file(void *arg, const char *name, int64_t size, bool is_part) {
  struct verify *v = arg;
  struct verify_name n;
  struct recording row;
  (void)size, (void)is_part;
  verify_name_parse(str_from(name), &n);
  if (n.kind == VERIFY_NAME_ASIDE) v->set_aside++;
  if (n.kind == VERIFY_NAME_ASIDE) return OK;
  if (n.kind == VERIFY_NAME_OTHER) return verify_report_finding(v, VERIFY_STRAY, name, NULL, false);
  enum err e = recordings_get(v->app.db, n.business_id, str_from(n.recording_sid), &row); /* (1) */
  if (e != OK && e != ERR_NOT_FOUND) return e;
  if (n.kind == VERIFY_NAME_PART) return files_report_part(v, name, e == OK ? &row : NULL, n.token);
  return files_verify_blob(v, name, e == OK ? &row : NULL);
}

enum err verify_files(struct verify *v) {
  TRY(blob_each(v->store, files_verify_file, v));
  return blob_each_part(v->store, files_verify_part, v);
}
