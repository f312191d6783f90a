-- Only for PostgreSQL. There each update of a row writes it anew, with an entry in every index, and each statement of a trigger
-- costs as much as a small insert. So what a row's own trigger computes when the row is inserted is set before it is written, and
-- what follows from new rows is done once for all rows of a statement. The values are those of before.

create or replace function recordings_listed_new() returns trigger language plpgsql as $$ begin
  new.listed_at := (
    select coalesce(c.document_id >> 20, t.sort_at, c.sort_at) from calls c
    left join calls t on t.business_id = c.business_id and t.call_sid = c.top_sid
    where c.business_id = new.business_id and c.call_sid = new.call_sid);
  return new;
end $$;
drop trigger recordings_listed_new on recordings;
create trigger recordings_listed_new before insert on recordings for each row
when (new.call_sid is not null and new.status <> 'ready' and new.listed_at is null)
execute function recordings_listed_new();

create function recordings_kept_new() returns trigger language plpgsql as $$ begin
  new.kept_from := coalesce(
    (select c.started_at from calls c where c.business_id = new.business_id and c.call_sid = new.call_sid),
    new.started_at, new.first_seen_at);
  return new;
end $$;
drop trigger recordings_kept_new on recordings;
create trigger recordings_kept_new before insert on recordings for each row
when (new.kept_from is null)
execute function recordings_kept_new();

drop trigger calls_unrecorded_new on calls;
drop function calls_unrecorded_new();
create function calls_unrecorded_new() returns trigger language plpgsql as $$ begin
  if not exists (select 1 from recordings r where r.business_id = new.business_id and r.call_sid = new.call_sid)
    and not exists (select 1 from recordings r where r.business_id = new.business_id and r.call_sid = new.parent_call_sid) then
    new.unrecorded := 1;
  end if;
  return new;
end $$;
create trigger calls_unrecorded_new before insert on calls for each row
execute function calls_unrecorded_new();

create function calls_unrecorded_above() returns trigger language plpgsql as $$ begin
  update calls set unrecorded = null
  where business_id = new.business_id and unrecorded is not null and call_sid in (new.top_sid, new.parent_call_sid)
  and exists (select 1 from recordings r where r.business_id = new.business_id and r.call_sid = new.call_sid);
  return null;
end $$;
create trigger calls_unrecorded_above after insert on calls for each row
when (new.top_sid <> new.call_sid or new.parent_call_sid is not null)
execute function calls_unrecorded_above();

-- What follows from new calls, for all of a statement.
drop trigger calls_listed_new on calls;
drop function calls_listed_new();
drop trigger calls_kept_new on calls;
drop function calls_kept_new();
drop trigger calls_facets_new_top on calls;
drop function calls_facets_new_top();
create function calls_new() returns trigger language plpgsql as $$ begin
  if not exists (select 1 from added) then return null; end if; -- an insert that became an update
  update recordings r set listed_at = coalesce(a.document_id >> 20, t.sort_at, a.sort_at),
    kept_from = coalesce(a.started_at, r.kept_from)
  from added a left join calls t on t.business_id = a.business_id and t.call_sid = a.top_sid
  where r.business_id = a.business_id and r.call_sid = a.call_sid
  and (r.listed_at is distinct from coalesce(a.document_id >> 20, t.sort_at, a.sort_at)
    or r.kept_from is distinct from coalesce(a.started_at, r.kept_from));
  insert into call_facets (business_id, call_sid, top_sid, sort_at, duration_s, address, own_number)
  select a.business_id, a.call_sid, a.top_sid, a.sort_at, coalesce(a.duration_s, -1),
    case when lower(substr(a.to_number, 1, 7)) = 'client:' or lower(substr(a.to_number, 1, 3)) = 'sip'
           and (a.direction = 'inbound' or lower(substr(coalesce(a.from_number, ''), 1, 7)) <> 'client:'
             and lower(substr(coalesce(a.from_number, ''), 1, 3)) <> 'sip') then a.to_number
         when lower(substr(a.from_number, 1, 7)) = 'client:' or a.direction = 'outbound' then a.from_number end,
    case a.direction
      when 'inbound' then a.to_number
      when 'outbound' then case
        when a.from_number ~ '^[+0-9(][-+() .0-9]*$' then a.from_number
        else coalesce((
          select k.from_number from calls k
          where k.business_id = a.business_id and k.parent_call_sid = a.call_sid
            and k.from_number ~ '^[+0-9(][-+() .0-9]*$'
          order by k.call_sid limit 1), a.from_number) end
      end
  from added a where a.top_sid = a.call_sid and a.agent_said is null
  on conflict (business_id, call_sid) do update set top_sid = excluded.top_sid, sort_at = excluded.sort_at, duration_s = excluded.duration_s,
    address = excluded.address, agent = null, own_number = excluded.own_number;
  update call_facets f set agent = f.party from added a
  where f.business_id = a.business_id and f.call_sid = a.call_sid and f.party is not null
  and a.top_sid = a.call_sid and a.agent_said is null;
  return null;
