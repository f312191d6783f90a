/* cmd_audit_compare.c - see cmd_audit_compare.h. The copy is read line by line: callreel writes no line break into a cell. */
#include "cmd/cmd_audit_compare.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ledger/audit_cut.h"
#include "ledger/calls.h"
#include "ledger/recordings.h"

enum { CELLS = 9, CELL_ID = 0, CELL_AT = 1, CELL_ACTION = 4, CELL_OBJECT = 5, CELL_DIGEST = 8 };
static const char first_line[] = "\xef\xbb\xbfid,at,actor,role,action,object,ip,details,digest";

struct comparison {
  const struct cmd_args *args;
  struct app *app;
  int64_t business_id;
  int64_t cut; /* entries up to this one were cut from the old end */
  int64_t entries, missing, different, back;
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

/* *ret_is_there: what the entry says was removed is in the database. */
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

static enum err compare_digest(struct comparison *c, int64_t number, const char *digest) {
  char stored[AUDIT_DIGEST_SIZE];
  if (number <= c->cut) return OK;
  enum err e = audit_digest_of(c->app->db, c->business_id, number, stored);
  if (e == ERR_NOT_FOUND) c->missing++;
  if (e == OK && strcmp(stored, digest) != 0) c->different++;
  return e == ERR_NOT_FOUND ? OK : e;
}

static enum err compare_line(struct comparison *c, char *line) {
  char *cells[CELLS];
  int64_t number;
  bool is_there = false;
  if (!line_split(line, cells)) return ERR_INVALID;
  TRY(str_to_i64(str_from(cells[CELL_ID]), 1, INT64_MAX, &number));
  c->entries++;
  TRY(compare_digest(c, number, cells[CELL_DIGEST]));
  if (strcmp(cells[CELL_ACTION], audit_action_name(AUDIT_DELETE)) != 0 &&
      strcmp(cells[CELL_ACTION], audit_action_name(AUDIT_EXPIRE)) != 0)
    return OK;
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
    printf("{\"entries\":%lld,\"missing\":%lld,\"different\":%lld,\"removed_and_back\":%lld}\n", (long long)c->entries,
           (long long)c->missing, (long long)c->different, (long long)c->back);
  else
    printf("%lld entries compared: %lld are not in the database, %lld are others there; %lld removals are undone\n",
           (long long)c->entries, (long long)c->missing, (long long)c->different, (long long)c->back);
  if (c->back && !c->args->json) printf("Remove them again: DELETE /api/recordings/{id} or /api/calls/{call_sid}\n");
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
  if (e == ERR_INVALID) return cmd_fail(args, "%s: not as GET /api/audit.csv writes it", path);
  return e == OK ? compare_report(&c) : app_fail(args, app->db, e);
}
