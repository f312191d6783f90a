/* demo_calls.c - the calls of the demo, in every state. Their numbers are reserved for fiction, so no person has them. */
#include <stdio.h>

#include "base/clock.h"
#include "cmd/demo/demo_parts.h"

#define OUTBOUND .is_outbound = true
#define DUAL .is_dual = true
#define CHILD .has_child = true
#define CALL(customer_, number_, ago_, seconds_, ...) \
  { .customer = (customer_), .number = (number_), .minutes_ago = (ago_), .seconds = (seconds_), ##__VA_ARGS__ }

static const struct demo_call clinic[] = {
    CALL("Maya Rosen", "+15550101", 3, 35, DUAL, CHILD),
    CALL("Daniel Cohen", "+15550102", 12, 62, OUTBOUND, CHILD, .again = 26),
    CALL("Olivia Grant", "+442079460101", 26, 18),
    CALL("נועה לוי", "+15550103", 41, 95, DUAL),
    CALL("Samuel Ortiz", "+15550104", 58, 7, OUTBOUND),
    CALL("Hannah Weiss", "+442079460102", 75, 140, CHILD),
    CALL("Priya Natarajan", "+442079460103", 90, 44, DUAL, .faults = "\"cut:1\""),
    CALL("Tom Becker", "+15550105", 118, 28, .faults = "\"no_length\""),
    CALL("אורי שפירא", "+15550106", 131, 210, OUTBOUND, DUAL, CHILD, .again = 14),
    CALL("Grace O'Neill", "+442079460104", 160, 51, .faults = "\"short:1\""),
    CALL("Yusuf Demir", "+15550107", 0, 33, .faults = "\"not_yet\"", .lasts = true),
    CALL("Ines Carvalho", "+15550108", 8, 12, .faults = "\"500\""),
    CALL("Peter Lindqvist", "+442079460105", 260, 40, .faults = "\"xml\""),
    CALL("תמר בן דוד", "+15550109", 300, 25, .faults = "\"header_only\""),
    CALL("Wei Zhang", "+15550110", 19, 20, .status = "absent"),
    CALL("Laura Fischer", "+442079460106", 31, 0, .call_status = "no-answer", OUTBOUND),
    CALL("Marco Bianchi", "+15550111", 1500, 75, DUAL),
    CALL("Aisha Bello", "+442079460107", 2900, 30, OUTBOUND, .faults = "\"not_yet\""),
    CALL("יעל כהן", "+15550112", 0, 45, .status = "in-progress"),
    CALL("Jonas Keller", "+15550113", 0, 90, .faults = "\"slow:3000\"", .lasts = true),
};

static const struct demo_call garage[] = {
    CALL("רונית אברהם", "+15550151", 5, 48, DUAL),
    CALL("יוסי מזרחי", "+15550152", 17, 22, OUTBOUND),
    CALL("Emma Clarke", "+442079460151", 33, 66, CHILD),
    CALL("אבי פרידמן", "+15550153", 52, 130, DUAL, CHILD),
    CALL("Noah Bennett", "+15550154", 64, 15),
    CALL("שירה גולן", "+15550155", 81, 37, .faults = "\"429:1\""),
    CALL("משה ביטון", "+15550156", 99, 58, OUTBOUND, DUAL),
    CALL("Sofia Almeida", "+442079460152", 125, 9),
    CALL("דנה שטרן", "+15550157", 150, 180, CHILD),
    CALL("Karim Haddad", "+15550158", 177, 27, .faults = "\"no_range\""),
    CALL("איתן רוזנברג", "+15550159", 205, 84, OUTBOUND, .faults = "\"cut:1\""),
    CALL("Lucy Hargreaves", "+442079460153", 240, 31, .faults = "\"xml\""),
    CALL("עומר דיין", "+15550160", 280, 16, .status = "absent"),
    CALL("Victor Petrov", "+15550161", 330, 53, .faults = "\"not_yet\""),
    CALL("מיכל הראל", "+15550162", 390, 0, .call_status = "busy", OUTBOUND),
    CALL("Chloe Dubois", "+442079460154", 450, 0, .call_status = "no-answer"),
    CALL("גיל אורן", "+15550163", 1700, 110, DUAL),
    CALL("Ben Whitaker", "+442079460155", 4300, 42, OUTBOUND),
    CALL("ליאור קפלן", "+15550164", 0, 39, .faults = "\"not_yet\"", .lasts = true),
    CALL("Anna Kowalska", "+15550165", 0, 24, .faults = "\"hang\"", .lasts = true),
};

const struct demo_business demo_businesses[DEMO_BUSINESSES] = {
    {"Harbour Clinic (demo)", "+15550100", clinic, COUNT_OF(clinic)},
    {"מוסך הצפון (demo)", "+15550150", garage, COUNT_OF(garage)},
};

enum err demo_write_again(struct buf *b, const struct demo_call *call, int64_t now_ms) {
  char start[DATE_TEXT_SIZE];
  int64_t ago_s = call->minutes_ago * 60 - call->seconds + call->again; /* both recordings end when the call ends */
  date_format_rfc3339((now_ms / 1000 - ago_s) * 1000, start);
  return buf_addf(b, "{\"seconds\":%d,\"start_time\":\"%s\"}", call->again, start);
}

enum err demo_write_call(struct buf *b, const struct demo_business *business, const struct demo_call *call,
                         int64_t now_ms) {
  char start[DATE_TEXT_SIZE];
  const char *from = call->is_outbound ? business->number : call->number;
  const char *to = call->is_outbound ? call->number : business->number;
  TRY(buf_addf(b, "{\"seconds\":%d,\"channels\":%d,\"legs\":%d,\"direction\":\"%s\",\"from\":\"%s\",\"to\":\"%s\"",
               call->seconds, call->is_dual ? 2 : 1, call->has_child ? 2 : 1,
               call->is_outbound ? "outbound" : "inbound", from, to));
  if (call->minutes_ago) {
    date_format_rfc3339((now_ms / 1000 - call->minutes_ago * 60) * 1000, start);
    TRY(buf_addf(b, ",\"start_time\":\"%s\"", start));
  }
  if (call->call_status) TRY(buf_addf(b, ",\"call_status\":\"%s\"", call->call_status));
  if (call->status) TRY(buf_addf(b, ",\"status\":\"%s\"", call->status));
  if (call->faults) TRY(buf_addf(b, ",\"faults\":[%s]", call->faults));
  return buf_add_char(b, '}');
}
