#include "base_testing.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/conf.h"

static char directory[] = "/tmp/callreel-conf-XXXXXX";
static char config_path[64], secret_path[64];

static int make_directory(void **state) {
  (void)state;
  if (!mkdtemp(directory)) return -1;
  (void)snprintf(config_path, sizeof(config_path), "%s/config", directory);
  (void)snprintf(secret_path, sizeof(secret_path), "%s/secret", directory);
  return 0;
}

static int remove_directory(void **state) {
  (void)state;
  (void)unlink(config_path);
  (void)unlink(secret_path);
  return rmdir(directory);
}

static void write_file(const char *path, const char *text, mode_t mode) {
  FILE *f = fopen(path, "w");
  assert_non_null(f);
  assert_true(fputs(text, f) >= 0);
  assert_int_equal(fclose(f), 0);
  assert_int_equal(chmod(path, mode), 0);
}

/* Loads a file with this text (NULL: no file) and an environment of at most two settings. problem is "" after success. */
static struct conf load(const char *file, const char *one, const char *two, char problem[4096]) {
  char *environment[] = {(char *)one, (char *)(one ? two : NULL), NULL};
  struct buf said CLEANUP(buf_done) = BUF_INIT(4096);
  struct conf c = {0};
  if (file) write_file(config_path, file, 0644);
  enum err e = conf_load(file ? config_path : NULL, environment, &said, &c);
  assert_int_equal(e, said.n ? ERR_INVALID : OK);
  assert_int_equal(str_copy(problem, 4096, buf_str(&said)), OK);
  return c;
}

static void unset_settings_have_their_defaults(void **state) {
  (void)state;
  char problem[4096];
  struct conf c CLEANUP(conf_done) = load(NULL, NULL, NULL, problem);
  assert_string_equal(problem, "");
  assert_string_equal(c.listen, "127.0.0.1:8080");
  assert_null(c.public_base_url);
  assert_null(c.twilio_auth_token);
  assert_int_equal(c.min_free_bytes, -1);
  assert_int_equal(c.play_wait_s, 10);
  assert_int_equal(c.log_level, 1);
}

static void the_environment_overrides_the_file(void **state) {
  (void)state;
  char problem[4096];
  struct conf c CLEANUP(conf_done) =
      load("# ours\n\n PLAY_WAIT = 20 \r\nLOG_LEVEL=error\nLISTEN=[::1]:0\nDATA_DIR=\nTWILIO_AUTH_TOKEN=a=b,c",
           "PLAY_WAIT=30", "LISTEN=", problem);
  assert_string_equal(problem, "");
  assert_int_equal(c.play_wait_s, 30);
  assert_int_equal(c.log_level, 3);
  assert_string_equal(c.listen, "[::1]:0");
  assert_string_equal(c.data_dir, "./data");
  assert_string_equal(c.twilio_auth_token, "a=b,c");
}

static void bad_values_are_refused_with_their_name_and_why(void **state) {
  (void)state;
  static const struct {
    const char *file, *one, *two, *problem; /* a trailing * matches the rest */
  } rows[] = {
      {NULL, "PLAY_WAIT=55", NULL, "PLAY_WAIT: must be a whole number from 0 to 54"},
      {NULL, "PLAY_WAIT=-1", NULL, "PLAY_WAIT: must be a whole number from 0 to 54"},
      {NULL, "PLAY_WAIT=10s", NULL, "PLAY_WAIT: must be a whole number from 0 to 54"},
      {NULL, "MIN_FREE_BYTES=-1", NULL, "MIN_FREE_BYTES: must be a whole number of at least 0"},
      {NULL, "LOG_LEVEL=INFO", NULL, "LOG_LEVEL: must be one of debug, info, warn, error"},
      {NULL, "LOG_LEVEL=debug|info", NULL, "LOG_LEVEL: must be one of debug, info, warn, error"},
      {NULL, "LISTEN=\xff", NULL, "LISTEN: must be text in UTF-8"},
      {"# x\n\nFOO=1\n", NULL, NULL, "FOO: unknown setting (*"},
      {"LISTEN_FILE=/x\n", NULL, NULL, "LISTEN_FILE: unknown setting (*"},
      {"LISTEN=a\nLISTEN=b\n", NULL, NULL, "LISTEN: given twice (*"},
      {"JWT_SECRET=a\nJWT_SECRET_FILE=b\n", NULL, NULL, "JWT_SECRET: given as JWT_SECRET_FILE too; only one of them"},
      {NULL, "JWT_SECRET=a", "JWT_SECRET_FILE=b", "JWT_SECRET: given as JWT_SECRET_FILE too; only one of them"},
      {NULL, "JWT_SECRET_FILE=/nowhere/at/all", NULL, "JWT_SECRET_FILE: cannot read /nowhere/at/all: No such *"},
      {NULL, "JWT_SECRET_FILE=/tmp", NULL, "JWT_SECRET_FILE: /tmp is not a regular file"},
  };
  for (size_t i = 0; i < COUNT_OF(rows); i++) {
    char problem[4096];
    struct conf c CLEANUP(conf_done) = load(rows[i].file, rows[i].one, rows[i].two, problem);
    struct str expected = str_from(rows[i].problem), got = str_from(problem);
    if (str_ends(expected, STR("*"))) got = str_head(got, --expected.n);
    if (!str_eq(got, expected)) fail_msg("\"%s\" is not \"%s\"", problem, rows[i].problem);
    assert_null(c.listen);
  }
}

