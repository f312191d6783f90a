/* webhook.c - builds webhooks, with all the fields that the provider sends. */
#include "sim.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

enum { PARAMETERS_MAX = 64, MADE_MAX = 4096 };

/* A form that is being built. `made` holds generated values; it never grows, so pointers into it stay valid. */
struct form {
  struct twilio_parameter list[PARAMETERS_MAX];
  size_t count;
  struct buf made;
};

static void form_done(struct form *f) {
  buf_done(&f->made);
}

static void form_put(struct form *f, const char *name, const char *value) {
  if (f->count < PARAMETERS_MAX) f->list[f->count++] = (struct twilio_parameter){str_from(name), str_from(value)};
}

static void put_int(struct form *f, const char *name, int64_t value) {
  size_t start = f->made.n;
  if (buf_addf(&f->made, "%" PRId64, value) != OK || f->count == PARAMETERS_MAX) return;
  f->list[f->count++] = (struct twilio_parameter){str_from(name), str_of(f->made.p + start, f->made.n - start)};
}

static void put_text(struct form *f, const char *name, struct str text) {
  size_t start = f->made.n;
  if (buf_add(&f->made, text) != OK || f->count == PARAMETERS_MAX) return;
  f->list[f->count++] = (struct twilio_parameter){str_from(name), str_of(f->made.p + start, text.n)};
}

static void put_time(struct form *f, const char *name, int64_t ms) {
  char text[DATE_TEXT_SIZE];
  date_format_rfc2822(ms, text);
  put_text(f, name, str_from(text));
}

/* The provider adds the place where a number is registered, mostly empty. */
static void put_places(struct form *f) {
  static const char *const names[] = {"FromCity",   "FromState",   "FromZip",   "FromCountry",
                                      "ToCity",     "ToState",     "ToZip",     "ToCountry",
                                      "CallerCity", "CallerState", "CallerZip", "CallerCountry",
                                      "CalledCity", "CalledState", "CalledZip", "CalledCountry"};
  for (size_t i = 0; i < COUNT_OF(names); i++)
    form_put(f, names[i], str_ends(str_from(names[i]), STR("Country")) ? "US" : "");
}

static bool is_terminal(const char *status) {
  static const char *const open[] = {"queued", "initiated", "ringing", "in-progress"};
  for (size_t i = 0; i < COUNT_OF(open); i++)
    if (strcmp(status, open[i]) == 0) return false;
  return true;
}

static void put_end(struct form *f, const struct call *c, const char *status) {
  int64_t seconds = strcmp(status, "completed") == 0 ? c->seconds : 0;
  put_int(f, "CallDuration", seconds);
  put_int(f, "Duration", (seconds + 59) / 60);
  form_put(f, "SipResponseCode",
           strcmp(status, "busy") == 0        ? "486"
           : strcmp(status, "no-answer") == 0 ? "487"
                                              : "200");
}

static enum err form_add_webhook(const struct sim *sim, struct hook_batch *batch, const char *kind,
                                 const struct form *f) {
  struct buf url CLEANUP(buf_done) = BUF_INIT(SIM_URL_MAX + 64);
  const char *text;
  if (!sim->webhooks) return OK;
  TRY(buf_addf(&url, "%s/%s", sim->webhooks, kind));
  TRY(buf_terminate(&url, &text));
  return hook_batch_add(batch, text, f->list, f->count, sim->token);
}

enum err webhook_add_call(const struct sim *sim, struct hook_batch *batch, struct call *c, const char *status,
                          int64_t at_ms) {
  struct form f CLEANUP(form_done) = {.made = BUF_INIT(MADE_MAX)};
  TRY(buf_reserve(&f.made, MADE_MAX));
  form_put(&f, "Called", c->to);
  put_places(&f);
  form_put(&f, "Direction", c->direction);
  put_time(&f, "Timestamp", at_ms);
  form_put(&f, "CallSid", c->sid);
  form_put(&f, "To", c->to);
  form_put(&f, "From", c->from);
  form_put(&f, "Caller", c->from);
  form_put(&f, "AccountSid", sim->account);
  form_put(&f, "ApiVersion", API_VERSION);
  form_put(&f, "CallStatus", status);
  form_put(&f, "CallbackSource", "call-progress-events");
  put_int(&f, "SequenceNumber", c->sequence++);
  if (c->caller_name) form_put(&f, "CallerName", c->caller_name);
  if (c->parent_sid[0]) form_put(&f, "ParentCallSid", c->parent_sid);
  if (is_terminal(status)) put_end(&f, c, status);
  return form_add_webhook(sim, batch, "call", &f);
}

enum err webhook_recording_url(const struct sim *sim, const struct recording *r, struct buf *b) {
  return buf_addf(b, "%s/" API_VERSION "/Accounts/%s/Recordings/%s", sim->base_url, sim->account, r->sid);
}

enum err webhook_add_recording(const struct sim *sim, struct hook_batch *batch, const struct recording *r,
                               const char *status) {
  struct form f CLEANUP(form_done) = {.made = BUF_INIT(MADE_MAX)};
  struct buf url CLEANUP(buf_done) = BUF_INIT(SIM_URL_MAX + 200);
  TRY(buf_reserve(&f.made, MADE_MAX));
  TRY(webhook_recording_url(sim, r, &url));
  form_put(&f, "AccountSid", sim->account);
  if (r->call_sid[0]) form_put(&f, "CallSid", r->call_sid);
  if (r->conference_sid[0]) form_put(&f, "ConferenceSid", r->conference_sid);
  form_put(&f, "RecordingSid", r->sid);
  put_text(&f, "RecordingUrl", buf_str(&url));
  form_put(&f, "RecordingStatus", status);
  if (strcmp(status, "completed") == 0) put_int(&f, "RecordingDuration", r->seconds);
  if (strcmp(status, "absent") == 0) put_int(&f, "RecordingDuration", -1);
  put_int(&f, "RecordingChannels", r->channels);
  put_time(&f, "RecordingStartTime", r->started_ms);
  form_put(&f, "RecordingSource", r->source);
  form_put(&f, "RecordingTrack", "both");
  put_int(&f, "ErrorCode", r->error_code);
  return form_add_webhook(sim, batch, "recording", &f);
}

/* The number of a webhook fault, of this call or global. */
static bool has_fault(struct sim *sim, struct faults *faults, enum fault_kind kind, int64_t *ret_number) {
  return faults_take(faults, kind, ret_number) || faults_take(&sim->faults, kind, ret_number);
}

enum err webhook_send_batch(struct sim *sim, struct faults *faults, struct hook_batch *batch) {
  int64_t late_s = 0, percent, unused;
  enum err e = OK;
  if (hook_batch_count(batch) == 0 || has_fault(sim, faults, FAULT_LOST, &unused)) {
    hook_batch_free(batch);
    return OK;
  }
  bool shuffle = has_fault(sim, faults, FAULT_SHUFFLE, &unused);
  (void)has_fault(sim, faults, FAULT_LATE, &late_s);
  if (has_fault(sim, faults, FAULT_DUP, &unused)) e = hook_batch_double(batch);
  if (e == OK && has_fault(sim, faults, FAULT_LOSE, &percent)) e = hook_batch_thin(batch, percent);
  if (e == OK && shuffle) e = hook_batch_shuffle(batch);
  if (e != OK || hook_batch_count(batch) == 0) {
    hook_batch_free(batch);
    return e;
  }
  return hooks_send(sim->hooks, batch, late_s * 1000, shuffle);
}
