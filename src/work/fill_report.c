/* fill_report.c - the reports of a fill to the ledger, and what follows their results.
 *
 *   worker thread --report_submit--> writer: queue_report under the token --fetch_post_task--> worker thread: X_done
 *
 * Invariants
 *  (1) Every report carries the token; ERR_CONFLICT means that the lease is lost, whatever the report was.
 *  (2) The holder counts its lease from before the renewal was sent, so that it never believes in it longer than the
 *      ledger.
 *  (3) A final report that the database can't take is repeated until it can, or until another worker has the lease.
 *  (4) While the bytes are still compared with the previous part, the row says 0 received bytes. If the lease ends then,
 *      the row loses its validators: this part has fewer bytes than listeners have had, so the next fill can't compare with
 *      it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/metric.h"
#include "domain/queue.h"
#include "domain/recording_log.h"
#include "work/fill_internal.h"

struct report {
  struct fetch_task task; /* posts it to the worker's thread */
  struct fill *fill;
  struct recording_event event;
  bool is_final;
  bool then_publish, then_check_store;
  int64_t sent_mono_ms;
  int64_t business_id;
  char recording_sid[SID_SIZE];
  char etag[RECORDING_ETAG_SIZE]; /* a copy: the fill may change its own while the writer reads this */
  struct recording row;           /* result: the row after the report */
  enum err e;
};

static void log_saved(struct fill *f) {
  double seconds = (double)(clock_mono_ms() - f->started_ms) / 1000.0;
  log_info("Recording saved", LOG_RECORDING(&f->row), LOG_INT("bytes", f->final_event.file.bytes),
           LOG_REAL("seconds", seconds));
  fill_note_slow(f, clock_mono_ms());
}

static void log_final_report(struct fill *f, const struct recording *row) {
  if (f->final_event.kind == RECORDING_COMPLETE)
    log_saved(f);
  else if (row->status == RECORDING_FAILED)
    recording_log_failure(row, str_from(f->log_why));
  else
    log_debug("Fill ended", LOG_RECORDING(row), LOG_TEXT("status", recording_status_name(row->status)),
              LOG_TEXT("code", row->error_code));
}

static void count_failure(const char *code) {
  enum recording_error error = recording_error_of_code(str_from(code), NULL);
  metric_add(METRIC_FILLS, error == RECORDING_STORAGE_FULL ? METRIC_FILL_NO_ROOM : METRIC_FILL_FAILED, 1);
  metric_add(METRIC_FILL_FAILURES, error, 1);
}

static void count_final_report(const struct fill *f, const struct recording *row) {
  if (f->final_event.kind == RECORDING_COMPLETE) {
    metric_add(METRIC_FILLS, f->found_file ? METRIC_FILL_FOUND : METRIC_FILL_READY, 1);
    metric_observe(METRIC_FILL_SECONDS, (clock_mono_ms() - f->started_ms) * 1000);
  } else if (row->status == RECORDING_FAILED) {
    count_failure(row->error_code);
  } else if (f->final_event.kind == RECORDING_NOT_FOUND) {
    metric_add(METRIC_FILLS, METRIC_FILL_NOT_YET, 1); /* for some minutes a 404 is not a failure */
  } else {
    metric_add(METRIC_FILLS, METRIC_FILL_RETURNED,
               1); /* the worker drains, or the provider refused credentials that were replaced since */
  }
}

static void final_report_done(struct fill *f, const struct report *r) {
  if (r->e == OK) {
    count_final_report(f, &r->row);
    log_final_report(f, &r->row);
  } else if (r->e == ERR_CONFLICT) {
    metric_add(METRIC_FILLS, METRIC_FILL_LOST, 1);
    log_warn("Lease lost", LOG_RECORDING(&f->row));
  } else if (r->e != ERR_CLOSED && !f->context->closing) {
    f->report_retry_at_ms = clock_mono_ms() + FILL_REPORT_RETRY_MS; /* (3) */
    return;
  }
  fill_release_if_idle(f);
}

static void renewal_done(struct fill *f, const struct report *r) {
  f->renewal_pending = false;
  if (f->hold == FILL_HOLD_LOST || (f->state == FILL_REPORTING && !r->then_publish)) {
    if (f->hold == FILL_HOLD_LOST) fill_release_if_idle(f);
    return;
  }
  if (r->e == ERR_CONFLICT) {
    fill_lease_lost(f);
    return;
  }
  if (r->e == OK) {
    f->lease_mono_ms = r->sent_mono_ms + RECORDING_LEASE_MS; /* (2) */
    f->row.wanted_at = r->row.wanted_at;
    if (strcmp(r->etag, f->etag) == 0) fill_open_tape(f);
  }
  if (!r->then_publish) return;
  if (r->e == OK && clock_mono_ms() < f->lease_mono_ms) {
    fill_publish(f);
  } else if (clock_mono_ms() < f->lease_mono_ms) {
    fill_assert_lease(f);
  } else {
    fill_lease_lost(f);
  }
}

static void new_token_done(struct fill *f, const struct report *r) {
  f->renewal_pending = false;
  if (f->hold == FILL_HOLD_LOST) {
    fill_release_if_idle(f);
  } else if (r->e == ERR_CONFLICT) {
    fill_lease_lost(f);
  } else if (r->e != OK) {
    fill_fail(f, RECORDING_STORAGE_ERROR);
  } else {
    f->lease_mono_ms = r->sent_mono_ms + RECORDING_LEASE_MS; /* (2) */
    f->row.lease_token = r->row.lease_token;
    f->row.etag[0] = '\0'; /* no part to compare with */
    f->was_served = false;
    fill_check_store(f);
  }
}

