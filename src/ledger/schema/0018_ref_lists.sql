-- Lists of the calls of one ref that are filtered by their state, or by having no recording, start from what matches.
create index calls_ref_unrecorded on calls (business_id, ref, sort_at desc, call_sid desc)
where unrecorded = 1 and ref is not null;
create index calls_ref_status on calls (business_id, ref, status, sort_at desc, call_sid desc)
where status <> 'completed' and ref is not null;
