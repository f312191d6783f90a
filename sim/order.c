/* order.c - parses the body of POST /sim/calls: a table with one function for each field. */
#include "order.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "talk.h"

enum { WAIT_MAX_S = 24 * 60 * 60, COUNT_MAX = 100 * 1000 };

struct field {
  const char *name;
  const char *rule; /* the kind that it must be */
  bool (*take)(const json_t *value, struct order *o);
};

static bool read_whole(const json_t *value, int64_t least, int64_t most, int64_t *ret) {
  if (!json_is_integer(value) || json_integer_value(value) < least || json_integer_value(value) > most) return false;
  *ret = json_integer_value(value);
  return true;
}

static bool read_text(const json_t *value, const char **ret) {
  if (!json_is_string(value) || json_string_length(value) < 1 || json_string_length(value) > SIM_TEXT_MAX) return false;
  *ret = json_string_value(value);
  return true;
}

static bool take_seconds(const json_t *value, struct order *o) {
  return read_whole(value, 0, TALK_SECONDS_MAX, &o->seconds);
}

static bool take_channels(const json_t *value, struct order *o) {
  int64_t n;
  if (!read_whole(value, 1, 2, &n)) return false;
  o->channels = (unsigned)n;
  return true;
}

static bool take_legs(const json_t *value, struct order *o) {
  int64_t n;
  if (!read_whole(value, 1, 2, &n)) return false;
  o->legs = (unsigned)n;
  return true;
}

static bool take_direction(const json_t *value, struct order *o) {
  struct str word = str_from(json_string_value(value));
  o->inbound = str_eq(word, STR("inbound"));
  return o->inbound || str_eq(word, STR("outbound"));
}

static bool take_from(const json_t *value, struct order *o) {
  return read_text(value, &o->from);
}

static bool take_to(const json_t *value, struct order *o) {
  return read_text(value, &o->to);
}

static bool take_child_to(const json_t *value, struct order *o) {
  return read_text(value, &o->child_to);
}

static bool take_caller_name(const json_t *value, struct order *o) {
  return read_text(value, &o->caller_name);
}

static bool take_source(const json_t *value, struct order *o) {
  return read_text(value, &o->source);
}

static bool take_status(const json_t *value, struct order *o) {
  o->status = recording_status_find(str_from(json_string_value(value)));
  return o->status;
}

static bool take_call_status(const json_t *value, struct order *o) {
  o->call_status = call_status_find(str_from(json_string_value(value)));
  return o->call_status;
}

static bool take_error_code(const json_t *value, struct order *o) {
  int64_t n;
  if (!read_whole(value, 0, 99999, &n)) return false;
  o->error_code = (int)n;
  return true;
}

static bool take_start_time(const json_t *value, struct order *o) {
  return json_is_string(value) && date_parse_rfc3339(str_from(json_string_value(value)), &o->start_ms) == OK;
}

static bool take_complete_after(const json_t *value, struct order *o) {
  int64_t seconds;
  if (!read_whole(value, 0, WAIT_MAX_S, &seconds)) return false;
  o->complete_after_ms = seconds * 1000;
  return true;
}

static bool take_count(const json_t *value, struct order *o) {
  return read_whole(value, 1, COUNT_MAX, &o->count);
}

static bool take_recording(const json_t *value, struct order *o) {
  o->no_recording = json_is_false(value);
  return json_is_boolean(value);
}

static bool take_booked_on(const json_t *value, struct order *o) {
  struct str word = str_from(json_string_value(value));
  o->on_child = str_eq(word, STR("child"));
  return o->on_child || str_eq(word, STR("parent"));
}

static bool take_faults(const json_t *value, struct order *o) {
  return order_parse_faults(value, &o->faults) == OK;
}

static const struct field FIELDS[] = {
    {"seconds", "a whole number from 0 to 14400", take_seconds},
    {"channels", "1 or 2", take_channels},
    {"legs", "1 or 2", take_legs},
    {"direction", "inbound or outbound", take_direction},
    {"from", "a text of 1 to 200 bytes", take_from},
    {"to", "a text of 1 to 200 bytes", take_to},
    {"child_to", "a text of 1 to 200 bytes", take_child_to},
    {"caller_name", "a text of 1 to 200 bytes", take_caller_name},
    {"source", "a text of 1 to 200 bytes", take_source},
    {"status", "a recording's status", take_status},
    {"call_status", "a call's status", take_call_status},
    {"error_code", "a whole number from 0 to 99999", take_error_code},
    {"start_time", "an RFC 3339 time", take_start_time},
    {"complete_after", "a whole number of seconds, at most a day", take_complete_after},
    {"count", "a whole number from 1 to 100000", take_count},
    {"recording", "true or false", take_recording},
    {"booked_on", "parent or child", take_booked_on},
    {"faults", "a list of at most 16 known faults", take_faults},
};

enum err order_parse_faults(const json_t *list, struct faults *ret_faults) {
  struct faults faults = {.count = 0};
  if (!json_is_array(list)) return ERR_INVALID;
  for (size_t i = 0; i < json_array_size(list); i++)
    TRY(faults_add(&faults, str_from(json_string_value(json_array_get(list, i)))));
  *ret_faults = faults;
  return OK;
}

static enum err order_refuse(const char *name, const char *rule, char *room, size_t size, const char **ret_problem) {
  (void)snprintf(room, size, "%.40s: must be %s", name, rule);
  *ret_problem = room;
  return ERR_INVALID;
}

static const struct field *find_field(const char *name) {
  for (size_t i = 0; i < COUNT_OF(FIELDS); i++)
    if (strcmp(FIELDS[i].name, name) == 0) return &FIELDS[i];
  return NULL;
}

/* Sets the fields that follow from others. */
static void order_complete(struct order *o, int64_t now_ms) {
  bool talked = strcmp(o->call_status, "completed") == 0 || strcmp(o->call_status, "in-progress") == 0;
  if (!talked) {
    o->no_recording = true;
    o->seconds = 0;
  }
  if (!o->from) o->from = o->inbound ? "+15005550100" : "+15005550006";
  if (!o->to) o->to = o->inbound ? "+15005550006" : "+15005550100";
  if (!o->child_to) o->child_to = o->inbound ? "client:agent" : o->to;
  if (!o->source) o->source = o->legs == 2 ? "DialVerb" : o->inbound ? "RecordVerb" : "OutboundAPI";
  if (o->start_ms < 0) o->start_ms = now_ms - o->seconds * 1000;
  if (strcmp(o->status, "absent") == 0 && o->error_code == 0) o->error_code = 16101;
}

enum err order_parse(const json_t *root, int64_t now_ms, char *room, size_t room_size, const char **ret_problem,
                     struct order *ret_order) {
  struct order o = {.seconds = 10, .channels = 1, .legs = 1, .inbound = true, .start_ms = -1, .count = 1};
  o.status = recording_status_find(STR("completed"));
  o.call_status = call_status_find(STR("completed"));
  const char *name;
  json_t *value;
  if (!json_is_object(root)) return order_refuse("the body", "a JSON object", room, room_size, ret_problem);
  json_object_foreach((json_t *)(uintptr_t)root, name, value) {
    const struct field *field = find_field(name);
    if (!field) return order_refuse(name, "left out: there is no such field", room, room_size, ret_problem);
    if (!json_is_null(value) && !field->take(value, &o))
      return order_refuse(name, field->rule, room, room_size, ret_problem);
  }
  if (o.on_child && o.legs != 2)
    return order_refuse("booked_on", "parent where there is one leg", room, room_size, ret_problem);
  order_complete(&o, now_ms);
  *ret_order = o;
  return OK;
}
