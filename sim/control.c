/* control.c - /sim/…: creates calls, changes recordings and faults, and reports what happened.
 *
 * A call and its recording are created at once, in the states that `status` and `complete_after` allow. Their webhooks are sent
 * in the order in which the provider would have sent them during the call. */
#include "sim.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "order.h"
#include "provider/twilio_sid.h"
#include "talk.h"

enum { PROBLEM_MAX = 200, LIST_MAX = 1000, RING_MS = 3000, INITIATE_MS = 4000 };

/* A recording that becomes complete later. */
struct completion {
  struct sim *sim;
  char sid[SID_ROOM];
};

static json_t *parse_body(struct http_exchange *x) {
  struct str body = http_request(x)->body;
  json_error_t why;
  if (body.n == 0) return json_object();
  return json_loadb(body.p, body.n, JSON_REJECT_DUPLICATES, &why);
}

static void release_json(json_t **root) {
  json_decref(*root);
}

static void release_batch(struct hook_batch **batch) {
  hook_batch_free(*batch);
}

static struct str path_segment(const struct http_match *match, size_t i) {
  return match->params[i];
}

/* ---- calls and recordings ---- */

static enum err control_make_call(struct sim *sim, const struct order *o, const struct call *parent,
                                  struct call **ret_call) {
  struct call *c = calloc(1, sizeof(*c));
  if (!c) return ERR_NOMEM;
  enum err e = sid_make("CA", c->sid);
  if (parent) memcpy(c->parent_sid, parent->sid, SID_ROOM);
  c->direction = parent ? "outbound-dial" : o->inbound ? "inbound" : "outbound-api";
  c->status = o->call_status;
  c->started_ms = o->start_ms;
  c->seconds = o->seconds;
  c->from = str_dup(str_from(o->from));
  c->to = str_dup(str_from(parent ? o->child_to : o->to));
  c->caller_name = o->caller_name ? str_dup(str_from(o->caller_name)) : NULL;
  if (!c->from || !c->to || (o->caller_name && !c->caller_name)) e = ERR_NOMEM;
  if (e == OK) e = store_add_call(&sim->store, c);
  if (e != OK) {
    call_free(c);
    return e;
  }
  journal_call(&sim->journal, c);
  *ret_call = c;
  return OK;
}

static enum err make_recording(struct sim *sim, const struct order *o, const char *call_sid,
                               struct recording **ret_recording) {
  struct recording *r = calloc(1, sizeof(*r));
  if (!r) return ERR_NOMEM;
  enum err e = sid_make("RE", r->sid);
  bool conference = str_contains(str_from(o->source), STR("Conference"));
  if (conference && e == OK)
    e = sid_make("CF", r->conference_sid);
  else
    memcpy(r->call_sid, call_sid, SID_ROOM);
  r->status = o->complete_after_ms > 0 ? recording_status_find(STR("processing")) : o->status;
  r->error_code = o->error_code;
  r->channels = o->channels;
  r->seconds = o->seconds;
  r->started_ms = o->start_ms;
  r->faults = o->faults;
  r->source = str_dup(str_from(o->source));
  if (!r->source) e = ERR_NOMEM;
  if (e == OK) e = store_add_recording(&sim->store, r);
  if (e != OK) {
    recording_free(r);
    return e;
  }
  journal_recording(&sim->journal, r);
  *ret_recording = r;
  return OK;
}

/* ---- webhooks ---- */

/* Adds the webhooks up to in-progress, or up to the end of a call that was not answered. */
static enum err control_add_begin_hooks(struct sim *sim, struct hook_batch *batch, struct call *c, const char *last) {
  static const char *const steps[] = {"initiated", "ringing", "in-progress"};
  const int64_t before_ms[] = {INITIATE_MS, RING_MS, 0};
  for (size_t i = 0; i < COUNT_OF(steps); i++) {
    bool talked = strcmp(last, "completed") == 0 || strcmp(last, "in-progress") == 0;
    if (!talked && i == 2) return webhook_add_call(sim, batch, c, last, c->started_ms);
    TRY(webhook_add_call(sim, batch, c, steps[i], c->started_ms - before_ms[i]));
    if (strcmp(steps[i], last) == 0) return OK;
  }
  return OK;
}

