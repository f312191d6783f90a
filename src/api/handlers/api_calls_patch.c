/* api_calls_patch.c - PATCH /api/calls/{call_sid}: the host changes customer_name, ref, agent, tags and metadata.
 *
 *   parse the patch --> write: merge and store --> read the call --> answer it as GET does
 *
 * An empty patch skips the write. */
#include "api/handlers/api_calls_patch.h"

#include <stdlib.h>
#include <string.h>

#include "api/handlers/api_calls.h"
#include "api/handlers/api_handlers.h"
#include "api/handlers/api_json_numbers.h"
#include "api/request/api_answer.h"
#include "api/request/api_audit.h"
#include "api/request/api_db_call.h"
#include "api/request/api_loop.h"
#include "api/request/api_request.h"
#include "api/request/api_security.h"
#include "api/request/problem.h"
#include "base/log.h"
#include "domain/call_view.h"

enum { FIELD_SIZE = 65, DETAIL_MAX = 512, HIDDEN_MAX = 1024 * 1024 /* of a body of at most 64 KiB */ };

/* ---- the patch (pure functions) ---- */

static const char not_text[] = "must be a text or null", too_long[] = "has more than 200 characters",
                  not_tags[] = "must be a list of texts or null", too_many[] = "has more than 20 texts",
                  long_tag[] = "has a text of more than 40 characters",
                  empty_tag[] = "has a text that is empty or holds control characters",
                  not_object[] = "must be an object or null", not_known[] = "can't be set";
_Static_assert(CALL_NAME_MAX == 200 && CALL_TAGS_MAX == 20 && CALL_TAG_MAX == 40, "the sentences above name them");

/* These return what is wrong with the value; NULL: nothing is. */

static const char *patch_read_text(const json_t *value, bool *ret_has, struct str *ret_text) {
  if (!json_is_null(value) && !json_is_string(value)) return not_text;
  struct str text = json_is_null(value) ? STR("") : str_of(json_string_value(value), json_string_length(value));
  if (str_utf8_count(text) > CALL_NAME_MAX) return too_long;
  *ret_has = true;
  *ret_text = text;
  return NULL;
}

static bool holds_control_characters(struct str s) {
  for (size_t i = 0; i < s.n; i++)
    if ((unsigned char)s.p[i] < 0x20 || s.p[i] == 0x7f) return true;
  return false;
}

static bool is_repeated(const json_t *tags, size_t at, struct str tag) {
  for (size_t i = 0; i < at; i++)
    if (str_eq(str_trim(str_from(json_string_value(json_array_get(tags, i)))), tag)) return true;
  return false;
}

static const char *patch_read_tags(const json_t *value, struct call_patch *p) {
  struct buf b CLEANUP(buf_done) = BUF_INIT(CALL_TAGS_SIZE - 1);
  if (!json_is_null(value) && !json_is_array(value)) return not_tags;
  if (json_array_size(value) > CALL_TAGS_MAX) return too_many;
  for (size_t i = 0; i < json_array_size(value); i++) {
    const json_t *item = json_array_get(value, i);
    if (!json_is_string(item)) return not_tags;
    struct str tag = str_trim(str_of(json_string_value(item), json_string_length(item)));
    if (str_utf8_count(tag) > CALL_TAG_MAX) return long_tag;
    if (!tag.n || holds_control_characters(tag)) return empty_tag;
    if (is_repeated(value, i, tag)) continue;
    if (buf_add_char(&b, b.n ? ',' : '[') != OK || buf_add_json(&b, tag) != OK) return too_many;
  }
  if (b.n && buf_add_char(&b, ']') != OK) return too_many;
  if (b.n) memcpy(p->tags, b.p, b.n);
  p->tags[b.n] = '\0';
  p->has_tags = true;
  return NULL;
}

static const char *patch_read_metadata(const json_t *value, struct call_patch *p) {
  if (!json_is_null(value) && !json_is_object(value)) return not_object;
  p->has_metadata = true;
  p->metadata = json_is_object(value) ? value : NULL;
  return NULL;
}

