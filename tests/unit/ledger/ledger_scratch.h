/* ledger_scratch.h - a migrated catalog for one test. */
#pragma once

#include "../db/db_scratch.h"

#include "ledger_template.h"

#include "ledger/businesses.h"

static const uint8_t scratch_seal_key[SECRET_KEY_SIZE] = "0123456789abcdef0123456789abcdef";

static inline struct db *scratch_ledger(const struct scratch *s) {
  assert_int_equal(ledger_template_write(s->url), OK);
  return scratch_open(s, 0);
}

static inline int64_t scratch_business(struct db *db, const char *name) {
  struct str n = str_from(name);
  struct business_edit edit = {.name = &n};
  int64_t id = 0;
  assert_int_equal(businesses_add(db, scratch_seal_key, 0, &edit, &id), OK);
  return id;
}

#define SCRATCH_TEST(name) cmocka_unit_test_setup_teardown(name, scratch_setup, scratch_teardown)