static enum err control_add_end_hooks(struct sim *sim, struct hook_batch *batch, struct call *c) {
  if (!c || strcmp(c->status, "completed") != 0) return OK;
  return webhook_add_call(sim, batch, c, c->status, c->started_ms + c->seconds * 1000);
}

/* Sends all webhooks of a call, in the order of its events; those of the end only if the call has ended. */
static enum err webhooks_add_all(struct sim *sim, struct hook_batch *batch, struct call *parent, struct call *child,
                                 const struct recording *r) {
  bool made = r && strcmp(r->status, "processing") != 0 && strcmp(r->status, "in-progress") != 0;
  TRY(control_add_begin_hooks(sim, batch, parent, parent->status));
  if (child) TRY(control_add_begin_hooks(sim, batch, child, child->status));
  if (r) TRY(webhook_add_recording(sim, batch, r, "in-progress"));
  TRY(control_add_end_hooks(sim, batch, child));
  TRY(control_add_end_hooks(sim, batch, parent));
  return made ? webhook_add_recording(sim, batch, r, r->status) : OK;
}

/* Sends one webhook with the recording's present state. */
static enum err control_send_recording_hook(struct sim *sim, struct recording *r) {
  struct hook_batch *batch CLEANUP(release_batch) = NULL;
  TRY(hook_batch_new(&batch));
  TRY(webhook_add_recording(sim, batch, r, r->status));
  return webhook_send_batch(sim, &r->faults, TAKE(batch));
}

static void complete_recording(void *arg) {
  struct completion *c = arg;
  struct recording *r = store_find_recording(&c->sim->store, str_from(c->sid));
  if (r && strcmp(r->status, "processing") == 0) {
    r->status = recording_status_find(STR("completed"));
    journal_recording(&c->sim->journal, r);
    (void)control_send_recording_hook(c->sim,
                                      r); /* without memory the webhook is lost, as it can be with the provider */
  }
  free(c);
}

static void complete_on_loop(void *arg) {
  struct completion *c = arg;
  if (http_loop_post(c->sim->server, 0, complete_recording, c) != OK) free(c);
}

static enum err complete_later(struct sim *sim, const struct recording *r, int64_t delay_ms) {
  struct completion *c = malloc(sizeof(*c));
  if (!c) return ERR_NOMEM;
  c->sim = sim;
  memcpy(c->sid, r->sid, SID_ROOM);
  enum err e = hooks_after(sim->hooks, delay_ms, complete_on_loop, free, c);
  if (e != OK) free(c);
  return e;
}

/* ---- answers ---- */

static json_t *sizes_json(const struct recording *r) {
  return json_pack("{sI, sI}", "mp3", (json_int_t)talk_size(TALK_MP3, r->seconds, r->channels), "wav",
                   (json_int_t)talk_size(TALK_WAV, r->seconds, r->channels));
}

static json_t *made_json(const struct sim *sim, const char *call_sid, const char *child_sid,
                         const struct recording *r) {
  struct buf url CLEANUP(buf_done) = BUF_INIT(SIM_URL_MAX + 200);
  json_t *o = json_pack("{ss, so, sn, sn, sn}", "call_sid", call_sid, "child_call_sid",
                        child_sid ? json_string(child_sid) : json_null(), "recording_sid", "recording_url", "sizes");
  if (!o || !r) return o;
  json_object_set_new(o, "recording_sid", json_string(r->sid));
  if (webhook_recording_url(sim, r, &url) == OK) json_object_set_new(o, "recording_url", json_stringn(url.p, url.n));
  json_object_set_new(o, "sizes", sizes_json(r));
  return o;
}

static void answer_failure(struct http_exchange *x, enum err e) {
  answer_problem(x, e == ERR_TOO_BIG ? 507 : 500, err_text(e));
}