static const char *patch_read_member(struct call_patch *p, struct str key, const json_t *value) {
  if (str_eq(key, STR("customer_name"))) return patch_read_text(value, &p->has_customer_name, &p->customer_name);
  if (str_eq(key, STR("ref"))) return patch_read_text(value, &p->has_ref, &p->ref);
  if (str_eq(key, STR("agent"))) return patch_read_text(value, &p->has_agent, &p->agent);
  if (str_eq(key, STR("tags"))) return patch_read_tags(value, p);
  return str_eq(key, STR("metadata")) ? patch_read_metadata(value, p) : not_known;
}

/* The document with hidden numbers (api_json_numbers.h), in members other than metadata shown. NULL: it is no JSON. */
static json_t *patch_parse(struct str body, size_t flags, json_error_t *ret_error) {
  struct buf hidden CLEANUP(buf_done) = BUF_INIT(HIDDEN_MAX);
  if (json_numbers_hide(body, &hidden) != OK) return NULL;
  json_t *document = json_loadb(hidden.n ? hidden.p : "", hidden.n, flags, ret_error);
  for (void *m = json_object_iter(document); m; m = json_object_iter_next(document, m)) {
    const char *key = json_object_iter_key(m);
    if (strcmp(key, "metadata") == 0 || json_numbers_restore(document, key) == OK) continue;
    json_decref(document);
    return NULL;
  }
  return document;
}

enum err call_patch_read(struct str body, struct call_patch *ret_patch, char *ret_field, size_t size,
                         const char **ret_why) {
  struct call_patch p = {.document = patch_parse(body, JSON_REJECT_DUPLICATES, NULL)};
  void *member = json_object_iter(p.document); /* NULL for anything but an object */
  if (!json_is_object(p.document)) {
    json_decref(p.document);
    ret_field[0] = '\0';
    return ERR_INVALID;
  }
  for (; member; member = json_object_iter_next(p.document, member)) {
    struct str key = str_from(json_object_iter_key(member));
    const char *why = patch_read_member(&p, key, json_object_iter_value(member));
    if (!why) continue;
    *ret_why = why;
    struct str shown = str_head_utf8(key, size - 1);
    memcpy(ret_field, shown.p, shown.n);
    ret_field[shown.n] = '\0';
    json_decref(p.document);
    return ERR_INVALID;
  }
  *ret_patch = p;
  return OK;
}

/* The name of the first member, at any depth, whose text holds U+0000; NULL: none. The parser's limit on nesting bounds the
 * recursion. */
static const char *find_member_with_nul(const char *name, json_t *value) {
  const char *found = NULL;
  if (json_is_string(value)) return memchr(json_string_value(value), '\0', json_string_length(value)) ? name : NULL;
  for (size_t i = 0; !found && i < json_array_size(value); i++)
    found = find_member_with_nul(name, json_array_get(value, i));
  for (void *m = json_object_iter(value); !found && m; m = json_object_iter_next(value, m))
    found = find_member_with_nul(json_object_iter_key(m), json_object_iter_value(m));
  return found;
}

/* Why the parser refuses a text. */
static const char *explain_error(enum json_error_code code) {
  switch (code) {
    case json_error_null_byte_in_key:
      return "A member's name holds U+0000, which can't be stored";
    case json_error_duplicate_key:
      return "A member is there twice";
    case json_error_stack_overflow:
      return "The body is nested too deep";
    case json_error_invalid_utf8:
      return "The body holds bytes that are not UTF-8";
    default:
      return "The body is not JSON";
  }
}

enum err call_patch_explain(struct str body, struct buf *b) {
  json_error_t error = {.position = 0};
  json_t *document = patch_parse(body, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &error);
  const char *name = find_member_with_nul("", document);
  struct str shown = name ? str_head_utf8(str_from(name), FIELD_SIZE - 1) : STR_NONE;
  size_t at = 0;
  enum err e = json_numbers_origin(body, error.position > 0 ? (size_t)error.position : 0, &at);
  if (e == OK && name)
    e = buf_addf(b, "The text of %.*s holds U+0000, which can't be stored.", STR_ARG(shown));
  else if (e == OK && document)
    e = buf_add(b, STR("The body is not a JSON object."));
  else if (e == OK)
    e = buf_addf(b, "%s: see byte %zu.", explain_error(json_error_code(&error)), at);
  json_decref(document);
  return e;
}

