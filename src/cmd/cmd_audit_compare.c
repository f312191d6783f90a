/* cmd_audit_compare.c - see cmd_audit_compare.h. The copy is read line by line: callreel writes no line break into a cell. */
#include "cmd/cmd_audit_compare.h"

#include <errno.h>
#include <fcntl.h>
#include <search.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ledger/audit_cut.h"
#include "ledger/calls.h"
#include "ledger/holds.h"
#include "ledger/recordings.h"

enum { CELLS = 9, CELL_ID = 0, CELL_AT = 1, CELL_ACTION = 4, CELL_OBJECT = 5, CELL_DETAILS = 7, CELL_DIGEST = 8 };
static const char first_line[] = "\xef\xbb\xbfid,at,actor,role,action,object,ip,details,digest";

struct comparison {
  const struct cmd_args *args;
  struct app *app;
  int64_t business_id;
  int64_t cut; /* entries up to this one were cut from the old end */
  int64_t entries, missing, different, back, undone;
  void *holds; /* tsearch: what hold_set and hold_removed were read of. The copy has the newest entries first */
};

/* Splits a line into cells, in place. False: it is not a line of the audit. */
static bool line_split(char *line, char *cells[CELLS]) {
  char *to = line;
  int count = 0;
  for (char *at = line; count < CELLS; count++) {
    bool quoted = *at == '"';
    if (quoted) at++;
    cells[count] = to;
    for (; *at && (quoted ? *at != '"' || at[1] == '"' : *at != ','); at++) {
      if (quoted && *at == '"') at++;
      *to++ = *at;
    }
    if (quoted && *at++ != '"') return false;
    bool is_last = *at == '\0';
    if (!is_last && *at++ != ',') return false;
    *to++ = '\0';
    if (is_last) return count + 1 == CELLS;
  }
  return false;
}

/* *ret_is_there: the object that the entry says was removed is in the database. */
static enum err compare_removal(struct comparison *c, const char *object, bool *ret_is_there) {
  struct recording row;
  struct call call;
  bool is_there = false;
  enum err e = recordings_get(c->app->db, c->business_id, str_from(object), &row);
  if (e == OK) is_there = row.status != RECORDING_EXPIRED;
  if (e == ERR_NOT_FOUND) {
    e = calls_get(c->app->db, c->business_id, str_from(object), &call);
    is_there = e == OK;
  }
  *ret_is_there = is_there;
  return e == ERR_NOT_FOUND ? OK : e;
}

/* *ret_is_known: the database has the entry, or has cut it. */
static enum err compare_digest(struct comparison *c, int64_t number, const char *digest, bool *ret_is_known) {
  char stored[AUDIT_DIGEST_SIZE];
  *ret_is_known = true;
  if (number <= c->cut) return OK;
  enum err e = audit_digest_of(c->app->db, c->business_id, number, stored);
  bool is_other = e == OK && strcmp(stored, digest) != 0;
  if (e == ERR_NOT_FOUND) c->missing++;
  c->different += is_other;
  *ret_is_known = e == OK && !is_other;
  return e == ERR_NOT_FOUND ? OK : e;
}

static bool is_action(char *const cells[CELLS], enum audit_action action) {
  return strcmp(cells[CELL_ACTION], audit_action_name(action)) == 0;
}

static int compare_keys(const void *a, const void *b) {
  return strcmp(a, b);
}

/* *ret_is_newest: the copy has no later hold_set or hold_removed of this object. */
static enum err note_hold(struct comparison *c, const char *object, bool *ret_is_newest) {
  *ret_is_newest = !tfind(object, &c->holds, compare_keys);
  if (!*ret_is_newest) return OK;
  char *key = strdup(object);
  if (key && tsearch(key, &c->holds, compare_keys)) return OK;
  free(key);
  return ERR_NOMEM;
}

/* A hold that the database lacks, though the copy's newest entry of it set it. The audit does not say on which number a hold
 * is: a hold on a number counts as missing if its entry is not known. */
static enum err compare_hold(struct comparison *c, char *const cells[CELLS], bool is_known) {
  struct hold hold;
  bool is_newest;
  TRY(note_hold(c, cells[CELL_OBJECT], &is_newest));
  if (is_known || !is_newest || !is_action(cells, AUDIT_HOLD_SET)) return OK;
  enum err e = holds_find(c->app->db, c->business_id, str_from(cells[CELL_OBJECT]), &hold);
  if (e != ERR_NOT_FOUND) return e;
  c->undone++;
  if (!c->args->json) printf("%s was set at %s and holds no more\n", cells[CELL_OBJECT], cells[CELL_AT]);
  return OK;
}

