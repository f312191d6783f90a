/* ledger_test.c - every database does the same: each function of the ledger, and each of its statements. The last test knows from
 * the others which statements were run. */
#include "ledger_access.h"
#include "ledger_audit.h"
#include "ledger_calls.h"
#include "ledger_erasures.h"
#include "ledger_recordings.h"
#include "ledger_removal.h"
#include "ledger_transcripts.h"
#include "ledger_sets.h"

struct unran {
  int count;
};

static void find_unran(void *arg, const char *sql) {
  /* Of src/db: transactions, and what migrations and checks of SQLite ask. */
  static const char *const of_the_engine[] = {"begin",   "commit", "rollback",    "savepoint",
                                              "release", "pragma", "create table"};
  for (size_t i = 0; i < COUNT_OF(of_the_engine); i++)
    if (strncmp(sql, of_the_engine[i], strlen(of_the_engine[i])) == 0) return;
  const char *other = contract_kind == DB_SQLITE ? DB_FOR_POSTGRES : DB_FOR_SQLITE;
  if (strstr(sql, "schema_migrations") || strncmp(sql, other, strlen(other)) == 0) return;
  if (strncmp(sql, DB_FOR_SQLITE "pragma", strlen(DB_FOR_SQLITE "pragma")) == 0) return;
  for (size_t i = 0; i < ran.count; i++)
    if (ran.texts[i] == sql || strcmp(ran.texts[i], sql) == 0) return;
  print_message("# not run: %s\n", sql);
  ((struct unran *)arg)->count++;
}

static void every_statement_was_run(void **state) {
  (void)state;
  struct unran unran = {0};
  db_texts_each(find_unran, &unran);
  assert_int_equal(unran.count, 0);
}

