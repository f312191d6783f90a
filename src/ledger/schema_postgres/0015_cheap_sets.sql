-- Only for PostgreSQL: new rows cost less. What comes out is the same.

-- Who inserts many calls finds out with the insert which have a recording, and says so (calls_many.c).
drop trigger calls_unrecorded_new on calls;
create trigger calls_unrecorded_new before insert on calls for each row
when (current_setting('callreel.recorded_is_known', true) is distinct from 'on')
execute function calls_unrecorded_new();

-- As the generated column call_facets.party.
create function call_party(address text) returns text language sql immutable as $$
  select nullif(trim(substr(case
    when lower(substr(address, 1, 7)) = 'client:' then substr(address, 8)
    when lower(substr(address, 1, 4)) = 'sip:' and strpos(address, '@') > 5 then substr(address, 5, strpos(address, '@') - 5)
    when lower(substr(address, 1, 5)) = 'sips:' and strpos(address, '@') > 6 then substr(address, 6, strpos(address, '@') - 6)
    end, 1, 200)), '')
$$;

create or replace function calls_new() returns trigger language plpgsql as $$ begin
  if not exists (select 1 from added) then return null; end if; -- an insert that became an update
  update recordings r set listed_at = coalesce(a.document_id >> 20, t.sort_at, a.sort_at),
    kept_from = coalesce(a.started_at, r.kept_from)
  from added a left join calls t on t.business_id = a.business_id and t.call_sid = a.top_sid
  where r.business_id = a.business_id and r.call_sid = a.call_sid
  and (r.listed_at is distinct from coalesce(a.document_id >> 20, t.sort_at, a.sort_at)
    or r.kept_from is distinct from coalesce(a.started_at, r.kept_from));
  insert into call_facets (business_id, call_sid, top_sid, sort_at, duration_s, address, agent, own_number)
  select business_id, call_sid, top_sid, sort_at, duration_s, address, call_party(address), own_number from (
    select a.business_id, a.call_sid, a.top_sid, a.sort_at, coalesce(a.duration_s, -1) as duration_s,
      case when lower(substr(a.to_number, 1, 7)) = 'client:' or lower(substr(a.to_number, 1, 3)) = 'sip'
             and (a.direction = 'inbound' or lower(substr(coalesce(a.from_number, ''), 1, 7)) <> 'client:'
               and lower(substr(coalesce(a.from_number, ''), 1, 3)) <> 'sip') then a.to_number
           when lower(substr(a.from_number, 1, 7)) = 'client:' or a.direction = 'outbound' then a.from_number end as address,
      case a.direction
        when 'inbound' then a.to_number
        when 'outbound' then case
          when a.from_number ~ '^[+0-9(][-+() .0-9]*$' then a.from_number
          else coalesce((
            select k.from_number from calls k
            where k.business_id = a.business_id and k.parent_call_sid = a.call_sid
              and k.from_number ~ '^[+0-9(][-+() .0-9]*$'
            order by k.call_sid limit 1), a.from_number) end
        end as own_number
    from added a where a.top_sid = a.call_sid and a.agent_said is null) made
  on conflict (business_id, call_sid) do update set top_sid = excluded.top_sid, sort_at = excluded.sort_at, duration_s = excluded.duration_s,
    address = excluded.address, agent = excluded.agent, own_number = excluded.own_number;
  return null;
end $$;

-- Calls are looked up only where there are some: most recordings are written before their call.
create or replace function recordings_new() returns trigger language plpgsql as $$
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
  if exists (select 1 from added a join calls c on c.business_id = a.business_id and c.call_sid = a.call_sid) then
    update calls set unrecorded = null
    where unrecorded is not null and (business_id, call_sid) in (
      select c.business_id, leg.call_sid
      from added a join calls c on c.business_id = a.business_id and c.call_sid = a.call_sid
      cross join lateral (values (c.call_sid), (c.top_sid), (c.parent_call_sid)) leg (call_sid));
  end if;
  if exists (select 1 from added a join calls c on c.business_id = a.business_id and c.parent_call_sid = a.call_sid) then
    update calls set unrecorded = null
    where unrecorded is not null and (business_id, call_sid) in (
      select a.business_id, leg.call_sid from added a cross join lateral (
        select call_sid from calls where business_id = a.business_id and parent_call_sid = a.call_sid limit 100) leg);
    insert into calls_recorded
    select distinct a.business_id, a.call_sid, '' from added a
    where a.call_sid is not null
    and exists (select 1 from calls where business_id = a.business_id and parent_call_sid = a.call_sid limit 1 offset 100)
    and not exists (select 1 from calls_recorded where business_id = a.business_id and call_sid = a.call_sid);
  end if;
  return null;
end $$;
