-- What is removed: why and when a recording expired, from when on its retention counts, and the work that is left to do.

alter table recordings add column expired_at integer;     -- null: it has not expired
alter table recordings add column expire_reason text;     -- retention, deleted, call_deleted, erased

-- Its call's start, else its own, else the first webhook. Triggers maintain it, so an earlier release maintains it too.
alter table recordings add column kept_from integer;

-- The legal hold that covers it, as a JSON object for the status object; null: none is known. What decides is the table holds.
alter table recordings add column hold text;

update recordings set kept_from = coalesce(
  (select c.started_at from calls c where c.business_id = recordings.business_id and c.call_sid = recordings.call_sid),
  started_at, first_seen_at);
update recordings set expired_at = coalesce(ready_at, first_seen_at), expire_reason = 'deleted' where status = 'expired';

create index recordings_kept on recordings (business_id, kept_from) where status <> 'expired' and hold is null;
create index recordings_held on recordings (business_id, recording_sid) where hold is not null;

create trigger recordings_kept_new after insert on recordings when new.kept_from is null begin
  update recordings set kept_from = coalesce(
    (select c.started_at from calls c where c.business_id = new.business_id and c.call_sid = new.call_sid),
    new.started_at, new.first_seen_at)
  where rowid = new.rowid;
end;

create trigger recordings_kept_moved after update of started_at, first_seen_at, call_sid on recordings
when new.started_at is not old.started_at or new.first_seen_at <> old.first_seen_at or new.call_sid is not old.call_sid
begin
  update recordings set kept_from = coalesce(
    (select c.started_at from calls c where c.business_id = new.business_id and c.call_sid = new.call_sid),
    new.started_at, new.first_seen_at)
  where rowid = new.rowid;
end;

create trigger calls_kept_new after insert on calls when new.started_at is not null begin
  update recordings set kept_from = new.started_at
  where business_id = new.business_id and call_sid = new.call_sid and +kept_from is not new.started_at;
end;

create trigger calls_kept_moved after update of started_at on calls when new.started_at is not old.started_at begin
  update recordings set kept_from = coalesce(new.started_at, started_at, first_seen_at)
  where business_id = new.business_id and call_sid = new.call_sid;
end;

-- How many days recordings are kept. Null: RETENTION_DAYS; 0: for ever.
alter table businesses add column retention_days integer;
create index businesses_retained on businesses (business_id) where retention_days > 0 and purged_at is null;

-- Work on a recording that is no fill. Any process with a worker does it, under a lease, as a fill's.
create table tasks (
  task_id       integer primary key,
  kind          text    not null,            -- remove: its files; remove_at_provider: the provider's copy
  business_id   integer not null,
  recording_sid text    not null,
  rank          integer not null,            -- 0 a person asked, 2 the rest
  due_at        integer not null,            -- 0: may be claimed; else it becomes 0 then
  again_at      integer not null default 0,  -- remove: the files are looked for again then, since a fill may have been running
  lease_owner   text,
  lease_token   integer not null default 0,  -- grows with every claim
  lease_until   integer,
  attempts      integer not null default 0,
  error         text,                        -- of the last attempt
  created_at    integer not null,
  unique (kind, business_id, recording_sid)
);

create index tasks_first on tasks (kind, rank, business_id, task_id) where due_at = 0 and lease_until is null;
create index tasks_later on tasks (due_at) where due_at > 0 and lease_until is null;
create index tasks_leases on tasks (lease_until) where lease_until is not null;
create index tasks_leased on tasks (kind, business_id) where lease_until is not null;
create index tasks_business on tasks (business_id);

-- Legal holds. key: a recording's SID, a call's SID, or a telephone number in E.164.
create table holds (
  hold_id     integer primary key autoincrement,
  business_id integer not null,
  key         text    not null,
  reason      text    not null,
  set_by      text    not null,
  set_at      integer not null,
  is_removed  integer not null default 0,    -- 1: it holds nothing, and is deleted once nothing shows it
  marked      integer not null default 0,    -- 0: what it covers has yet to show it, or to show it no more: ...
  mark_step   integer not null default 0,    -- ... 0: calls from the number, 1: calls to it
  mark_after  text    not null default '',   -- ... the calls behind this one
  unique (business_id, key)
);

create index holds_unmarked on holds (hold_id) where marked = 0;
create index calls_from_number on calls (business_id, from_number) where from_number is not null;
create index calls_to_number on calls (business_id, to_number) where to_number is not null;
