/* range.c - ranges and preconditions of a request (RFC 9110 13.2.2 and 14.2).
 *
 *   If-Match -> If-Unmodified-Since -> If-None-Match -> If-Modified-Since -> If-Range -> Range
 *
 * Invariants
 *  (1) A malformed condition is false for If-Match and If-Range, which is the safe side, and ignored elsewhere.
 *  (2) Numbers above INT64_MAX count as INT64_MAX: no file is that long, so the answer is the same. */
#include "http/range.h"

#include "base/clock.h"

struct entity_tag {
  bool weak;
  struct str opaque; /* with its quotes */
};

/* Parses the next tag of a list and sets *rest to what follows it. False at the end or if it is malformed. */
static bool next_tag(struct str *rest, struct entity_tag *ret_tag) {
  struct str s = *rest;
  while (s.n > 0 && (s.p[0] == ' ' || s.p[0] == '\t' || s.p[0] == ',')) s = str_skip(s, 1);
  bool weak = str_starts(s, STR("W/"));
  if (weak) s = str_skip(s, 2);
  if (s.n < 2 || s.p[0] != '"') return false;
  size_t end = str_index(s, '"', 1);
  if (end == s.n) return false;
  *ret_tag = (struct entity_tag){weak, str_head(s, end + 1)};
  *rest = str_trim(str_skip(s, end + 1));
  return rest->n == 0 || rest->p[0] == ',';
}

/* True if a header with that name lists etag or is "*". */
static bool tag_listed(const struct http_request *r, struct str name, struct str etag, bool weak_counts) {
  for (size_t i = 0; i < r->header_count; i++) {
    if (!str_eq_nocase(r->headers[i].name, name)) continue;
    struct str rest = r->headers[i].value;
    if (str_eq(rest, STR("*"))) return true;
    struct entity_tag tag;
    while (next_tag(&rest, &tag))
      if (etag.n > 0 && (weak_counts || !tag.weak) && str_eq(tag.opaque, etag)) return true;
  }
  return false;
}

/* The date of a field, in seconds. False unless the field is present once and well-formed. */
static bool parse_date_field(const struct http_request *r, struct str name, int64_t *ret_s) {
  int64_t ms;
  if (http_header_count(r, name) != 1 || date_parse_http(http_header_get(r, name), &ms) != OK) return false;
  *ret_s = ms / 1000;
  return true;
}

/* RFC 9110 13.1.5: strong comparison, dates exactly. */
static bool if_range_matches(const struct http_request *r, const struct http_representation *have) {
  size_t count = http_header_count(r, STR("If-Range"));
  if (count == 0) return true;
  struct str value = http_header_get(r, STR("If-Range"));
  if (count > 1) return false;
  if (str_starts(value, STR("\"")) || str_starts(value, STR("W/")))
    return have->etag.n > 0 && str_eq(value, have->etag);
  int64_t s;
  return have->modified_s >= 0 && parse_date_field(r, STR("If-Range"), &s) && s == have->modified_s;
}

static bool parse_position(struct str s, int64_t *ret_n) {
  int64_t n = 0;
  if (s.n == 0) return false;
  for (size_t i = 0; i < s.n; i++) {
    if (s.p[i] < '0' || s.p[i] > '9') return false;
    if (__builtin_mul_overflow(n, 10, &n) || __builtin_add_overflow(n, s.p[i] - '0', &n)) {
      for (; i < s.n; i++)
        if (s.p[i] < '0' || s.p[i] > '9') return false;
      n = INT64_MAX;
    }
  }
  *ret_n = n;
  return true;
}

static struct http_range parse_spec(struct str spec) {
  struct http_range none = {.kind = HTTP_RANGE_NONE}, range = none;
  struct str left, right;
  if (!str_cut(spec, '-', &left, &right)) return none;
  if (left.n == 0) {
    range.kind = HTTP_RANGE_SUFFIX;
    return parse_position(right, &range.last) ? range : none;
  }
  if (!parse_position(left, &range.first)) return none;
  range.kind = right.n == 0 ? HTTP_RANGE_FROM : HTTP_RANGE_CLOSED;
  if (right.n == 0) return range;
  return parse_position(right, &range.last) && range.first <= range.last ? range : none;
}

