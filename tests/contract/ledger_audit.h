/* ledger_audit.h - the audit: chains of entries that are appended, listed, verified and cut. */
#pragma once

#include "ledger_contract.h"

#include "ledger/audit_chain.h"
#include "ledger/audit_cut.h"
#include "ledger/audit_list.h"
#include "ledger/audit_spans.h"

static void count_fault(void *arg, const struct audit_fault *fault) {
  (void)fault;
  ++*(int *)arg;
}

static int audit_faults(struct db *db, int64_t business) {
  struct audit_chain c;
  int faults = 0;
  bool more = true;
  assert_ok(audit_chain_begin(db, scratch_seal_key, business, count_fault, &faults, &c));
  while (more) assert_ok(audit_chain_part(db, &c, &more));
  return faults;
}

static enum err words_add_entry(void *arg, const struct audit_row *row) {
  char text[24];
  (void)snprintf(text, sizeof(text), "%lld", (long long)row->number);
  words_add(arg, text);
  return OK;
}

static void assert_audit(struct db *db, struct audit_filter f, const char *expected) {
  struct words w = {""};
  if (!f.limit) f.limit = 10;
  assert_ok(audit_list(db, 1, &f, words_add_entry, &w));
  assert_string_equal(w.text, expected);
}

static void the_audit_is_a_chain_that_is_cut_at_its_old_end(void **state) {
  struct db *db = ((struct contract *)*state)->db;
  enum { ENTRIES = 6 };
  struct audit_entry all[ENTRIES];
  static const char *const objects[ENTRIES] = {"RE1", "RE2", "RE3", "RE4", "RE5", "RE6"};
  for (int i = 0; i < ENTRIES; i++)
    all[i] = (struct audit_entry){.at = NOW + 1000 * i,
                                  .actor = i % 2 ? STR("user:dana") : STR("key:1"),
                                  .role = STR("agent"),
                                  .action = i < 3 ? AUDIT_PLAY : AUDIT_DOWNLOAD,
                                  .object = str_from(objects[i]),
                                  .details = STR("{\"a\":\"\xd7\x90\"}")};
  IN_TRANSACTION(db, assert_ok(audit_append(db, 1, &all[0])); assert_ok(audit_append_all(db, 1, &all[1], ENTRIES - 1));
                 assert_ok(audit_append(db, 2, &all[0])));
  assert_audit(db, (struct audit_filter){.limit = 2}, "6 5");
  assert_audit(db, (struct audit_filter){.after_number = 3}, "2 1");
  assert_audit(db, (struct audit_filter){.actor = STR("key:1")}, "5 3 1");
  assert_audit(db, (struct audit_filter){.action = STR("download")}, "6 5 4");
  assert_audit(db, (struct audit_filter){.object = STR("RE4"), .actor = STR("user:dana")}, "4");
  assert_audit(db, (struct audit_filter){.since = NOW + 1000, .until = NOW + 3000}, "3 2");
  assert_int_equal(audit_faults(db, 1), 0);
  int64_t count, number, business, after = -1;
  char digest[AUDIT_DIGEST_SIZE];
  bool more = true;
  struct audit_checkpoint checkpoint;
  assert_ok(audit_head(db, 1, &number, digest));
  assert_int_equal(number, ENTRIES);
  char same[AUDIT_DIGEST_SIZE];
  assert_ok(audit_digest_of(db, 1, number, same));
  assert_string_equal(same, digest);
  assert_ok(audit_next_business(db, 1, &business));
  assert_int_equal(business, 2);
  assert_ok(audit_chain_next(db, 1, &business));
  assert_int_equal(business, 2);
  assert_int_equal(audit_chain_next(db, 2, &business), ERR_NOT_FOUND);
  while (more) IN_TRANSACTION(db, assert_ok(audit_cut(db, scratch_seal_key, NOW + 2000, NOW + 9000, &count, &more)));
  assert_audit(db, (struct audit_filter){.limit = 10}, "6 5 4 3");
  assert_ok(audit_checkpoint_read(db, scratch_seal_key, 1, &checkpoint));
  assert_int_equal(checkpoint.number, 2);
  IN_TRANSACTION(db, assert_ok(audit_resign(db, scratch_seal_key, &after, &more)));
  assert_int_equal(audit_faults(db, 1), 0);
  assert_int_equal(audit_faults(db, 2), 0);
}

static void the_audit_is_found_by_summaries(void **state) {
  struct db *db = ((struct contract *)*state)->db;
  static struct audit_entry all[AUDIT_SPAN_ENTRIES];
  static char objects[AUDIT_SPAN_ENTRIES][16];
  struct audit_span_summary s;
  int64_t filed, count, number;
  bool more = true;
  for (int i = 0; i < AUDIT_SPAN_ENTRIES; i++) {
    (void)snprintf(objects[i], sizeof(objects[i]), "RE%d", i + 1);
    all[i] = (struct audit_entry){.at = NOW + i,
                                  .actor = STR("key:1"),
                                  .role = STR("agent"),
                                  .action = AUDIT_PLAY,
                                  .object = str_from(objects[i])};
  }
  for (int i = 0; i < 3; i++)
    IN_TRANSACTION(db, assert_ok(audit_append_all(db, 1, all, i < 2 ? AUDIT_SPAN_ENTRIES : 10)));
  assert_ok(audit_spans_filed(db, 1, &filed));
  assert_int_equal(filed, 2);
  assert_ok(audit_spans_filed(db, 2, &filed));
  assert_int_equal(filed, 0);
  assert_ok(audit_spans_get(db, 1, 1, &s));
  assert_int_equal(s.last_at, NOW + AUDIT_SPAN_ENTRIES - 1);
  assert_int_equal(audit_spans_get(db, 1, 2, &s), ERR_NOT_FOUND);
  assert_audit(db, (struct audit_filter){.object = STR("RE3")}, "515 259 3");
  assert_audit(db, (struct audit_filter){.object = STR("RE30"), .after_number = 286}, "30");
  assert_int_equal(audit_faults(db, 1), 0);
  while (more) IN_TRANSACTION(db, assert_ok(audit_cut(db, scratch_seal_key, NOW + 9000, NOW + 9000, &count, &more)));
  assert_int_equal(audit_spans_get(db, 1, 1, &s), ERR_NOT_FOUND);
  char digest[AUDIT_DIGEST_SIZE];
  assert_ok(audit_head(db, 1, &number, digest));
  assert_int_equal(number, 2 * AUDIT_SPAN_ENTRIES + 10);
}
