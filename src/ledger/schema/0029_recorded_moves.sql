-- A recording that comes to another call leaves the calls that were shown with it: of the children of its old call a hundred are
-- marked at once, the others by the upkeep (calls_recorded).
drop trigger recordings_recorded_moved;
create trigger recordings_recorded_moved after update of call_sid on recordings
when new.call_sid is not old.call_sid begin
  update calls set unrecorded = 1
  where business_id = old.business_id and +unrecorded is null and call_sid in (
    select old.call_sid
    union all select top_sid from calls where business_id = old.business_id and call_sid = old.call_sid
    union all select parent_call_sid from calls where business_id = old.business_id and call_sid = old.call_sid
    union all select * from (
      select call_sid from calls where business_id = old.business_id and parent_call_sid = old.call_sid limit 100))
  and not exists (
    select 1 from recordings r where r.business_id = calls.business_id and r.call_sid = calls.call_sid);
  update calls set unrecorded = null
  where business_id = new.business_id and +unrecorded is not null and call_sid in (
    select new.call_sid
    union all select top_sid from calls where business_id = new.business_id and call_sid = new.call_sid
    union all select parent_call_sid from calls where business_id = new.business_id and call_sid = new.call_sid);
  insert into calls_recorded select old.business_id, old.call_sid, ''
  where exists (select 1 from calls where business_id = old.business_id and parent_call_sid = old.call_sid limit 1 offset 100)
  and not exists (select 1 from calls_recorded where business_id = old.business_id and call_sid = old.call_sid);
  update calls_recorded set after_sid = '' where business_id = old.business_id and call_sid = old.call_sid;
end;

-- Calls whose recording came before that table.
insert into calls_recorded
select p.business_id, p.parent_call_sid, '' from (
  select business_id, parent_call_sid from calls indexed by calls_parent where parent_call_sid is not null
  group by business_id, parent_call_sid having count(*) > 100) p
where exists (select 1 from recordings r where r.business_id = p.business_id and r.call_sid = p.parent_call_sid)
and not exists (
  select 1 from calls_recorded k where k.business_id = p.business_id and k.call_sid = p.parent_call_sid);
