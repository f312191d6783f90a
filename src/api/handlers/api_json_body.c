#include "api/handlers/api_json_body.h"

#include <string.h>

#include "api/request/problem.h"

json_t *json_body_read(const struct api_request *req, const char *const *members, size_t count) {
  struct str text = req->request->body;
  json_t *body = json_loadb(text.n ? text.p : "", text.n, JSON_REJECT_DUPLICATES, NULL);
  if (!json_is_object(body)) {
    json_decref(body);
    problem_answer_detail(req->x, PROBLEM_BAD_REQUEST, "The body is not a JSON object.");
    return NULL;
  }
  for (void *m = json_object_iter(body); m; m = json_object_iter_next(body, m)) {
    bool is_known = false;
    for (size_t i = 0; i < count; i++) is_known = is_known || strcmp(json_object_iter_key(m), members[i]) == 0;
    if (is_known) continue;
    problem_answer_field(req->x, str_from(json_object_iter_key(m)));
    json_decref(body);
    return NULL;
  }
  return body;
}

bool json_body_text(const struct api_request *req, const json_t *body, const char *member, size_t max,
                    struct str *ret_text) {
  const json_t *value = json_object_get(body, member);
  struct str text = json_is_string(value) ? str_of(json_string_value(value), json_string_length(value)) : STR_NONE;
  if ((value && !json_is_null(value) && !json_is_string(value)) || text.n > max) {
    problem_answer_field(req->x, str_from(member));
    return false;
  }
  *ret_text = text;
  return true;
}