end $$;
create trigger calls_new after insert on calls referencing new table as added for each statement
execute function calls_new();

-- What follows from new recordings, for all of a statement.
drop trigger recordings_count_new on recordings;
create trigger recordings_count_gone after delete on recordings for each row
execute function recordings_count_changed();
drop trigger recordings_recorded_new on recordings;
drop function recordings_recorded_new();
drop trigger recordings_trial_new on recordings;
drop function recordings_trial_new();
drop trigger recordings_recorded_many on recordings;
drop function recordings_recorded_many();
drop trigger recordings_turn_new on recordings;
drop function recordings_turn_new();
create function recordings_new() returns trigger language plpgsql as $$
declare
  mine integer;
begin
  if not exists (select 1 from added) then return null; end if;
  mine := callreel_slot();
  insert into recording_count_slots as c (slot, business_id, status, code, n, bytes, for_good)
  select mine, business_id, status, case when status = 'failed' then coalesce(error_code, '') else '' end as its_code, count(*),
    sum(case when status = 'ready' then coalesce(bytes, 0) else 0 end),
    sum(case when status = 'failed' and for_good <> 0 then 1 else 0 end)
  from added group by business_id, status, its_code order by business_id, status, its_code
  on conflict (business_id, status, code, slot) do update
  set n = c.n + excluded.n, bytes = c.bytes + excluded.bytes, for_good = c.for_good + excluded.for_good;
  insert into recording_total_slots as t (slot, status, code, n, bytes, for_good)
  select mine, status, case when status = 'failed' then coalesce(error_code, '') else '' end as its_code, count(*),
    sum(case when status = 'ready' then coalesce(bytes, 0) else 0 end),
    sum(case when status = 'failed' and for_good <> 0 then 1 else 0 end)
  from added group by status, its_code order by status, its_code
  on conflict (status, code, slot) do update
  set n = t.n + excluded.n, bytes = t.bytes + excluded.bytes, for_good = t.for_good + excluded.for_good;
  update businesses set trial_idle = null
  where trial_idle is not null and business_id in (select business_id from added);
  insert into turns_changed
  select distinct rank, business_id from added where status = 'queued' and lease_until is null;
  update calls set unrecorded = null
  where unrecorded is not null and (business_id, call_sid) in (
    select a.business_id, leg.call_sid from added a cross join lateral (
      select a.call_sid
      union all select top_sid from calls where business_id = a.business_id and call_sid = a.call_sid
      union all select parent_call_sid from calls where business_id = a.business_id and call_sid = a.call_sid
      union all select * from (
        select call_sid from calls where business_id = a.business_id and parent_call_sid = a.call_sid limit 100) children) leg
    where a.call_sid is not null);
  insert into calls_recorded
  select distinct a.business_id, a.call_sid, '' from added a
  where a.call_sid is not null
  and exists (select 1 from calls where business_id = a.business_id and parent_call_sid = a.call_sid limit 1 offset 100)
  and not exists (select 1 from calls_recorded where business_id = a.business_id and call_sid = a.call_sid);
  return null;
end $$;
create trigger recordings_new after insert on recordings referencing new table as added for each statement
execute function recordings_new();

-- A young table has no statistics, and without them an index that begins with business_id is as good to the planner as the one
-- that has the whole key: statements then read all rows of a business, until the server analyzes the table. So an empty table is
-- given the statistics of some rows that are deleted again.
do $$ begin
  if exists (select 1 from calls) or exists (select 1 from recordings) then return; end if;
  alter table calls disable trigger user;
  alter table recordings disable trigger user;
  insert into calls (business_id, call_sid, parent_call_sid, top_sid, status, first_seen_at, sort_at, document_id)
  select 1 + i % 4, 'CA' || i, case when i % 3 = 0 then 'CA' || i - 1 end, 'CA' || i, 'completed', i, i, i from generate_series(1, 400) i;
  insert into recordings (business_id, recording_sid, call_sid, first_seen_at, status, listed_at, kept_from)
  select 1 + i % 4, 'RE' || i, 'CA' || i, i, case when i % 8 = 0 then 'queued' else 'ready' end, i, i from generate_series(1, 400) i;
  insert into call_facets (business_id, call_sid, top_sid, sort_at, duration_s)
  select 1 + i % 4, 'CA' || i, 'CA' || i, i, i from generate_series(1, 400) i;
  insert into call_documents (business_id, call_sid, rowid, digits, names)
  select 1 + i % 4, 'CA' || i, i, '', '' from generate_series(1, 400) i;
  analyze calls;
  analyze recordings;
  analyze call_facets;
  analyze call_documents;
  delete from call_documents;
  delete from call_facets;
  delete from recordings;
  delete from calls;
  alter table recordings enable trigger user;
  alter table calls enable trigger user;
end $$;
