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

static void an_owner_name_is_parsed_as_it_was_written(void **state) {
  (void)state;
  struct recording row = {.business_id = 7, .recording_sid = "RE1", .stem = "7/2026/11/CA1.RE1"};
  struct part_owner owner;
  int64_t business_id = 0;
  char sid[SID_SIZE] = "";
  part_owner_of(&row, &owner);
  assert_string_equal(owner.blob.owner, "7.RE1");
  assert_string_equal(owner.blob.stem, "7/2026/11/CA1.RE1");
  assert_true(part_owner_parse(owner.blob.owner, &business_id, sid));
  assert_int_equal(business_id, 7);
  assert_string_equal(sid, "RE1");
  static const char *const none[] = {"", "7", "7.", ".RE1", "x.RE1", "-7.RE1", "99999999999999999999.RE1"};
  for (size_t i = 0; i < COUNT_OF(none); i++)
    if (part_owner_parse(none[i], &business_id, sid)) fail_msg("%s", none[i]);
}

static void the_name_of_an_earlier_release_s_part_is_read(void **state) {
  (void)state;
  static const struct {
    const char *name, *sid;
    int64_t business_id, token;
  } cases[] = {{"7/2026/11/CA1.RE1.42.part", "RE1", 7, 42}, {"70/2026/11/RE2.0.part", "RE2", 70, 0}};
  struct part_old part;
  for (size_t i = 0; i < COUNT_OF(cases); i++) {
    if (!part_parse_old(cases[i].name, &part)) fail_msg("%s", cases[i].name);
    assert_string_equal(part.recording_sid, cases[i].sid);
    assert_int_equal(part.business_id, cases[i].business_id);
    assert_int_equal(part.token, cases[i].token);
  }
  static const char *const none[] = {"",
                                     "7/2026/11/CA1.RE1.mp3",
                                     "7/2026/11/CA1.RE1.part",
                                     "7/2026/11/CA1.RE1.x.part",
                                     "x/2026/11/CA1.RE1.4.part",
                                     "CA1.RE1.4.part",
                                     "7/2026/11/CA1.RE1.4.part.bad",
                                     "7/2026/11/.4.part"};
  for (size_t i = 0; i < COUNT_OF(none); i++)
    if (part_parse_old(none[i], &part)) fail_msg("%s", none[i]);
}

static void a_part_is_needed_while_it_is_written_or_must_be_compared(void **state) {
  (void)state;
  static const struct {
    enum recording_status status;
    const char *etag;
    int64_t lease_until, token;
    bool needed;
  } cases[] = {
      {RECORDING_DOWNLOADING, "", NOW + 1, TOKEN, true},      /* its lease is live */
      {RECORDING_DOWNLOADING, "", NOW - 1, TOKEN, false},     /* no listener got a byte */
      {RECORDING_DOWNLOADING, "", NOW + 1, TOKEN - 1, false}, /* another one holds the lease */
      {RECORDING_DOWNLOADING, "\"v\"", NOW - 1, TOKEN, true}, /* its worker died */
      {RECORDING_QUEUED, "\"v\"", 0, TOKEN, true},
      {RECORDING_QUEUED, "\"v\"", 0, TOKEN - 1, true}, /* the next worker died before it compared */
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
      cmocka_unit_test(an_owner_name_is_parsed_as_it_was_written),
      cmocka_unit_test(the_name_of_an_earlier_release_s_part_is_read),
      cmocka_unit_test(a_part_is_needed_while_it_is_written_or_must_be_compared),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
