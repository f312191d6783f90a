/* cmd_audit.c - verifies the chains of the audit, and compares them with a copy that was kept elsewhere. It only reads, part by
 * part, and can run beside servers. */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "cmd/app.h"
#include "cmd/cmd_audit_compare.h"
#include "cmd/cmd_print.h"
#include "cmd/cmd_progress.h"
#include "ledger/audit_chain.h"

struct verification {
  const struct cmd_args *args;
  struct app app;
  struct audit_chain chain;
  struct progress progress;
  struct buf out; /* the findings as JSON */
  int64_t entries, faults, businesses;
};

enum { JSON_MAX = 64 * 1024 * 1024, LINE_MAX = 2048 };

static const char *const fault_codes[] = {"changed",    "missing", "inserted", "inserted", "head",
                                          "checkpoint", "summary", "expected", "cut"};

static enum err fault_write(struct buf *b, const struct audit_fault *f) {
  long long first = (long long)f->first, last = (long long)f->last;
  switch (f->kind) {
    case AUDIT_FAULT_CHANGED:
      return buf_addf(b, "entry %lld does not fit its digest: it was changed, moved or inserted", first);
    case AUDIT_FAULT_MISSING:
      return first == last ? buf_addf(b, "entry %lld is missing: it was removed", first)
                           : buf_addf(b, "entries %lld to %lld are missing: they were removed", first, last);
    case AUDIT_FAULT_INSERTED:
      return buf_addf(b, "entry %lld stands behind the end of the chain: it was inserted", first);
    case AUDIT_FAULT_BEFORE:
      return first == last
                 ? buf_addf(b, "entry %lld stands before the beginning of the chain: it was inserted", first)
                 : buf_addf(b, "entries %lld to %lld stand before the beginning of the chain: they were inserted",
                            first, last);
    case AUDIT_FAULT_HEAD:
      return buf_addf(b, "the end of the chain has another digest than entry %lld: one of them was changed", first);
    case AUDIT_FAULT_CHECKPOINT:
      return buf_addf(b, "the checkpoint after entry %lld was not written with this SECRETS_KEY", first);
    case AUDIT_FAULT_SUMMARY:
      return buf_addf(b, "the summary of entries %lld to %lld was removed, or hides one of them from filters", first,
                      last);
    case AUDIT_FAULT_EXPECTED:
      return buf_addf(b, "entry %lld has another digest than --expect: the chain was computed again", first);
    case AUDIT_FAULT_CUT:
      return buf_addf(b,
                      "entry %lld is no longer kept: entries up to %lld were cut, and --expect could not be compared."
                      " Use a newer digest",
                      first, last);
  }
  return ERR_INVALID;
}

static enum err fault_write_json(struct buf *b, int64_t business_id, const struct audit_fault *f, struct str text) {
  TRY(buf_addf(b, "%s{\"business_id\":%lld,\"fault\":\"%s\",\"first\":%lld,\"last\":%lld,\"text\":", b->n ? "," : "",
               (long long)business_id, fault_codes[f->kind], (long long)f->first, (long long)f->last));
  TRY(buf_add_json(b, text));
  return buf_add_char(b, '}');
}

static void verify_on_fault(void *arg, const struct audit_fault *f) {
  struct verification *v = arg;
  struct buf text CLEANUP(buf_done) = BUF_INIT(LINE_MAX);
  char at[PRINT_TIME_SIZE] = "";
  if (fault_write(&text, f) != OK) return;
  if (v->args->json) {
    IGNORE(fault_write_json(&v->out, v->chain.business_id, f, buf_str(&text))); /* the count still tells of it */
    return;
  }
  progress_end(&v->progress);
  printf("business %lld: %.*s", (long long)v->chain.business_id, STR_ARG(buf_str(&text)));
  if (f->row) {
    print_time(f->row->at, at);
    printf(" (%s %.*s %.*s)", at, STR_ARG(f->row->action), STR_ARG(f->row->object));
  }
  (void)putchar('\n');
}

