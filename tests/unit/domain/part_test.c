#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "domain/part.h"
#include "domain/recording.h"

enum { NOW = 1000000, TOKEN = 40 };

static void an_owner_is_read_as_it_is_written(void **state) {
  (void)state;
  struct recording row = {.business_id = 7, .recording_sid = "RE1", .stem = "7/2026/11/CA1.RE1"};
  struct part_owner owner;
  int64_t business_id = 0;
  char sid[SID_SIZE] = "";
  part_owner_of(&row, &owner);
  assert_string_equal(owner.whose.owner, "7.RE1");
  assert_string_equal(owner.whose.stem, "7/2026/11/CA1.RE1");
  assert_true(part_owner_parse(owner.whose.owner, &business_id, sid));
  assert_int_equal(business_id, 7);
  assert_string_equal(sid, "RE1");
  static const char *const none[] = {"", "7", "7.", ".RE1", "x.RE1", "-7.RE1", "99999999999999999999.RE1"};
  for (size_t i = 0; i < COUNT_OF(none); i++)
    if (part_owner_parse(none[i], &business_id, sid)) fail_msg("%s", none[i]);
}

static void a_part_is_needed_while_it_is_written_or_to_be_compared_with(void **state) {
  (void)state;
  static const struct {
    enum recording_status status;
    const char *etag;
    int64_t lease_until, token;
    bool needed;
  } cases[] = {
      {RECORDING_DOWNLOADING, "", NOW + 1, TOKEN, true},      /* its holder lives */
      {RECORDING_DOWNLOADING, "", NOW - 1, TOKEN, false},     /* nobody heard of it */
      {RECORDING_DOWNLOADING, "", NOW + 1, TOKEN - 1, false}, /* another one holds the lease */
      {RECORDING_DOWNLOADING, "\"v\"", NOW - 1, TOKEN, true}, /* its worker died */
      {RECORDING_QUEUED, "\"v\"", 0, TOKEN, true},
      {RECORDING_QUEUED, "\"v\"", 0, TOKEN - 1, true}, /* the next one died before it looked */
      {RECORDING_QUEUED, "\"v\"", 0, TOKEN - BLOB_TOKENS_BACK, false},
      {RECORDING_QUEUED, "", 0, TOKEN, false},
      {RECORDING_FAILED, "\"v\"", 0, TOKEN, false},
      {RECORDING_READY, "\"v\"", 0, TOKEN, false},
  };
  assert_false(part_is_needed(NULL, TOKEN, NOW));
  for (size_t i = 0; i < COUNT_OF(cases); i++) {
    struct recording row = {.status = cases[i].status, .lease_token = TOKEN, .lease_until = cases[i].lease_until};
    (void)snprintf(row.etag, sizeof(row.etag), "%s", cases[i].etag);
    if (part_is_needed(&row, cases[i].token, NOW) != cases[i].needed) fail_msg("case %zu", i);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(an_owner_is_read_as_it_is_written),
      cmocka_unit_test(a_part_is_needed_while_it_is_written_or_to_be_compared_with),
  };
  cmocka_set_message_output(CM_OUTPUT_TAP);
  return cmocka_run_group_tests(tests, NULL, NULL);
}