void call_patch_done(struct call_patch *p) {
  json_decref(p->document);
  p->document = NULL;
}

/* Applies patch to target (RFC 7396 section 2). The JSON parser's limit on nesting bounds the recursion. */
static enum err patch_merge(json_t *target, const json_t *patch) {
  json_t *whole = (json_t *)patch; /* jansson's iteration takes no const */
  for (void *m = json_object_iter(whole); m; m = json_object_iter_next(whole, m)) {
    const char *key = json_object_iter_key(m);
    json_t *value = json_object_iter_value(m);
    if (json_is_null(value)) {
      (void)json_object_del(target, key); /* the key may be absent */
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
    TRY(patch_merge(below, value));
  }
  return OK;
}

static enum err patch_add_json(const json_t *value, struct buf *b) {
  char *dumped = json_dumps(value, JSON_COMPACT);
  enum err e = dumped ? json_numbers_show(str_from(dumped), b) : ERR_NOMEM;
  free(dumped);
  return e;
}

enum err call_patch_merge(const struct call_patch *p, const char *metadata, struct buf *b) {
  struct buf hidden CLEANUP(buf_done) = BUF_INIT(HIDDEN_MAX);
  TRY(json_numbers_hide(str_from(metadata), &hidden));
  json_t *target = json_loadb(hidden.n ? hidden.p : "", hidden.n, 0, NULL);
  if (!json_is_object(target)) {
    json_decref(target);
    target = json_object();
  }
  if (!target) return ERR_NOMEM;
  enum err e = patch_merge(target, p->metadata);
  if (e == OK) e = patch_add_json(target, b);
  json_decref(target);
  return e;
}

/* ---- the request ---- */

struct edit_request {
  struct db_call db_call;
  struct access_snapshot *access; /* held */
  char call_sid[SID_SIZE];
  struct call_patch patch;
  bool too_big; /* the merged metadata would exceed CALL_METADATA_SIZE */
  struct buf json;
};

/* db_call is the first member. */
static struct edit_request *edit_request_of(struct db_call *c) {
  return (struct edit_request *)(void *)c;
}

static void edit_request_free(struct edit_request *d) {
  db_call_end(&d->db_call);
  access_unref(d->access);
  call_patch_done(&d->patch);
  buf_done(&d->json);
  free(d);
}

static void edit_answer_err(struct edit_request *d, enum err e) {
  if (d->too_big)
    problem_answer_field(d->db_call.x, STR("metadata"));
  else
    problem_answer_err(d->db_call.x, e);
  edit_request_free(d);
}

static enum err edit_merge_metadata(struct db *db, struct edit_request *d, struct buf *b) {
  struct call call;
  if (!d->patch.metadata) return OK;
  TRY(calls_get(db, d->db_call.subject.business_id, str_from(d->call_sid), &call));
  enum err e = call_patch_merge(&d->patch, call.metadata, b);
  d->too_big = e == ERR_TOO_BIG;
  return e;
}

static enum err edit_audit(struct db *db, const struct edit_request *d) {
  const struct call_patch *p = &d->patch;
  const bool has[] = {p->has_customer_name, p->has_ref, p->has_agent, p->has_tags, p->has_metadata};
  static const char *const names[] = {"customer_name", "ref", "agent", "tags", "metadata"};
  struct buf details CLEANUP(buf_done) = BUF_INIT(AUDIT_DETAILS_SIZE);
  TRY(audit_details_fields(&details, names, has, COUNT_OF(has)));
  return db_call_audit(db, &d->db_call, AUDIT_EDIT, str_from(d->call_sid), buf_str(&details));
}

static enum err edit_write_row(struct db *db, struct db_call *c) {
  struct edit_request *d = edit_request_of(c);
  const struct call_patch *p = &d->patch;
  struct buf metadata CLEANUP(buf_done) = BUF_INIT(CALL_METADATA_SIZE - 1);
  TRY(edit_merge_metadata(db, d, &metadata));
  struct str text = buf_str(&metadata);
  struct str tags = str_from(p->tags);
  const struct calls_host host = {.customer_name = p->has_customer_name ? &p->customer_name : NULL,
                                  .ref = p->has_ref ? &p->ref : NULL,
                                  .agent = p->has_agent ? &p->agent : NULL,
                                  .tags = p->has_tags ? &tags : NULL,
                                  .metadata = p->has_metadata ? &text : NULL};
  TRY(calls_set_host(db, c->subject.business_id, str_from(d->call_sid), &host));
  return edit_audit(db, d);
}

static enum err edit_read_json(struct db *db, struct db_call *c) {
  struct edit_request *d = edit_request_of(c);
  return calls_write_one(db, c, d->access, d->call_sid, &d->json);
}

static void edit_on_json(struct db_call *c) {
  struct edit_request *d = edit_request_of(c);
  if (c->result != OK) {
    edit_answer_err(d, c->result);
    return;
  }
  struct http_fields f;
  answer_fields(&f);
  answer_json(c->x, 200, &f, buf_str(&d->json));
  edit_request_free(d);
}

static void edit_begin_read(struct edit_request *d) {
  enum err e = db_call_read(&d->db_call, edit_read_json, edit_on_json);
  if (e != OK) edit_answer_err(d, e);
}

static void edit_log(const struct db_call *c, const char *call_sid) {
  char by[SUBJECT_TEXT_SIZE];
  subject_text(&c->subject, &c->api->url_key, by);
  security_note(METRIC_SECURITY_CALL_EDITED);
  log_info("Call edited", LOG_INT("business", c->subject.business_id), LOG_TEXT("call", call_sid), LOG_TEXT("by", by));
}

static void edit_on_written(struct db_call *c) {
  if (c->result == OK) edit_log(c, edit_request_of(c)->call_sid);
  if (c->result == OK)
    edit_begin_read(edit_request_of(c));
  else
    edit_answer_err(edit_request_of(c), c->result);
}

static void edit_answer_bad_patch(struct http_exchange *x, struct str body, const char *field, const char *why) {
  struct buf detail CLEANUP(buf_done) = BUF_INIT(DETAIL_MAX);
  const char *text;
  enum err e = field[0] ? buf_addf(&detail, "%s %s.", field, why) : call_patch_explain(body, &detail);
  if (e != OK || buf_terminate(&detail, &text) != OK)
    problem_answer_err(x, ERR_NOMEM);
  else
    problem_answer_detail(x, PROBLEM_BAD_REQUEST, text);
}

void api_patch_call(void *arg, struct http_exchange *x) {
  struct api_request *req = arg;
  struct call_patch patch;
  char field[FIELD_SIZE];
  const char *why = "";
  if (!request_id(req, ID_CALL)) return;
  if (call_patch_read(req->request->body, &patch, field, sizeof(field), &why) != OK) {
    edit_answer_bad_patch(x, req->request->body, field, why);
    return;
  }
  struct edit_request *d = calloc(1, sizeof(*d));
  if (!d) {
    call_patch_done(&patch);
    problem_answer_err(x, ERR_NOMEM);
    return;
  }
  db_call_begin(&d->db_call, req);
  d->access = access_ref(req->loop->access);
  d->patch = patch;
  memcpy(d->call_sid, req->id, sizeof(d->call_sid));
  buf_init(&d->json, CALL_VIEW_JSON_MAX);
  if (!patch.has_customer_name && !patch.has_ref && !patch.has_agent && !patch.has_tags && !patch.has_metadata) {
    edit_begin_read(d);
    return;
  }
  enum err e = db_call_write(&d->db_call, METRIC_JOB_EDIT, edit_write_row, edit_on_written);
  if (e != OK) edit_answer_err(d, e);
}