/* expect: "NUMBER:DIGEST", or NULL. */
static enum err verify_expect(struct verification *v, const char *expect) {
  struct str number, digest;
  uint64_t n;
  if (!expect) return OK;
  if (!str_cut(str_from(expect), ':', &number, &digest)) return ERR_INVALID;
  TRY(str_to_u64(number, INT64_MAX, &n));
  return audit_chain_expect(&v->chain, (int64_t)n, digest);
}

static enum err verify_business(struct verification *v, int64_t business_id, const char *expect) {
  bool more = true;
  v->chain.business_id = business_id; /* begin may report a fault already */
  TRY(audit_chain_begin(v->app.db, v->app.secrets_key, business_id, verify_on_fault, v, &v->chain));
  TRY(verify_expect(v, expect));
  int64_t from = v->chain.number;
  while (more) {
    TRY(audit_chain_part(v->app.db, &v->chain, &more));
    progress_show(&v->progress, v->chain.number - from, v->chain.end - from);
  }
  v->businesses++;
  v->entries += v->chain.entries;
  v->faults += v->chain.faults;
  return OK;
}

static enum err audit_verify_all(struct verification *v) {
  enum err e;
  for (int64_t id = -1; (e = audit_chain_next(v->app.db, id, &id)) == OK;) TRY(verify_business(v, id, NULL));
  return e == ERR_NOT_FOUND ? OK : e;
}

static int verify_report(struct verification *v) {
  if (v->args->json)
    printf("{\"entries\":%lld,\"businesses\":%lld,\"faults\":[%.*s]}\n", (long long)v->entries,
           (long long)v->businesses, STR_ARG(buf_str(&v->out)));
  else
    printf("%lld entries of %lld chains verified: %lld faults\n", (long long)v->entries, (long long)v->businesses,
           (long long)v->faults);
  return v->faults ? CMD_FAILED : CMD_DONE;
}

static int audit_verify_run(struct verification *v, int64_t business_id, const char *expect) {
  int code = app_open(&v->app, v->args);
  if (code != CMD_DONE) return code;
  progress_begin(&v->progress, "Verifying the audit");
  enum err e = business_id >= 0 ? verify_business(v, business_id, expect) : audit_verify_all(v);
  progress_end(&v->progress);
  if (e == ERR_INVALID) return cmd_misuse(v->args, "--expect must be NUMBER:DIGEST, as the log has them");
  return e == OK ? verify_report(v) : app_fail(v->args, v->app.db, e);
}

static int compare_run(struct verification *v, int64_t business_id, const char *path) {
  int code = app_open(&v->app, v->args);
  return code == CMD_DONE ? audit_compare(v->args, &v->app, business_id, path) : code;
}

int cmd_audit(const struct cmd_args *args) {
  struct verification v = {.args = args, .app = APP_NONE, .out = BUF_INIT(JSON_MAX)};
  struct cmd_options o;
  int64_t business_id = -1;
  cmd_options_init(&o, args);
  const char *business = cmd_option(&o, "--business"), *expect = cmd_option(&o, "--expect");
  const char *what = cmd_word(&o), *copy = cmd_word(&o);
  bool compares = what && strcmp(what, "compare") == 0;
  if (!what || (!compares && strcmp(what, "verify") != 0))
    return cmd_misuse(args, "the first word must be verify or compare");
  if (business && !cmd_number("--business", business, 0, INT64_MAX, &business_id)) return CMD_USAGE;
  if (!cmd_options_end(&o)) return CMD_USAGE;
  if (compares && (!copy || business_id < 0 || expect)) return cmd_misuse(args, "compare needs FILE and --business N");
  if (!compares && copy) return cmd_misuse(args, "verify takes no words");
  if (expect && business_id < 0) return cmd_misuse(args, "--expect needs --business N");
  int code = compares ? compare_run(&v, business_id, copy) : audit_verify_run(&v, business_id, expect);
  app_done(&v.app);
  buf_done(&v.out);
  return code;
}
