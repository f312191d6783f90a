/* cmd_fetch.c - queues one recording with the rank of a person's retry, waits until it is ready, and prints its path.
 *
 * A running worker downloads it. If no worker lives, the command starts one in its own process until the recording is done. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "cmd/app.h"
#include "cmd/cmd_print.h"
#include "domain/access.h"
#include "domain/enqueue.h"
#include "ledger/businesses.h"
#include "ledger/nodes.h"
#include "work/worker.h"

enum { WORKER_LIVES_MS = 30 * 1000, POLL_MS = 50, PATH_BYTES_MAX = 8192 };

struct fetch_command {
  const struct cmd_args *args;
  struct app app;
  struct str id;
  int64_t business_id; /* 0: the one business that has the id */
  enum enqueue_kind kind;
  struct recording row;
  struct recording_outcome outcome;
  int found;
  struct blob_store *store;
  bool storage_full; /* no worker has room: do not wait */
};

static enum err fetch_find_in_business(void *arg, const struct business *b) {
  struct fetch_command *f = arg;
  struct recording row;
  bool call_known;
  enum err e = recordings_resolve(f->app.db, b->business_id, f->id, &call_known, &row);
  if (e == ERR_NOT_FOUND) return OK;
  TRY(e);
  f->row = row;
  f->found++;
  return OK;
}

static enum err fetch_find_recording(struct fetch_command *f) {
  if (!f->business_id) return businesses_each(f->app.db, NULL, false, fetch_find_in_business, f);
  struct business b = {.business_id = f->business_id};
  return fetch_find_in_business(f, &b);
}

static enum err fetch_run_enqueue(struct db *db, void *arg) {
  struct fetch_command *f = arg;
  struct str sid = str_from(f->row.recording_sid);
  int fd = -1;
  int64_t size = -1;
  bool is_ready = f->row.status == RECORDING_READY;
  enum err e = is_ready ? blob_open(f->store, f->row.name, &fd, &size) : OK;
  if (fd >= 0) (void)close(fd);
  bool gone = is_ready && (e == ERR_NOT_FOUND || (e == OK && size != f->row.bytes));
  if (gone) return enqueue_file_gone(db, f->row.business_id, sid, f->kind, db_now_ms(db), &f->row, &f->outcome);
  return enqueue_run(db, f->row.business_id, sid, f->kind, db_now_ms(db), &f->row, &f->outcome);
}

static enum err fetch_start_worker(struct fetch_command *f, struct db_writer **ret_writer, struct worker **ret_worker) {
  struct nodes_workers workers;
  char owner[40];
  struct access_snapshot *access;
  TRY(nodes_workers(f->app.db, db_now_ms(f->app.db), WORKER_LIVES_MS, &workers));
  if (workers.live > 0) return OK;
  (void)snprintf(owner, sizeof(owner), "fetch-%ld", (long)getpid());
  struct db_writer_config write = {.open = app_database(&f->app)};
  TRY(access_load(f->app.db, f->app.secrets_key, str_from(f->app.conf.twilio_base_url), NULL, &access));
  struct worker_parts parts = {.conf = &f->app.conf, .store = f->store, .provider = &provider_twilio, .owner = owner};
  parts.min_free_bytes = f->app.conf.min_free_bytes;
  enum err e = db_writer_new(&write, ret_writer);
  parts.writer = *ret_writer;
  if (e == OK) e = worker_new(&parts, access, ret_worker);
  access_unref(access);
  return e;
}

static void show_progress(const struct recording *row) {
  if (!isatty(STDERR_FILENO)) return;
  if (row->announced_bytes > 0)
    fprintf(stderr, "\r%s %3lld %%", row->recording_sid, (long long)(row->received_bytes * 100 / row->announced_bytes));
  else
    fprintf(stderr, "\r%s %s ", row->recording_sid, recording_status_name(row->status));
}

/* own: the worker in this process; NULL: the workers of other processes. */
static enum err fetch_read_storage_full(struct fetch_command *f, const struct worker *own) {
  struct nodes_workers workers;
  TRY(nodes_workers(f->app.db, db_now_ms(f->app.db), WORKER_LIVES_MS, &workers));
  f->storage_full = own ? worker_is_full(own) : nodes_workers_are_full(&workers);
  return OK;
}