/* An erasure of a number also took it out of texts of other calls, which have it again. */
static enum err compare_erasure(struct comparison *c, char *const cells[CELLS], bool is_known) {
  if (is_known || !strstr(cells[CELL_DETAILS], "\"of\":\"number\"")) return OK;
  c->undone++;
  if (!c->args->json)
    printf("%s, done at %s, is undone: %s\n", cells[CELL_OBJECT], cells[CELL_AT], cells[CELL_DETAILS]);
  return OK;
}

static enum err compare_line(struct comparison *c, char *line) {
  char *cells[CELLS];
  int64_t number;
  bool is_there = false, is_known;
  if (!line_split(line, cells)) return ERR_INVALID;
  TRY(str_to_i64(str_from(cells[CELL_ID]), 1, INT64_MAX, &number));
  c->entries++;
  TRY(compare_digest(c, number, cells[CELL_DIGEST], &is_known));
  if (is_action(cells, AUDIT_HOLD_SET) || is_action(cells, AUDIT_HOLD_REMOVED)) return compare_hold(c, cells, is_known);
  if (is_action(cells, AUDIT_ERASURE)) return compare_erasure(c, cells, is_known);
  if (!is_action(cells, AUDIT_DELETE) && !is_action(cells, AUDIT_EXPIRE)) return OK;
  TRY(compare_removal(c, cells[CELL_OBJECT], &is_there));
  if (!is_there) return OK;
  c->back++;
  if (!c->args->json) printf("%s was removed at %s and is there again\n", cells[CELL_OBJECT], cells[CELL_AT]);
  return OK;
}

static enum err compare_lines(struct comparison *c, FILE *f) {
  char *line = NULL;
  size_t size = 0;
  enum err e = OK;
  for (bool is_first = true; e == OK; is_first = false) {
    ssize_t n = getline(&line, &size, f);
    if (n < 0) {
      e = ferror(f) || is_first ? ERR_INVALID : OK;
      break;
    }
    while (n > 0 && (line[n - 1] == '\n' || line[n - 1] == '\r')) line[--n] = '\0';
    if (!is_first)
      e = compare_line(c, line);
    else if (strcmp(line, first_line) != 0)
      e = ERR_INVALID;
  }
  free(line);
  return e;
}

static int compare_report(const struct comparison *c) {
  if (c->args->json)
    printf("{\"entries\":%lld,\"missing\":%lld,\"different\":%lld,\"removed_and_back\":%lld,\"undone\":%lld}\n",
           (long long)c->entries, (long long)c->missing, (long long)c->different, (long long)c->back,
           (long long)c->undone);
  else
    printf(
        "%lld entries compared: %lld are not in the database, %lld are others there; %lld removals are undone, "
        "%lld holds and erasures of numbers\n",
        (long long)c->entries, (long long)c->missing, (long long)c->different, (long long)c->back,
        (long long)c->undone);
  if (c->back && !c->args->json) printf("Remove them again: DELETE /api/recordings/{id} or /api/calls/{call_sid}\n");
  if (c->undone && !c->args->json)
    printf("Set the holds again before anything is removed; erase the numbers again: POST /api/holds, /api/erasure\n");
  return c->missing || c->different || c->back ? CMD_FAILED : CMD_DONE;
}

int audit_compare(const struct cmd_args *args, struct app *app, int64_t business_id, const char *path) {
  struct comparison c = {.args = args, .app = app, .business_id = business_id};
  int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
  FILE *f = fd < 0 ? NULL : fdopen(fd, "r");
  if (!f) {
    if (fd >= 0) (void)close(fd);
    return cmd_fail(args, "%s: %s", path, strerror(errno));
  }
  struct audit_checkpoint checkpoint = {.number = 0};
  enum err e = audit_checkpoint_read(app->db, app->secrets_key, business_id, &checkpoint);
  c.cut = checkpoint.number;
  if (e == OK || e == ERR_DENIED) e = compare_lines(&c, f); /* audit verify reports a wrong signature */
  (void)fclose(f);                                          /* it was only read */
  tdestroy(c.holds, free);
  if (e == ERR_INVALID) return cmd_fail(args, "%s: not as GET /api/audit.csv writes it", path);
  return e == OK ? compare_report(&c) : app_fail(args, app->db, e);
}
