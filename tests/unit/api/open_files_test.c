#include "../domain/domain_scratch.h"

#include <fcntl.h>
#include <sched.h>

#include "api/media/api_open_files.h"

static struct http_file *a_file(void) {
  struct http_file *file;
  assert_int_equal(http_file_new(open("/dev/null", O_RDONLY | O_CLOEXEC), &file), OK);
  return file;
}

static struct cache_versions *versions;

static int make_versions(void **state) {
  (void)state;
  return cache_versions_new(&versions) == OK ? 0 : -1;
}

static int free_versions(void **state) {
  (void)state;
  versions = cache_versions_free(versions);
  return 0;
}

/* The mark of a recording, or for a call's SID that of all calls of its business. */
static struct cache_mark mark_of(int64_t business, const char *id) {
  if (id[0] == 'R') return cache_mark(versions, CACHE_RECORDING, business, str_from(id));
  return cache_mark(versions, CACHE_CALL, business, STR_NONE);
}

static void put(struct open_files *s, int64_t business, const char *sid, const char *id) {
  struct recording row;
  memset(&row, 0, sizeof(row));
  row.business_id = business;
  row.bytes = 4000;
  row.modified_at = 5999;
  (void)snprintf(row.recording_sid, sizeof(row.recording_sid), "%s", sid);
  struct http_file *file = a_file();
  assert_int_equal(open_files_put(s, &row, str_from(id), mark_of(business, id), file), OK);
  http_file_unref(file);
}

static const char *sid_at(struct open_files *s, int64_t business, const char *id) {
  const struct open_file *item = open_files_find(s, business, str_from(id));
  return item ? item->recording_sid : "";
}

static void an_item_is_found_under_its_business_and_id_only(void **state) {
  (void)state;
  struct open_files *s;
  assert_int_equal(open_files_new(10, &s), OK);
  put(s, 1, "RE1", "RE1");
  put(s, 1, "RE1", "CA1");
  put(s, 2, "RE1", "RE1");
  assert_string_equal(sid_at(s, 1, "RE1"), "RE1");
  assert_string_equal(sid_at(s, 1, "CA1"), "RE1");
  assert_string_equal(sid_at(s, 2, "CA1"), "");
  assert_string_equal(sid_at(s, 3, "RE1"), "");
  const struct open_file *item = open_files_find(s, 1, STR("CA1"));
  assert_true(item->by_call && item->bytes == 4000 && item->modified_s == 5);
  assert_false(open_files_find(s, 1, STR("RE1"))->by_call);
  open_files_free(s);
}

static void the_longest_unused_goes_first(void **state) {
  (void)state;
  struct open_files *s;
  assert_int_equal(open_files_new(3, &s), OK);
  put(s, 1, "RE1", "RE1");
  put(s, 1, "RE2", "RE2");
  put(s, 1, "RE3", "RE3");
  assert_string_equal(sid_at(s, 1, "RE1"), "RE1");
  put(s, 1, "RE3", "RE3"); /* again: replaces itself */
  put(s, 1, "RE4", "RE4");
  assert_string_equal(sid_at(s, 1, "RE2"), "");
  assert_string_equal(sid_at(s, 1, "RE1"), "RE1");
  assert_string_equal(sid_at(s, 1, "RE3"), "RE3");
  assert_string_equal(sid_at(s, 1, "RE4"), "RE4");
  open_files_free(s);
}

static void an_item_is_found_while_its_mark_holds(void **state) {
  (void)state;
  static const struct {
    enum cache_kind kind;
    int64_t business;
    const char *id, *left; /* of RE1, RE2, CA1 of business 1, then RE1 and CA1 of business 257 */
  } cases[] = {{CACHE_RECORDING, 1, "RE1", "01111"}, {CACHE_RECORDING, 1, "RE9", "11111"},
               {CACHE_CALL, 1, "", "11011"},         {CACHE_RECORDING, 257, "RE1", "11101"},
               {CACHE_CALL, 257, "", "11110"},       {CACHE_CALL, 3, "", "11111"}};
  for (size_t i = 0; i < COUNT_OF(cases); i++) {
    struct open_files *s;
    assert_int_equal(open_files_new(10, &s), OK);
    put(s, 1, "RE1", "RE1");
    put(s, 1, "RE2", "RE2");
    put(s, 1, "RE2", "CA1");
    put(s, 257, "RE1", "RE1");
    put(s, 257, "RE1", "CA1");
    cache_changed(versions, cases[i].kind, cases[i].business, str_from(cases[i].id));
    const char left[] = {sid_at(s, 1, "RE1")[0] ? '1' : '0',   sid_at(s, 1, "RE2")[0] ? '1' : '0',
                         sid_at(s, 1, "CA1")[0] ? '1' : '0',   sid_at(s, 257, "RE1")[0] ? '1' : '0',
                         sid_at(s, 257, "CA1")[0] ? '1' : '0', '\0'};
    assert_string_equal(left, cases[i].left);
    cache_changed_all(versions);
    assert_string_equal(sid_at(s, 257, "RE1"), "");
    open_files_free(s);
  }
}

static void a_sweep_closes_the_files_of_what_changed(void **state) {
  (void)state;
  struct open_files *s;
  struct recording row;
  memset(&row, 0, sizeof(row));
  row.business_id = 1;
  (void)snprintf(row.recording_sid, sizeof(row.recording_sid), "RE1");
  assert_int_equal(open_files_new(10, &s), OK);
  struct http_file *file = a_file();
  int fd = http_file_fd(file);
  assert_int_equal(open_files_put(s, &row, STR("RE1"), mark_of(1, "RE1"), file), OK);
  http_file_unref(file);
  put(s, 1, "RE2", "RE2");
  open_files_sweep(s);
  assert_int_not_equal(fcntl(fd, F_GETFD), -1);
  cache_changed(versions, CACHE_RECORDING, 1, STR("RE1"));
  open_files_sweep(s);
  while (fcntl(fd, F_GETFD) != -1) (void)sched_yield(); /* the closer's thread closes it */
  assert_string_equal(sid_at(s, 1, "RE2"), "RE2");
  open_files_free(s);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(an_item_is_found_under_its_business_and_id_only),
      cmocka_unit_test(the_longest_unused_goes_first),
      cmocka_unit_test(an_item_is_found_while_its_mark_holds),
      cmocka_unit_test(a_sweep_closes_the_files_of_what_changed),
  };
  return cmocka_run_group_tests(tests, make_versions, free_versions);
}