static enum err create_call_pair(struct sim *sim, const struct order *o, struct call **ret_parent,
                                 struct call **ret_child, struct recording **ret_recording) {
  struct hook_batch *batch CLEANUP(release_batch) = NULL;
  struct call *parent, *child = NULL;
  struct recording *r = NULL;
  TRY(hook_batch_new(&batch));
  TRY(control_make_call(sim, o, NULL, &parent));
  if (o->legs == 2) TRY(control_make_call(sim, o, parent, &child));
  if (!o->no_recording) TRY(make_recording(sim, o, o->on_child ? child->sid : parent->sid, &r));
  TRY(webhooks_add_all(sim, batch, parent, child, r));
  struct faults faults = o->faults;
  TRY(webhook_send_batch(sim, r ? &r->faults : &faults, TAKE(batch)));
  if (r && o->complete_after_ms > 0) TRY(complete_later(sim, r, o->complete_after_ms));
  *ret_parent = parent;
  *ret_child = child;
  *ret_recording = r;
  return OK;
}

/* Makes o->count calls; the last one began at o->start_ms. */
static enum err create_many(struct sim *sim, const struct order *o) {
  struct order each = *o;
  for (int64_t i = o->count; i-- > 0;) {
    struct call *parent, *child;
    struct recording *r;
    each.start_ms = o->start_ms - i * 1000;
    TRY(create_call_pair(sim, &each, &parent, &child, &r));
  }
  return OK;
}

void control_create_call(struct sim *sim, struct http_exchange *x, const struct http_match *match) {
  (void)match;
  json_t *root CLEANUP(release_json) = parse_body(x);
  char room[PROBLEM_MAX];
  const char *problem;
  struct order order;
  struct call *parent, *child;
  struct recording *r;
  if (order_parse(root, clock_now_ms(), room, sizeof(room), &problem, &order) != OK) {
    answer_problem(x, 400, problem);
    return;
  }
  if (order.count > 1) {
    enum err made = create_many(sim, &order);
    if (made == OK)
      answer_json(x, 201, json_pack("{sI}", "made", (json_int_t)order.count));
    else
      answer_failure(x, made);
    return;
  }
  enum err e = create_call_pair(sim, &order, &parent, &child, &r);
  if (e == OK)
    answer_json(x, 201, made_json(sim, parent->sid, child ? child->sid : NULL, r));
  else
    answer_failure(x, e);
}

static enum err create_recording(struct sim *sim, const struct order *o, const struct call *c,
                                 struct recording **ret_recording) {
  struct hook_batch *batch CLEANUP(release_batch) = NULL;
  struct recording *r;
  TRY(hook_batch_new(&batch));
  TRY(make_recording(sim, o, c->sid, &r));
  TRY(webhook_add_recording(sim, batch, r, "in-progress"));
  if (strcmp(r->status, "processing") != 0 && strcmp(r->status, "in-progress") != 0)
    TRY(webhook_add_recording(sim, batch, r, r->status));
  TRY(webhook_send_batch(sim, &r->faults, TAKE(batch)));
  if (o->complete_after_ms > 0) TRY(complete_later(sim, r, o->complete_after_ms));
  *ret_recording = r;
  return OK;
}

void control_create_recording(struct sim *sim, struct http_exchange *x, const struct http_match *match) {
  json_t *root CLEANUP(release_json) = parse_body(x);
  char room[PROBLEM_MAX];
  const char *problem;
  struct order order;
  struct recording *r;
  const struct call *c = store_find_call(&sim->store, path_segment(match, 0));
  if (!c) {
    answer_problem(x, 404, "no such call");
    return;
  }
  if (order_parse(root, clock_now_ms(), room, sizeof(room), &problem, &order) != OK) {
    answer_problem(x, 400, problem);
    return;
  }
  enum err e = create_recording(sim, &order, c, &r);
  if (e == OK)
    answer_json(x, 201, made_json(sim, c->sid, NULL, r));
  else
    answer_failure(x, e);
}

void control_list_calls(struct sim *sim, struct http_exchange *x, const struct http_match *match) {
  (void)match;
  json_t *calls = json_array();
  for (size_t i = sim->store.call_count, n = 0; i-- > 0 && n < LIST_MAX; n++) {
    const struct call *c = sim->store.calls[i];
    json_array_append_new(calls, json_pack("{ss, so, ss, ss, ss, ss}", "call_sid", c->sid, "parent_call_sid",
                                           c->parent_sid[0] ? json_string(c->parent_sid) : json_null(), "direction",
                                           c->direction, "from", c->from, "to", c->to, "status", c->status));
  }
  answer_json(x, 200,
              json_pack("{so, sI, sI}", "calls", calls, "call_count", (json_int_t)sim->store.call_count,
                        "recording_count", (json_int_t)sim->store.recording_count));
}

