/* plans_allowed.h - steps that walk or sort, and why each may: {what the statement holds, how the step begins, the reason}. */

/* Lists: walked in the order that they are shown in, until the page is full; db_deadline ends what takes too long. */
{"select c.sort_at, c.call_sid from calls c indexed by calls_newest", "SEARCH c USING", "in the list's order, until the page is full"},
{"from call_documents s cross join", "SCAN s VIRTUAL TABLE INDEX 192:M3", "documents that match, newest first, until the page is full"},
{"with m(sid) as (select call_sid from", "SEARCH", "at most FEW_MAX: are_few counted them"},
{"with m(sid) as (select call_sid from", "USE TEMP B-TREE FOR DISTINCT", "at most FEW_MAX: are_few counted them"},
{"with m(sid) as (select call_sid from", "USE TEMP B-TREE FOR ORDER BY", "at most FEW_MAX: are_few counted them"},
{"select count(*) from (select 1 from (select call_sid from", "SEARCH", "stops at FEW_MAX + 1"},
{"min(page.key) as place from json_each(?2) page", "USE TEMP B-TREE", "the rows of one page"},
{"with page(sid) as", "USE TEMP B-TREE FOR DISTINCT", "the rows of one page"},
{"with page(sid) as", "USE TEMP B-TREE FOR ORDER BY", "the legs of one page; the list's deadline covers it"},
{"(select distinct value as sid from json_each(?2)) k", "USE TEMP B-TREE", "the recordings of one page"},
{"from calls k indexed by calls_parent where k.business_id = ?1 and k.parent_call_sid = ?2 order by k.sort_at",
 "USE TEMP B-TREE FOR ORDER BY", "the legs of one call"},

/* Recordings of one call, or under a lease. */
{"with legs(call_sid, kin) as", "USE TEMP B-TREE FOR ORDER BY", "the recordings of one call and its legs"},
{"with own(sid, parent, top) as", "USE TEMP B-TREE FOR ORDER BY", "the recordings of one call and its legs"},
{"from recordings r where business_id = ?1 and call_sid = ?2", "USE TEMP B-TREE FOR ORDER BY", "the recordings of one call"},
{"indexed by recordings_leases where lease_until > ?", "USE TEMP B-TREE FOR ORDER BY", "leases: at most DOWNLOADS_TOTAL"},
{"with recursive live(business_id, n)", "USE TEMP B-TREE FOR GROUP BY", "leases: at most DOWNLOADS_TOTAL"},
{"with recursive live(business_id, n)", "SEARCH live USING AUTOMATIC COVERING INDEX", "leases: at most DOWNLOADS_TOTAL"},
{"with recursive live(business_id, n)", "USE TEMP B-TREE FOR ORDER BY", "businesses that have something queued at that rank"},
{"r indexed by recordings_failed_any", "SEARCH r USING INDEX recordings_failed_any", "failed ones in the order of the key, at most ?4"},
{"where business_id = ?1 and status = ?2 and recording_sid > ?3", "SEARCH r USING INDEX sqlite_autoindex_recordings_1",
 "`verify` walks a business in parts of ?4, on the command line"},

/* Tables that are small by their nature. */
{"from recording_counts", "SCAN recording_counts", "states and codes of each business, not recordings"},
{"from recording_counts", "SEARCH recording_counts USING PRIMARY KEY (business_id=?)", "states and codes of one business"},
{"from recording_counts", "USE TEMP B-TREE", "states and codes"},
{"from nodes", "SCAN nodes", "processes"},
{"from nodes", "USE TEMP B-TREE FOR ORDER BY", "processes"},
{"from sqlite_schema", "SCAN sqlite_schema", "the schema"},
{"from schema_migrations", "SCAN schema_migrations", "scripts"},
{"from sqlite_sequence", "SCAN sqlite_sequence", "tables that count"},
{"call_documents_build", "SCAN call_documents_build", "one row"},
{"from sessions where business_id = ?1", "SEARCH sessions USING", "SESSIONS_PER_BUSINESS_MAX"},
{"from business_numbers where business_id = ?1", "SEARCH business_numbers USING PRIMARY KEY", "numbers of one business"},
{"keys", "SEARCH keys USING INDEX keys_business", "keys of one business, when it is removed"},
{"from keys k where k.business_id = ?1", "SEARCH k USING INDEX keys_business", "keys of one business, on the command line"},
{"delete from links where business_id = ?1", "SEARCH links USING COVERING INDEX links_business", "links that were not used yet"},
{"from retries", "SEARCH retries USING PRIMARY KEY (business_id=?)", "at most one a code"},

/* The first rows, in the order that they are worked off. */
{"select exists (select 1 from call_moves)", "SCAN call_", "each a first row"},
{"from call_documents_gone order by document_id limit ?1", "SCAN call_documents_gone", "the first ?1"},
{"from call_documents_stale order by business_id, call_sid limit ?1", "SCAN call_documents_stale", "the first ?1"},
{"from retries order by turn limit 1", "SCAN retries USING INDEX retries_turn", "the first row"},
{"delete from changes where seq in (select seq from changes order by seq limit ?1)", "SCAN changes", "the first ?1"},
{"indexed by calls_newest_leg where c.business_id = ?1 and (c.sort_at, c.call_sid) < (?2, ?3)",
 "SEARCH c USING INDEX calls_newest_leg", "calls of before, in parts of ?4"},
{"delete from calls where business_id = ?1", "SEARCH calls USING COVERING INDEX", "a purge, in parts of ?2"},
{"delete from recordings where rowid in", "SEARCH recordings USING COVERING INDEX", "a purge, in parts of ?2"},

/* The full-text table finds a rowid, and goes through rowids in order. */
{"call_documents", "SCAN call_documents VIRTUAL TABLE INDEX 0:=", "one rowid"},
{"select rowid from call_documents where rowid >= ?1", "SCAN call_documents VIRTUAL TABLE INDEX 192:><", "the last of a moment"},

/* What every process holds whole, or an operator lists. */
{"from businesses indexed by businesses_stopped", "SCAN businesses USING", "stopped accounts alone"},
{"from businesses where purged_at is null", "SCAN businesses", "all of them are asked for: who may do what, and `business list`"},
{"from keys k", "SCAN k", "all of them are asked for: who may do what, and `key list`"},
