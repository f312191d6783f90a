/* Input: a text. Property: without the number it does not name it any more, is not longer, and valid JSON stays valid. The
 * numbers that it names are those that are looked for one by one. */
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "base/mention.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

#define NUMBER STR("1234567")

static void require(bool holds) {
  if (!holds) abort();
}

static bool is_json(struct str text) {
  json_t *read = json_loadb(text.n ? text.p : "", text.n, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
  bool good = !!read;
  json_decref(read);
  return good;
}

static void check(struct str text, enum mention_kind kind) {
  struct buf b CLEANUP(buf_done) = BUF_INIT(text.n + 1);
  bool found;
  require(mention_erase(text, NUMBER, kind, &b, &found) == OK);
  require(found == mention_is_in(text, NUMBER, kind) && b.n <= text.n);
  require(!mention_is_in(buf_str(&b), NUMBER, kind));
  require(found || str_eq(text, buf_str(&b)));
}

struct names {
  struct str text;
  bool is_ours;
};

static enum err on_number(void *arg, struct str digits) {
  struct names *names = arg;
  require(mention_is_in(names->text, digits, MENTION_PLAIN));
  names->is_ours = names->is_ours || str_eq(digits, NUMBER);
  return OK;
}

static void check_each(struct str text) {
  struct names names = {text, false};
  require(mention_each(text, on_number, &names) == OK);
  require(names.is_ours == mention_is_in(text, NUMBER, MENTION_PLAIN));
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n) {
  struct str text = str_of((const char *)bytes, n);
  if (n > 4096) return 0;
  check(text, MENTION_PLAIN);
  check_each(text);
  if (!is_json(text)) return 0;
  check(text, MENTION_JSON);
  struct buf b CLEANUP(buf_done) = BUF_INIT(n + 1);
  bool found;
  require(mention_erase(text, NUMBER, MENTION_JSON, &b, &found) == OK);
  require(is_json(buf_str(&b)));
  return 0;
}