static void a_line_without_a_name_is_refused_by_its_number_and_not_shown(void **state) {
  (void)state;
  static const char *const texts[] = {"LISTEN=x\nsecret-token\n", "LISTEN=x\n=secret-token\n",
                                      "LISTEN=x\nsecret-token==\n"};
  for (size_t i = 0; i < COUNT_OF(texts); i++) {
    char problem[4096];
    struct conf c CLEANUP(conf_done) = load(texts[i], NULL, NULL, problem);
    assert_non_null(strstr(problem, "/config line 2: "));
    assert_null(strstr(problem, "secret-token"));
    assert_null(c.listen);
  }
}

static void a_secret_comes_from_its_file_without_the_line_end(void **state) {
  (void)state;
  char problem[4096], setting[128];
  write_file(secret_path, "a secret \r\n", 0600);
  (void)snprintf(setting, sizeof(setting), "TWILIO_AUTH_TOKEN_FILE=%s", secret_path);
  struct conf c CLEANUP(conf_done) = load("TWILIO_AUTH_TOKEN=of the file", setting, NULL, problem);
  assert_string_equal(problem, "");
  assert_string_equal(c.twilio_auth_token, "a secret ");
}

static void a_secret_that_others_can_read_is_refused(void **state) {
  (void)state;
  static const mode_t modes[] = {0640, 0604, 0620, 0644};
  for (size_t i = 0; i < COUNT_OF(modes); i++) {
    char problem[4096], setting[128];
    write_file(secret_path, "a secret", modes[i]);
    (void)snprintf(setting, sizeof(setting), "JWT_SECRET_FILE=%s", secret_path);
    struct conf c CLEANUP(conf_done) = load(NULL, setting, NULL, problem);
    assert_non_null(strstr(problem, "JWT_SECRET_FILE: "));
    assert_non_null(strstr(problem, " can be read by others "));
    assert_null(c.jwt_secret);
  }
}

static void an_empty_or_torn_secret_is_refused(void **state) {
  (void)state;
  static const char *const texts[] = {"", "\n", "\xff\xfe"};
  for (size_t i = 0; i < COUNT_OF(texts); i++) {
    char problem[4096], setting[128];
    write_file(secret_path, texts[i], 0600);
    (void)snprintf(setting, sizeof(setting), "JWT_SECRET_FILE=%s", secret_path);
    struct conf c CLEANUP(conf_done) = load(NULL, setting, NULL, problem);
    assert_non_null(strstr(problem, "JWT_SECRET_FILE: "));
    assert_null(c.jwt_secret);
  }
}

static void a_missing_config_file_is_refused_by_name(void **state) {
  (void)state;
  char *environment[] = {NULL};
  struct buf said CLEANUP(buf_done) = BUF_INIT(4096);
  struct conf c = {0};
  assert_int_equal(conf_load("/nowhere/at/all", environment, &said, &c), ERR_INVALID);
  assert_str(buf_str(&said), STR("--config: cannot read /nowhere/at/all: No such file or directory"));
}

static void the_help_names_every_setting(void **state) {
  (void)state;
  struct buf help CLEANUP(buf_done) = BUF_INIT(64 * 1024);
  assert_int_equal(conf_help(&help), OK);
#define CONF_TEXT(name, ...) assert_true(str_contains(buf_str(&help), STR("  " #name)));
#define CONF_SECRET(name, ...) assert_true(str_contains(buf_str(&help), STR("  " #name ", " #name "_FILE")));
#define CONF_INT(name, ...) assert_true(str_contains(buf_str(&help), STR("  " #name)));
#define CONF_CHOICE(name, ...) assert_true(str_contains(buf_str(&help), STR("  " #name " (")));
#include "base/conf.def"
  assert_true(str_contains(buf_str(&help), STR("  PLAY_WAIT (10), 0 to 54\n")));
  assert_true(str_contains(buf_str(&help), STR("  LOG_LEVEL (info), one of debug|info|warn|error\n")));
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(unset_settings_have_their_defaults),
    cmocka_unit_test(the_environment_overrides_the_file),
    cmocka_unit_test(bad_values_are_refused_with_their_name_and_why),
    cmocka_unit_test(a_line_without_a_name_is_refused_by_its_number_and_not_shown),
    cmocka_unit_test(a_secret_comes_from_its_file_without_the_line_end),
    cmocka_unit_test(a_secret_that_others_can_read_is_refused),
    cmocka_unit_test(an_empty_or_torn_secret_is_refused),
    cmocka_unit_test(a_missing_config_file_is_refused_by_name),
    cmocka_unit_test(the_help_names_every_setting),
};

int main(void) {
  return cmocka_run_group_tests(tests, make_directory, remove_directory);
}
