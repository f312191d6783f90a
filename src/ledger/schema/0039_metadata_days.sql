-- How many days after its start a call is removed with all that is known of it. Null, 0: never.
alter table businesses add column retention_metadata_days integer;
create index businesses_metadata on businesses (business_id) where retention_metadata_days > 0 and purged_at is null;

-- Erasures of kind retention: calls that began until then are removed, the oldest first.
alter table erasures add column until_at integer not null default 0;
alter table erasures add column after_at integer not null default 0; -- calls up to this time and after_sid were left

-- The oldest removal, however many transcripts wait.
create index tasks_removals on tasks (task_id) where kind <> 'transcribe';