void control_get_recording(struct sim *sim, struct http_exchange *x, const struct http_match *match) {
  const struct recording *r = store_find_recording(&sim->store, path_segment(match, 0));
  if (!r) {
    answer_problem(x, 404, "no such recording");
    return;
  }
  answer_json(x, 200,
              json_pack("{sI, sI, sI, sI}", "requests", (json_int_t)r->requests, "downloads", (json_int_t)r->downloads,
                        "complete", (json_int_t)r->complete, "bytes", (json_int_t)r->bytes));
}

/* Body: {"status", "faults", "error_code"}. A new status is sent by a webhook. */
void control_put_recording(struct sim *sim, struct http_exchange *x, const struct http_match *match) {
  json_t *root CLEANUP(release_json) = parse_body(x);
  struct recording *r = store_find_recording(&sim->store, path_segment(match, 0));
  char room[PROBLEM_MAX];
  const char *problem;
  struct order order;
  if (!r) {
    answer_problem(x, 404, "no such recording");
    return;
  }
  if (order_parse(root, clock_now_ms(), room, sizeof(room), &problem, &order) != OK) {
    answer_problem(x, 400, problem);
    return;
  }
  if (json_object_get(root, "faults")) r->faults = order.faults;
  enum err e = OK;
  if (json_object_get(root, "status")) {
    r->status = order.status;
    r->error_code = order.error_code;
    journal_recording(&sim->journal, r);
    e = control_send_recording_hook(sim, r);
  }
  if (e == OK)
    http_respond(x, 204, NULL, NULL);
  else
    answer_failure(x, e);
}

/* Body: {"faults": [...], "recording_sid"}. Without recording_sid they apply to all recordings and webhooks. */
void control_put_faults(struct sim *sim, struct http_exchange *x, const struct http_match *match) {
  (void)match;
  json_t *root CLEANUP(release_json) = parse_body(x);
  struct faults faults;
  const json_t *sid = json_object_get(root, "recording_sid");
  struct recording *r = store_find_recording(&sim->store, str_from(json_string_value(sid)));
  if (order_parse_faults(json_object_get(root, "faults"), &faults) != OK) {
    answer_problem(x, 400, "faults: must be a list of at most 16 known faults");
    return;
  }
  if (sid && !r) {
    answer_problem(x, 404, "no such recording");
    return;
  }
  *(r ? &r->faults : &sim->faults) = faults;
  http_respond(x, 204, NULL, NULL);
}

void control_get_lists(struct sim *sim, struct http_exchange *x, const struct http_match *match) {
  (void)match;
  answer_json(x, 200, json_pack("{sI}", "requests", (json_int_t)sim->lists));
}

void control_get_webhooks(struct sim *sim, struct http_exchange *x, const struct http_match *match) {
  (void)match;
  struct hook_counts counts = hooks_counts(sim->hooks);
  answer_json(x, 200,
              json_pack("{sI, sI, sI, sI}", "sent", (json_int_t)counts.sent, "answered", (json_int_t)counts.answered,
                        "failed", (json_int_t)counts.failed, "pending", (json_int_t)counts.pending));
}

/* Body: {"url"}; null: send no webhooks. */
void control_put_webhooks(struct sim *sim, struct http_exchange *x, const struct http_match *match) {
  (void)match;
  json_t *root CLEANUP(release_json) = parse_body(x);
  const json_t *url = json_object_get(root, "url");
  struct str text = str_from(json_string_value(url));
  bool fits = json_is_null(url) ||
              ((str_starts(text, STR("http://")) || str_starts(text, STR("https://"))) && text.n <= SIM_URL_MAX);
  if (!fits) {
    answer_problem(x, 400, "url: must be an http or https URL, or null");
    return;
  }
  char *copy = text.n > 0 ? str_dup(text) : NULL;
  if (text.n > 0 && !copy) {
    answer_failure(x, ERR_NOMEM);
    return;
  }
  free(sim->webhooks);
  sim->webhooks = copy;
  http_respond(x, 204, NULL, NULL);
}
