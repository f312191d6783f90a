/* api_calls_patch.c - editing a call: what the host knows of it.
 *
 *   read --write: merge, store--> look --> the call as GET shows it */
#include "api/handlers/api_calls_patch.h"

#include <stdlib.h>
#include <string.h>

#include "api/handlers/api_calls.h"
#include "api/handlers/api_handlers.h"
#include "api/request/api_answer.h"
#include "api/request/api_db_call.h"
#include "api/request/api_loop.h"
#include "api/request/api_request.h"
#include "api/request/problem.h"
#include "domain/call_view.h"

enum { FIELD_SIZE = 65 };

/* ---- the patch, pure ---- */

/* A text of at most CALL_NAME_SIZE - 1 bytes, or null. */
static bool read_text(const json_t *value, struct str *ret_text) {
  if (json_is_null(value)) {
    *ret_text = STR("");
    return true;
  }
  if (!json_is_string(value) || json_string_length(value) >= CALL_NAME_SIZE) return false;
  *ret_text = str_of(json_string_value(value), json_string_length(value));
  return true;
}

static bool read_member(struct call_patch *p, struct str key, const json_t *value) {
  if (str_eq(key, STR("customer_name"))) return (p->has_customer_name = read_text(value, &p->customer_name));
  if (str_eq(key, STR("ref"))) return (p->has_ref = read_text(value, &p->ref));
  if (!str_eq(key, STR("metadata")) || !(json_is_null(value) || json_is_object(value))) return false;
  p->has_metadata = true;
  p->metadata = json_is_object(value) ? value : NULL;
  return true;
}

enum err call_patch_read(struct str body, struct call_patch *ret_patch, char *ret_field, size_t size) {
  struct call_patch p = {.document = json_loadb(body.n ? body.p : "", body.n, JSON_REJECT_DUPLICATES, NULL)};
  void *member = json_object_iter(p.document); /* of NULL and of what is no object: none */
  if (!json_is_object(p.document)) {
    json_decref(p.document);
    ret_field[0] = '\0';
    return ERR_INVALID;
  }
  for (; member; member = json_object_iter_next(p.document, member)) {
    struct str key = str_from(json_object_iter_key(member));
    if (read_member(&p, key, json_object_iter_value(member))) continue;
    struct str shown = str_head_utf8(key, size - 1);
    memcpy(ret_field, shown.p, shown.n);
    ret_field[shown.n] = '\0';
    json_decref(p.document);
    return ERR_INVALID;
  }
  *ret_patch = p;
  return OK;
}

void call_patch_done(struct call_patch *p) {
  json_decref(p->document);
  p->document = NULL;
}

/* RFC 7396 2. target is changed. The parser's limit on nesting is this recursion's. */
static enum err merge(json_t *target, const json_t *patch) {
  json_t *whole = (json_t *)patch; /* jansson's iteration takes no const */
  for (void *m = json_object_iter(whole); m; m = json_object_iter_next(whole, m)) {
    const char *key = json_object_iter_key(m);
    json_t *value = json_object_iter_value(m);
    if (json_is_null(value)) {
      (void)json_object_del(target, key); /* absent is fine */
      continue;
    }
    if (!json_is_object(value)) {
      if (json_object_set(target, key, value) != 0) return ERR_NOMEM;
      continue;
    }
    json_t *below = json_object_get(target, key);
    if (!json_is_object(below)) {
      if (json_object_set_new(target, key, json_object()) != 0) return ERR_NOMEM;
      below = json_object_get(target, key);
    }
    TRY(merge(below, value));
  }
  return OK;
}

static int add_json(const char *bytes, size_t n, void *arg) {
  struct {
    struct buf *b;
    enum err e;
  } *sink = arg;
  if (sink->e == OK) sink->e = buf_add(sink->b, str_of(bytes, n));
  return sink->e == OK ? 0 : -1;
}

enum err call_patch_merge(const struct call_patch *p, const char *metadata, struct buf *b) {
  struct {
    struct buf *b;
    enum err e;
  } sink = {b, OK};
  json_t *target = json_loads(metadata, 0, NULL);
  if (!json_is_object(target)) {
    json_decref(target);
    target = json_object();
  }
  if (!target) return ERR_NOMEM;
  enum err e = merge(target, p->metadata);
  if (e == OK && json_dump_callback(target, add_json, &sink, JSON_COMPACT) != 0) e = sink.e != OK ? sink.e : ERR_NOMEM;
  json_decref(target);
  return e;
}

