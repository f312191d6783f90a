/* fill_report.c - what a fill tells the ledger, and what it hears back.
 *
 *   worker thread --db_writer_submit--> writer: queue_report under the token --fetch_post--> worker thread
 *
 * Invariants
 *  (1) Every report carries the token; ERR_CONFLICT means that the lease is lost, whatever the report was.
 *  (2) The holder counts its lease from before the renewal was sent: it never believes longer in it than the ledger does.
 *  (3) A last word that the database can't take now is repeated until it can, or until the lease is another's.
 *  (4) Bytes that take the place of a dead worker's are reported once all of those were compared: a row with validators and
 *      no bytes loses them with its lease, since the next part to compare with has less than what was heard. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/metric.h"
#include "domain/queue.h"
#include "work/fill_internal.h"

struct report {
  struct fetch_task task; /* its way back */
  struct fill *fill;
  struct recording_event event;
  bool last;
  bool then_publish, then_look;
  int64_t sent_mono_ms;
  int64_t business_id;
  char recording_sid[SID_SIZE];
  char etag[RECORDING_ETAG_SIZE]; /* a copy: the fill's may change while the writer reads */
  struct recording row;           /* as it stands after */
  enum err e;
};

static void log_saved(const struct fill *f) {
  double seconds = (double)(clock_mono_ms() - f->started_ms) / 1000.0;
  log_info("Recording saved", LOG_INT("business", f->row.business_id), LOG_TEXT("recording", f->row.recording_sid),
           LOG_INT("bytes", f->last.file.bytes), LOG_REAL("seconds", seconds));
  if (clock_mono_ms() - f->started_ms > FILL_SLOW_MS)
    log_warn("Slow download detected", LOG_INT("business", f->row.business_id),
             LOG_TEXT("recording", f->row.recording_sid), LOG_REAL("seconds", seconds));
}

static void log_last(const struct fill *f, const struct recording *row) {
  switch (f->last.kind) {
    case RECORDING_COMPLETE:
      log_saved(f);
      break;
    case RECORDING_FAILURE:
      log_error("Recording failed", LOG_INT("business", f->row.business_id),
                LOG_TEXT("recording", f->row.recording_sid), LOG_TEXT("code", row->error_code),
                LOG_INT("attempt", row->fail_count), LOG_INT("for_good", row->permanent), LOG_TEXT("why", f->log_why));
      break;
    default:
      log_debug("Fill ended", LOG_INT("business", f->row.business_id), LOG_TEXT("recording", f->row.recording_sid),
                LOG_TEXT("status", recording_status_name(row->status)), LOG_TEXT("code", row->error_code));
  }
}

static void count_failure(const char *code) {
  enum recording_error error = recording_error_of_code(str_from(code), NULL);
  metric_add(METRIC_FILLS, error == RECORDING_STORAGE_FULL ? METRIC_FILL_NO_ROOM : METRIC_FILL_FAILED, 1);
  metric_add(METRIC_FILL_FAILURES, error, 1);
}

static void count_last(const struct fill *f, const struct recording *row) {
  if (f->last.kind == RECORDING_COMPLETE) {
    metric_add(METRIC_FILLS, f->taken ? METRIC_FILL_FOUND : METRIC_FILL_READY, 1);
    metric_observe(METRIC_FILL_SECONDS, (clock_mono_ms() - f->started_ms) * 1000);
  } else if (row->status == RECORDING_FAILED) {
    count_failure(row->error_code);
  } else if (f->last.kind == RECORDING_NOT_FOUND) {
    metric_add(METRIC_FILLS, METRIC_FILL_NOT_YET, 1); /* a 404 is no failure for a while */
  } else {
    metric_add(METRIC_FILLS, METRIC_FILL_RETURNED,
               1); /* drained, or refused with credentials that are no longer used */
  }
}

static void last_is_back(struct fill *f, const struct report *r) {
  if (r->e == OK) {
    count_last(f, &r->row);
    log_last(f, &r->row);
  } else if (r->e == ERR_CONFLICT) {
    metric_add(METRIC_FILLS, METRIC_FILL_LOST, 1);
    log_warn("Lease lost", LOG_INT("business", f->row.business_id), LOG_TEXT("recording", f->row.recording_sid));
  } else if (r->e != ERR_CLOSED && !f->context->closing) {
    f->report_again_ms = clock_mono_ms() + FILL_REPORT_AGAIN_MS; /* (3) */
    return;
  }
  fill_release_if_idle(f);
}