/* With an argument the suite runs on the server of CALLREEL_TEST_POSTGRES, else on that of DATABASE_URL, or on SQLite. */
int main(int argc, char **argv) {
  (void)argv;
  contract_url = getenv(argc > 1 ? "CALLREEL_TEST_POSTGRES" : "DATABASE_URL");
  if (argc > 1 && !contract_url) {
    puts("1..0 # SKIP CALLREEL_TEST_POSTGRES names no server (script/test postgres starts one)");
    return 0;
  }
  const struct CMUnitTest tests[] = {
      CONTRACT_TEST(a_call_is_written_read_and_replaced),
      CONTRACT_TEST(what_the_host_says_is_kept),
      CONTRACT_TEST(legs_have_one_top_in_any_order),
      CONTRACT_TEST(many_legs_follow_their_top_in_parts),
      CONTRACT_TEST(upkeep_catches_up),
      CONTRACT_TEST(parent_and_child_at_once_make_the_tree),
      CONTRACT_TEST(lists_are_filtered_sorted_and_paged),
      CONTRACT_TEST(searches_find_numbers_names_and_sids),
      CONTRACT_TEST(documents_are_divided_into_blocks),
      CONTRACT_TEST(lists_are_counted),
      CONTRACT_TEST(a_pages_rows_are_read),
      CONTRACT_TEST(a_recording_is_stored_by_compare_and_set),
      CONTRACT_TEST(an_id_names_the_best_recording_of_its_call),
      CONTRACT_TEST(counts_follow_every_write),
      CONTRACT_TEST(failed_recordings_are_listed_in_parts),
      CONTRACT_TEST(claims_go_by_rank_then_businesses_take_turns),
      CONTRACT_TEST(limits_hold_over_all),
      CONTRACT_TEST(limits_hold_over_processes),
      CONTRACT_TEST(later_asks_become_due),
      CONTRACT_TEST(upkeep_of_the_queue_finds_what_is_due),
      CONTRACT_TEST(an_account_stops_is_tried_and_goes_on),
      CONTRACT_TEST(retries_take_turns),
      CONTRACT_TEST(peaks_go_with_their_recording),
      CONTRACT_TEST(notes_are_kept_in_their_order),
      CONTRACT_TEST(notes_of_one_moment_are_in_the_order_in_which_they_were_made),
      CONTRACT_TEST(retention_counts_from_the_calls_start),
      CONTRACT_TEST(what_is_due_is_listed_in_parts_and_counted),
      CONTRACT_TEST(businesses_with_a_retention_are_found),
      CONTRACT_TEST(tasks_go_by_rank_then_businesses_take_turns),
      CONTRACT_TEST(many_requests_of_people_do_not_stop_the_rest_of_others),
      CONTRACT_TEST(a_task_ends_or_is_tried_again_by_its_holder),
      CONTRACT_TEST(a_paused_business_lets_the_others_go_first),
      CONTRACT_TEST(notes_of_a_removed_recording_go_in_parts),
      CONTRACT_TEST(a_transcript_is_asked_for_made_and_made_anew),
      CONTRACT_TEST(a_transcript_moves_only_where_it_may),
      CONTRACT_TEST(corrections_are_versions_that_stay_readable),
      CONTRACT_TEST(words_of_a_transcript_are_found_where_they_are),
      CONTRACT_TEST(a_search_of_calls_finds_words_of_transcripts),
      CONTRACT_TEST(a_business_says_what_is_transcribed),
      CONTRACT_TEST(a_transcript_goes_with_its_recording),
      CONTRACT_TEST(answers_of_engines_are_walked_and_deleted),
      CONTRACT_TEST(a_version_is_replaced_and_older_ones_are_deleted),
      CONTRACT_TEST(an_engines_place_is_for_one_at_a_time),
      CONTRACT_TEST(what_engines_did_is_summed_by_day),
      CONTRACT_TEST(held_recordings_are_read_by_their_sid),
      CONTRACT_TEST(a_hold_covers_a_recording_a_call_or_a_number),
      CONTRACT_TEST(what_a_hold_covered_stays_covered_until_it_is_removed),
      CONTRACT_TEST(a_hold_that_is_set_again_keeps_nothing_of_before),
      CONTRACT_TEST(what_very_many_holds_cover_stays_as_it_is),
      CONTRACT_TEST(legs_that_have_yet_to_follow_their_top_leg_stay_covered),
      CONTRACT_TEST(a_removed_hold_is_shown_nowhere),
      CONTRACT_TEST(a_hold_on_a_number_covers_calls_from_and_to_it),
      CONTRACT_TEST(erasures_are_served_in_turn_and_forget_their_key),
      CONTRACT_TEST(what_leaves_the_index_of_the_search_is_to_be_forgotten),
      CONTRACT_TEST(a_hold_on_a_number_covers_addresses_that_name_it),
      CONTRACT_TEST(what_may_name_a_number_is_walked),
      CONTRACT_TEST(names_that_people_chose_are_changed),
      CONTRACT_TEST(old_calls_are_found_in_their_order),
      CONTRACT_TEST(too_many_erasures_are_busy),
      CONTRACT_TEST(a_call_that_is_being_removed_is_too_late_to_hold),
      CONTRACT_TEST(a_numbers_calls_are_found_with_and_without_its_plus),
      CONTRACT_TEST(a_removed_call_leaves_its_sids_and_nothing_else),
      CONTRACT_TEST(a_removed_call_says_why_unless_it_is_there),
      CONTRACT_TEST(holds_are_listed_and_cover_whole_calls),
      CONTRACT_TEST(a_call_has_expired_when_all_its_recordings_have),
      CONTRACT_TEST(a_business_knows_its_own_numbers),
      CONTRACT_TEST(a_business_is_added_changed_removed_and_purged),
      CONTRACT_TEST(the_last_webhook_is_the_newest),
      CONTRACT_TEST(keys_are_made_used_and_revoked),
      CONTRACT_TEST(sessions_and_links_open_until_they_end),
      CONTRACT_TEST(a_credential_has_a_maximum_of_sessions),
      CONTRACT_TEST(what_a_key_made_ends_no_later_than_the_key),
      CONTRACT_TEST(signed_urls_are_in_force_until_they_end),
      CONTRACT_TEST(a_setting_has_one_winner),
      CONTRACT_TEST(processes_come_and_go),
      CONTRACT_TEST(the_audit_is_a_chain_that_is_cut_at_its_old_end),
      CONTRACT_TEST(the_audit_is_found_by_summaries),
      CONTRACT_TEST(changes_are_numbered_and_read_in_order),
      CONTRACT_TEST(a_follower_hears_what_is_committed_after_it_began),
      CONTRACT_TEST(sets_of_rows_are_written_and_read),
      CONTRACT_TEST(recordings_of_several_calls_are_read_at_once),
      CONTRACT_TEST(transactions_of_other_businesses_run_at_once),
      CONTRACT_TEST(a_server_of_its_own_has_no_standby),
      CONTRACT_TEST(what_may_be_claimed_is_read_at_once),
      cmocka_unit_test(every_statement_was_run),
  };
  lock_init(&ran.lock, "ran", LOCK_RANK_BASE);
  return cmocka_run_group_tests(tests, NULL, NULL);
}