/* ---- the request ---- */

struct edit {
  struct db_call db_call;
  struct access_snapshot *access; /* held */
  char call_sid[SID_SIZE];
  struct call_patch patch;
  bool too_big; /* the metadata would be */
  struct buf json;
};

static struct edit *edit_of(struct db_call *e) {
  return (struct edit *)(void *)e;
} /* its first member */

static void edit_free(struct edit *d) {
  db_call_end(&d->db_call);
  access_unref(d->access);
  call_patch_done(&d->patch);
  buf_done(&d->json);
  free(d);
}

static void answer_err(struct edit *d, enum err e) {
  if (d->too_big)
    problem_answer_field(d->db_call.x, STR("metadata"));
  else
    problem_answer_err(d->db_call.x, e);
  edit_free(d);
}

static enum err merge_metadata(struct db *db, struct edit *d, struct buf *b) {
  struct call call;
  if (!d->patch.metadata) return OK;
  TRY(calls_get(db, d->db_call.subject.business_id, str_from(d->call_sid), &call));
  enum err e = call_patch_merge(&d->patch, call.metadata, b);
  d->too_big = e == ERR_TOO_BIG;
  return e;
}

static enum err run_edit(struct db *db, struct db_call *e) {
  struct edit *d = edit_of(e);
  const struct call_patch *p = &d->patch;
  struct buf metadata CLEANUP(buf_done) = BUF_INIT(CALL_METADATA_SIZE - 1);
  TRY(merge_metadata(db, d, &metadata));
  struct str text = buf_str(&metadata);
  return calls_set_host(db, e->subject.business_id, str_from(d->call_sid),
                        p->has_customer_name ? &p->customer_name : NULL, p->has_ref ? &p->ref : NULL,
                        p->has_metadata ? &text : NULL);
}

static enum err run_look(struct db *db, struct db_call *e) {
  struct edit *d = edit_of(e);
  return calls_look_one(db, e, d->access, d->call_sid, &d->json);
}

static void looked(struct db_call *e) {
  struct edit *d = edit_of(e);
  if (e->result != OK) {
    answer_err(d, e->result);
    return;
  }
  struct http_fields f;
  answer_fields(&f);
  answer_json(e->x, 200, &f, buf_str(&d->json));
  edit_free(d);
}

static void look(struct edit *d) {
  enum err e = db_call_read(&d->db_call, run_look, looked);
  if (e != OK) answer_err(d, e);
}

static void written(struct db_call *e) {
  if (e->result == OK)
    look(edit_of(e));
  else
    answer_err(edit_of(e), e->result);
}

static void answer_bad_patch(struct http_exchange *x, const char *field) {
  if (field[0])
    problem_answer_field(x, str_from(field));
  else
    problem_answer_detail(x, PROBLEM_BAD_REQUEST, "The body is not an object in JSON.");
}

void api_patch_call(void *arg, struct http_exchange *x) {
  struct api_request *v = arg;
  struct call_patch patch;
  char field[FIELD_SIZE];
  if (!request_id(v, ID_CALL)) return;
  if (call_patch_read(v->request->body, &patch, field, sizeof(field)) != OK) {
    answer_bad_patch(x, field);
    return;
  }
  struct edit *d = calloc(1, sizeof(*d));
  if (!d) {
    call_patch_done(&patch);
    problem_answer_err(x, ERR_NOMEM);
    return;
  }
  db_call_begin(&d->db_call, v);
  d->access = access_ref(v->loop->access);
  d->patch = patch;
  memcpy(d->call_sid, v->id, sizeof(d->call_sid));
  buf_init(&d->json, CALL_VIEW_JSON_MAX);
  if (!patch.has_customer_name && !patch.has_ref && !patch.has_metadata) {
    look(d);
    return;
  }
  enum err e = db_call_write(&d->db_call, METRIC_JOB_EDIT, run_edit, written);
  if (e != OK) answer_err(d, e);
}