static void renewal_is_back(struct fill *f, const struct report *r) {
  f->renewing = false;
  if (f->lost || (f->state == FILL_REPORTING && !r->then_publish)) {
    if (f->lost) fill_release_if_idle(f);
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

static void anew_is_back(struct fill *f, const struct report *r) {
  f->renewing = false;
  if (f->lost) {
    fill_release_if_idle(f);
  } else if (r->e == ERR_CONFLICT) {
    fill_lease_lost(f);
  } else if (r->e != OK) {
    fill_fail(f, RECORDING_STORAGE_ERROR);
  } else {
    f->lease_mono_ms = r->sent_mono_ms + RECORDING_LEASE_MS; /* (2) */
    f->row.lease_token = r->row.lease_token;
    f->row.etag[0] = '\0'; /* nothing to go on with */
    f->told = false;
    fill_check_store(f);
  }
}

/* On the worker's thread. */
static void report_is_back(void *arg) {
  struct report *r = arg;
  struct fill *f = r->fill;
  f->jobs--;
  if (r->last) {
    last_is_back(f, r);
  } else if (r->then_look) {
    anew_is_back(f, r);
  } else {
    renewal_is_back(f, r);
  }
  free(r);
}

static enum err run_report(struct db *db, void *arg) {
  struct report *r = arg;
  return queue_report(db, r->business_id, str_from(r->recording_sid), &r->event, db_now_ms(db), &r->row);
}

/* On the writer's thread. The worker takes posts until its last fill is gone. */
static void report_done(void *arg, enum err e) {
  struct report *r = arg;
  r->e = e;
  fetch_post_task(r->fill->context->fetch, &r->task); /* the worker outlives its fills */
}

static void submit(struct fill *f, struct report *r) {
  f->jobs++;
  r->fill = f;
  r->task = (struct fetch_task){.fn = report_is_back, .arg = r};
  r->sent_mono_ms = clock_mono_ms();
  r->business_id = f->row.business_id;
  memcpy(r->recording_sid, f->row.recording_sid, sizeof(r->recording_sid));
  struct db_job job = {.name = METRIC_JOB_REPORT,
                       .class = DB_CLASS_LEASE,
                       .business_id = r->business_id,
                       .run = run_report,
                       .done = report_done,
                       .arg = r};
  enum err e = db_writer_submit(f->context->writer, job);
  if (e == OK) return;
  r->e = e;
  fetch_post_task(f->context->fetch, &r->task);
}

static struct report *new_renewal(struct fill *f, enum recording_event_kind kind) {
  struct report *r = calloc(1, sizeof(*r));
  if (!r) return NULL;
  int64_t here = f->begun ? f->size : 0;
  int64_t got = here && fill_is_compared(f) ? here : 0; /* (4) */
  r->event = (struct recording_event){
      .kind = kind, .token = f->row.lease_token, .received_bytes = got, .announced_bytes = f->total};
  if (f->begun) {
    (void)snprintf(r->etag, sizeof(r->etag), "%s", f->etag);
    r->event.file.etag = str_from(r->etag);
    r->event.file.content_type = str_from(audio_content_type(audio_kind(f->audio)));
    r->event.file.modified_at = f->modified_at;
  }
  f->renewed_ms = clock_mono_ms();
  f->renewed_bytes = here;
  f->renewing = true;
  return r;
}

void fill_renew(struct fill *f, enum recording_event_kind kind) {
  struct report *r = new_renewal(f, kind);
  if (r) submit(f, r); /* without memory: the next tick tries again, the lease bears it */
}

void fill_assert_lease(struct fill *f) {
  f->state = FILL_ASSERTING;
  struct report *r = new_renewal(f, RECORDING_RENEW);
  if (!r) {
    fill_fail(f, RECORDING_STORAGE_ERROR);
    return;
  }
  r->then_publish = true;
  submit(f, r);
}

void fill_report_anew(struct fill *f) {
  struct report *r = new_renewal(f, RECORDING_RESTARTED);
  f->state = FILL_LOOKING;
  if (!r) {
    fill_fail(f, RECORDING_STORAGE_ERROR);
    return;
  }
  r->then_look = true;
  submit(f, r);
}

void fill_report_last(struct fill *f) {
  struct report *r = calloc(1, sizeof(*r));
  if (!r) {
    f->report_again_ms = clock_mono_ms() + FILL_REPORT_AGAIN_MS;
    return;
  }
  r->last = true;
  r->event = f->last;
  submit(f, r);
}

/* ---- without the fill ---- */

struct farewell {
  int64_t business_id;
  char recording_sid[SID_SIZE];
  struct recording_event event;
};

static enum err run_farewell(struct db *db, void *arg) {
  struct farewell *w = arg;
  struct recording row;
  return queue_report(db, w->business_id, str_from(w->recording_sid), &w->event, db_now_ms(db), &row);
}

static void farewell_done(void *arg, enum err e) {
  (void)e; /* else the lease runs out by itself */
  free(arg);
}

void fill_give_lease_back(const struct fill *f) {
  struct farewell *w = calloc(1, sizeof(*w));
  if (!w) return;
  w->business_id = f->row.business_id;
  memcpy(w->recording_sid, f->row.recording_sid, sizeof(w->recording_sid));
  w->event = (struct recording_event){.kind = RECORDING_RELEASED, .token = f->row.lease_token};
  struct db_job job = {.name = METRIC_JOB_REPORT,
                       .class = DB_CLASS_LEASE,
                       .business_id = w->business_id,
                       .run = run_farewell,
                       .done = farewell_done,
                       .arg = w};
  if (db_writer_submit(f->context->writer, job) != OK) free(w);
}
