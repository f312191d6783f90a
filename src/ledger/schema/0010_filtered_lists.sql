-- Lists of calls that are filtered by the state of a recording, or by having none, start from what matches, newest first.
-- Triggers maintain both columns, so an earlier release maintains them too.

-- The top leg's sort_at, as the call's document has it: recordings of one state in the order of the list. Null: the call is
-- not known yet, or the recording has been ready all the time.
alter table recordings add column listed_at integer;

update recordings set listed_at = (
  select coalesce(c.document_id >> 20, t.sort_at, c.sort_at) from calls c
  left join calls t on t.business_id = c.business_id and t.call_sid = c.top_sid
  where c.business_id = recordings.business_id and c.call_sid = recordings.call_sid)
where status <> 'ready' and call_sid is not null;

-- The columns of recordings_not_ready are its first ones. That index stays for the release before, which names it.
create index recordings_state_newest on recordings (business_id, status, listed_at desc) where status <> 'ready';

create trigger recordings_listed_new after insert on recordings when new.call_sid is not null and new.status <> 'ready' begin
  update recordings set listed_at = (
    select coalesce(c.document_id >> 20, t.sort_at, c.sort_at) from calls c
    left join calls t on t.business_id = c.business_id and t.call_sid = c.top_sid
    where c.business_id = new.business_id and c.call_sid = new.call_sid)
  where rowid = new.rowid;
end;

create trigger recordings_listed_moved after update of status, call_sid on recordings
when (new.status <> 'ready' and new.listed_at is null and new.call_sid is not null)
  or (new.call_sid is not old.call_sid and new.listed_at is not null)
begin
  update recordings set listed_at = (
    select coalesce(c.document_id >> 20, t.sort_at, c.sort_at) from calls c
    left join calls t on t.business_id = c.business_id and t.call_sid = c.top_sid
    where c.business_id = new.business_id and c.call_sid = new.call_sid)
  where rowid = new.rowid;
end;

create trigger calls_listed_new after insert on calls begin
  update recordings set listed_at = (
    select coalesce(new.document_id >> 20, t.sort_at, new.sort_at) from (select 1)
    left join calls t on t.business_id = new.business_id and t.call_sid = new.top_sid)
  where business_id = new.business_id and call_sid = new.call_sid;
end;

create trigger calls_listed_moved after update of document_id on calls
when new.document_id is not old.document_id and new.document_id is not null begin
  update recordings set listed_at = new.document_id >> 20
  where business_id = new.business_id and call_sid = new.call_sid and +listed_at is not null;
end;

-- 1: no recording is shown with the call. It stands at some calls that do have one (what is true is looked up for each row of
-- a list), and at all that have none.
alter table calls add column unrecorded integer;

update calls set unrecorded = 1 where not exists (
  select 1 from recordings r where r.business_id = calls.business_id and r.call_sid = calls.call_sid);
update calls set unrecorded = null where unrecorded = 1 and exists (
  select 1 from calls l indexed by calls_legs
  where l.business_id = calls.business_id and l.top_sid = calls.call_sid and l.unrecorded is null);

create index calls_unrecorded on calls (business_id, sort_at desc, call_sid desc)
where unrecorded = 1 and top_sid = call_sid;
create index calls_unrecorded_leg on calls (business_id, sort_at desc, call_sid desc) where unrecorded = 1;

-- A call that gets a recording, its top leg, its parent and its children: of these a hundred, so that a write has a bound.
create trigger recordings_recorded_new after insert on recordings when new.call_sid is not null begin
  update calls set unrecorded = null
  where business_id = new.business_id and +unrecorded is not null and call_sid in (
    select new.call_sid
    union all select top_sid from calls where business_id = new.business_id and call_sid = new.call_sid
    union all select parent_call_sid from calls where business_id = new.business_id and call_sid = new.call_sid
    union all select * from (
      select call_sid from calls where business_id = new.business_id and parent_call_sid = new.call_sid limit 100));
end;

create trigger recordings_recorded_moved after update of call_sid on recordings
when new.call_sid is not old.call_sid begin
  update calls set unrecorded = 1
  where business_id = old.business_id and call_sid in (
    select old.call_sid
    union all select top_sid from calls where business_id = old.business_id and call_sid = old.call_sid
    union all select parent_call_sid from calls where business_id = old.business_id and call_sid = old.call_sid
    union all select call_sid from calls where business_id = old.business_id and parent_call_sid = old.call_sid)
  and not exists (
    select 1 from recordings r where r.business_id = calls.business_id and r.call_sid = calls.call_sid);
  update calls set unrecorded = null
  where business_id = new.business_id and +unrecorded is not null and call_sid in (
    select new.call_sid
    union all select top_sid from calls where business_id = new.business_id and call_sid = new.call_sid
    union all select parent_call_sid from calls where business_id = new.business_id and call_sid = new.call_sid);
end;

create trigger calls_unrecorded_new after insert on calls begin
  update calls set unrecorded = 1
  where business_id = new.business_id and call_sid = new.call_sid and not exists (
    select 1 from recordings r where r.business_id = new.business_id and r.call_sid = new.call_sid)
  and not exists (
    select 1 from recordings r where r.business_id = new.business_id and r.call_sid = new.parent_call_sid);
  update calls set unrecorded = null
  where business_id = new.business_id and +unrecorded is not null and call_sid in (new.top_sid, new.parent_call_sid)
  and exists (select 1 from recordings r where r.business_id = new.business_id and r.call_sid = new.call_sid);
end;

-- The leg itself, and the top leg and the parent that it leaves, may have no recording now; those that it comes to have its.
create trigger calls_unrecorded_moved after update of top_sid, parent_call_sid on calls
when new.top_sid is not old.top_sid or new.parent_call_sid is not old.parent_call_sid begin
  update calls set unrecorded = 1
  where business_id = new.business_id and call_sid in (new.call_sid, old.top_sid, old.parent_call_sid) and not exists (
    select 1 from recordings r where r.business_id = calls.business_id and r.call_sid = calls.call_sid);
  update calls set unrecorded = null
  where business_id = new.business_id and +unrecorded is not null and call_sid in (new.top_sid, new.parent_call_sid)
  and exists (select 1 from recordings r where r.business_id = new.business_id and r.call_sid = new.call_sid);
end;