/* On the worker's thread. */
static void report_dispatch(void *arg) {
  struct report *r = arg;
  struct fill *f = r->fill;
  f->steps_pending--;
  if (r->is_final) {
    final_report_done(f, r);
  } else if (r->then_check_store) {
    new_token_done(f, r);
  } else {
    renewal_done(f, r);
  }
  free(r);
}

static enum err fill_report_run(struct db *db, void *arg) {
  struct report *r = arg;
  return queue_report(db, r->business_id, str_from(r->recording_sid), &r->event, db_now_ms(db), &r->row);
}

/* On the writer's thread. */
static void fill_report_done(void *arg, enum err e) {
  struct report *r = arg;
  r->e = e;
  fetch_post_task(r->fill->context->fetch, &r->task); /* the worker outlives its fills */
}

static void report_submit(struct fill *f, struct report *r) {
  f->steps_pending++;
  r->fill = f;
  r->task = (struct fetch_task){.fn = report_dispatch, .arg = r};
  r->sent_mono_ms = clock_mono_ms();
  r->business_id = f->row.business_id;
  memcpy(r->recording_sid, f->row.recording_sid, sizeof(r->recording_sid));
  struct db_job job = {.name = METRIC_JOB_REPORT,
                       .class = DB_CLASS_LEASE,
                       .business_id = r->business_id,
                       .run = fill_report_run,
                       .done = fill_report_done,
                       .repeat = DB_REPEAT_UNDONE,
                       .arg = r};
  enum err e = db_writer_submit(f->context->writer, job);
  if (e == OK) return;
  r->e = e;
  fetch_post_task(f->context->fetch, &r->task);
}

static struct report *renewal_new(struct fill *f, enum recording_event_kind kind) {
  struct report *r = calloc(1, sizeof(*r));
  if (!r) return NULL;
  int64_t progress = f->has_validators ? f->size : 0;
  int64_t received = progress && fill_comparison_is_over(f) ? progress : 0; /* (4) */
  r->event = (struct recording_event){.kind = kind,
                                      .owner = str_from(f->row.lease_owner),
                                      .token = f->row.lease_token,
                                      .credentials_version = f->final_event.credentials_version,
                                      .received_bytes = received,
                                      .announced_bytes = f->announced_bytes};
  if (f->has_validators) {
    (void)snprintf(r->etag, sizeof(r->etag), "%s", f->etag);
    r->event.file.etag = str_from(r->etag);
    r->event.file.content_type = str_from(audio_content_type(audio_kind(f->audio)));
    r->event.file.modified_at = f->modified_at;
  }
  f->renewed_ms = clock_mono_ms();
  f->renewed_bytes = progress;
  f->renewal_pending = true;
  return r;
}

void fill_renew(struct fill *f, enum recording_event_kind kind) {
  struct report *r = renewal_new(f, kind);
  if (r) report_submit(f, r); /* out of memory: the next tick tries again, in time for the lease */
}

void fill_assert_lease(struct fill *f) {
  f->state = FILL_ASSERTING;
  struct report *r = renewal_new(f, RECORDING_RENEW);
  if (!r) {
    fill_fail(f, RECORDING_STORAGE_ERROR);
    return;
  }
  r->then_publish = true;
  report_submit(f, r);
}

void fill_report_new_token(struct fill *f) {
  struct report *r = renewal_new(f, RECORDING_NEW_TOKEN);
  f->state = FILL_CHECKING_STORE;
  if (!r) {
    fill_fail(f, RECORDING_STORAGE_ERROR);
    return;
  }
  r->then_check_store = true;
  report_submit(f, r);
}

void fill_report_final(struct fill *f) {
  struct report *r = calloc(1, sizeof(*r));
  if (!r) {
    f->report_retry_at_ms = clock_mono_ms() + FILL_REPORT_RETRY_MS;
    return;
  }
  r->is_final = true;
  r->event = f->final_event;
  report_submit(f, r);
}

/* ---- a release that does not need the fill ---- */

struct release_job {
  int64_t business_id;
  char recording_sid[SID_SIZE];
  char owner[sizeof(((struct recording *)0)->lease_owner)];
  struct recording_event event;
  void (*done)(void *);
  void *arg;
};

static enum err release_job_run(struct db *db, void *arg) {
  struct release_job *w = arg;
  struct recording row;
  return queue_report(db, w->business_id, str_from(w->recording_sid), &w->event, db_now_ms(db), &row);
}

static void release_job_done(void *arg, enum err e) {
  struct release_job *w = arg;
  (void)e; /* on an error the lease expires by itself */
  w->done(w->arg);
  free(w);
}

void fill_give_lease_back(const struct fill *f, void (*done)(void *), void *arg) {
  struct release_job *w = calloc(1, sizeof(*w));
  if (!w) {
    done(arg);
    return;
  }
  w->done = done;
  w->arg = arg;
  w->business_id = f->row.business_id;
  memcpy(w->recording_sid, f->row.recording_sid, sizeof(w->recording_sid));
  memcpy(w->owner, f->row.lease_owner, sizeof(w->owner));
  w->event =
      (struct recording_event){.kind = RECORDING_RELEASED, .owner = str_from(w->owner), .token = f->row.lease_token};
  struct db_job job = {.name = METRIC_JOB_REPORT,
                       .class = DB_CLASS_LEASE,
                       .business_id = w->business_id,
                       .run = release_job_run,
                       .done = release_job_done,
                       .repeat = DB_REPEAT_UNDONE,
                       .arg = w};
  enum err e = db_writer_submit(f->context->writer, job);
  if (e != OK) release_job_done(w, e);
}