static enum err fetch_wait_for_recording(struct fetch_command *f, const struct worker *own) {
  const struct timespec pause = {.tv_nsec = POLL_MS * 1000 * 1000};
  for (;;) {
    TRY(fetch_read_storage_full(f, own));
    TRY(recordings_get(f->app.db, f->row.business_id, str_from(f->row.recording_sid), &f->row));
    bool waits = f->row.status == RECORDING_QUEUED || f->row.status == RECORDING_DOWNLOADING;
    bool has_lease = f->row.lease_until != 0; /* a fill that has begun continues even if the storage is full */
    if (!waits || (f->storage_full && !has_lease)) break;
    show_progress(&f->row);
    (void)nanosleep(&pause, NULL);
  }
  if (isatty(STDERR_FILENO)) fputc('\n', stderr);
  return OK;
}

static int print_path(const struct fetch_command *f) {
  struct buf path CLEANUP(buf_done) = BUF_INIT(PATH_BYTES_MAX);
  struct buf line CLEANUP(buf_done) = BUF_INIT(8 * PATH_BYTES_MAX);
  enum err e = buf_addf(&path, "%s/%s", f->app.recordings_dir, f->row.name);
  if (e == OK && f->args->json) e = buf_add(&line, STR("{\"path\":"));
  if (e == OK) e = f->args->json ? buf_add_json(&line, buf_str(&path)) : buf_add(&line, buf_str(&path));
  if (e == OK && f->args->json) e = buf_add_char(&line, '}');
  if (e == OK) e = print_line(&line);
  return e == OK ? CMD_DONE : cmd_fail(f->args, "the path can't be printed: %s", err_text(e));
}

static int fetch_print_result(struct fetch_command *f) {
  if (f->row.status == RECORDING_READY) return print_path(f);
  if (f->outcome.skip == RECORDING_SKIP_TOO_OFTEN)
    return cmd_fail(f->args, "too many retries: more than 3 in 10 minutes; try again later");
  if (f->outcome.skip == RECORDING_SKIP_PERMANENT)
    return cmd_fail(f->args, "the provider reported that %s has no audio (%s); --force asks it all the same",
                    f->row.recording_sid, f->row.error_code);
  enum recording_error code =
      recording_reason(&f->row, f->storage_full ? RECORDING_STORAGE_FULL : RECORDING_NONE, db_now_ms(f->app.db));
  return cmd_fail(f->args, "%s is %s: %s", f->row.recording_sid, recording_status_name(f->row.status),
                  recording_error_message(code));
}

static int fetch_run(struct fetch_command *f) {
  struct db_writer *writer = NULL;
  struct worker *worker = NULL;
  enum err e = fetch_find_recording(f);
  if (e == OK && f->found == 0) return cmd_fail(f->args, "recording or call %.*s is not known", STR_ARG(f->id));
  if (e == OK && f->found > 1) return cmd_misuse(f->args, "several businesses have it; name one with --business ID");
  if (e == OK) e = app_write(&f->app, fetch_run_enqueue, f);
  if (e == OK) enqueue_log(&f->row, f->kind, &f->outcome);
  if (e == OK) e = fetch_start_worker(f, &writer, &worker);
  if (e == OK) e = fetch_wait_for_recording(f, worker);
  worker = worker_free(worker);
  writer = db_writer_free(writer);
  return e == OK ? fetch_print_result(f) : app_fail(f->args, f->app.db, e);
}

int cmd_fetch(const struct cmd_args *args) {
  struct fetch_command *f = calloc(1, sizeof(*f));
  struct cmd_options o;
  if (!f) return cmd_fail(args, "out of memory");
  f->args = args;
  cmd_options_init(&o, args);
  const char *business = cmd_option(&o, "--business"), *id;
  f->kind = cmd_flag(&o, "--force") ? ENQUEUE_FORCED_RETRY : ENQUEUE_RETRY;
  id = cmd_word(&o);
  int code = cmd_options_end(&o) ? CMD_DONE : CMD_USAGE;
  if (code == CMD_DONE && !id) code = cmd_misuse(args, "ID is needed: the SID of a recording or of a call");
  if (code == CMD_DONE && business && !cmd_number("--business", business, 1, INT64_MAX, &f->business_id))
    code = CMD_USAGE;
  if (code == CMD_DONE) {
    f->id = str_from(id);
    if (!provider_twilio.is_call_sid(f->id) && !provider_twilio.is_recording_sid(f->id))
      code = cmd_misuse(args, "%s is not the SID of a recording or a call", id);
  }
  if (code == CMD_DONE) code = app_open(&f->app, args);
  if (code == CMD_DONE) code = app_require_business(&f->app, args, f->business_id);
  if (code == CMD_DONE) code = app_open_store(&f->app, args, &f->store);
  if (code == CMD_DONE) code = fetch_run(f);
  f->store = blob_close(f->store);
  app_done(&f->app);
  free(f);
  return code;
}
