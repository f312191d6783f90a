-- PostgreSQL's form of schema/0039, which says what the columns are for.
alter table businesses add column retention_metadata_days bigint;
create index businesses_metadata on businesses (business_id) where retention_metadata_days > 0 and purged_at is null;

alter table erasures add column until_at bigint not null default 0;
alter table erasures add column after_at bigint not null default 0;

-- The oldest removal, however many transcripts wait.
create index tasks_removals on tasks (task_id) where kind <> 'transcribe';