/* The specs of the one Range field, if its unit is bytes. */
static bool find_specs(const struct http_request *r, struct str *ret_specs) {
  struct str unit;
  if (r->method != HTTP_GET || http_header_count(r, STR("Range")) != 1) return false;
  return str_cut(http_header_get(r, STR("Range")), '=', &unit, ret_specs) && str_eq_nocase(unit, STR("bytes"));
}

/* Takes the next spec that is not empty off *rest. False at the end. */
static bool next_spec(struct str *rest, struct str *ret_spec) {
  for (bool more = rest->n > 0; more;) {
    struct str item;
    more = str_cut(*rest, ',', &item, rest);
    if (!more) *rest = STR_NONE;
    *ret_spec = str_trim(item);
    if (ret_spec->n > 0) return true;
  }
  return false;
}

struct http_range http_range_parse(const struct http_request *r) {
  struct http_range none = {.kind = HTTP_RANGE_NONE};
  struct str rest, spec, second;
  if (!find_specs(r, &rest) || !next_spec(&rest, &spec) || next_spec(&rest, &second)) return none;
  return parse_spec(spec);
}

struct http_range http_range_requested(const struct http_request *r, const struct http_representation *have) {
  struct http_range range = http_range_parse(r);
  if (range.kind != HTTP_RANGE_NONE && !if_range_matches(r, have)) range.kind = HTTP_RANGE_NONE;
  return range;
}

static enum http_selection apply_range(const struct http_range *range, int64_t length, int64_t *ret_first,
                                       int64_t *ret_last) {
  int64_t first = range->first, last = length - 1;
  switch (range->kind) {
    case HTTP_RANGE_NONE:
      return HTTP_SELECT_WHOLE;
    case HTTP_RANGE_FROM:
      break;
    case HTTP_RANGE_CLOSED:
      if (range->last < last) last = range->last;
      break;
    case HTTP_RANGE_SUFFIX:
      if (range->last == 0) return HTTP_SELECT_UNSATISFIABLE;
      if (length == 0) return HTTP_SELECT_WHOLE; /* satisfiable, but no Content-Range can say "no bytes" */
      first = range->last < length ? length - range->last : 0;
      break;
  }
  if (first >= length) return HTTP_SELECT_UNSATISFIABLE;
  *ret_first = first;
  *ret_last = last;
  return HTTP_SELECT_PART;
}

/* True if several ranges are requested, all well-formed, and the representation has bytes of none of them. */
static bool several_and_none_there(const struct http_request *r, const struct http_representation *have) {
  struct str rest, spec;
  int64_t first, last;
  size_t count = 0;
  if (!find_specs(r, &rest) || !if_range_matches(r, have)) return false;
  for (; next_spec(&rest, &spec); count++) {
    struct http_range range = parse_spec(spec);
    if (apply_range(&range, have->length, &first, &last) != HTTP_SELECT_UNSATISFIABLE) return false;
  }
  return count > 1;
}

enum http_selection http_select(const struct http_request *r, const struct http_representation *have,
                                int64_t *ret_first, int64_t *ret_last) {
  int64_t s;
  if (http_header_count(r, STR("If-Match")) > 0) {
    if (!tag_listed(r, STR("If-Match"), have->etag, false)) return HTTP_SELECT_FAILED;
  } else if (have->modified_s >= 0 && parse_date_field(r, STR("If-Unmodified-Since"), &s) && have->modified_s > s) {
    return HTTP_SELECT_FAILED;
  }
  if (http_header_count(r, STR("If-None-Match")) > 0) {
    if (tag_listed(r, STR("If-None-Match"), have->etag, true)) return HTTP_SELECT_UNCHANGED;
  } else if (have->modified_s >= 0 && parse_date_field(r, STR("If-Modified-Since"), &s) && have->modified_s <= s) {
    return HTTP_SELECT_UNCHANGED;
  }
  if (have->length < 0) return HTTP_SELECT_WHOLE;
  if (several_and_none_there(r, have)) return HTTP_SELECT_UNSATISFIABLE;
  struct http_range range = http_range_requested(r, have);
  return apply_range(&range, have->length, ret_first, ret_last);
}
