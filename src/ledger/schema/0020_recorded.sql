-- A call that got a recording, and has more than a hundred children: those behind after_sid are shown with it, and still have
-- calls.unrecorded = 1. The upkeep clears it in parts.
create table calls_recorded (
  business_id integer not null,
  call_sid    text    not null,
  after_sid   text    not null,
  primary key (business_id, call_sid)
) without rowid;

create trigger recordings_recorded_many after insert on recordings when new.call_sid is not null begin
  insert into calls_recorded select new.business_id, new.call_sid, ''
  where exists (select 1 from calls where business_id = new.business_id and parent_call_sid = new.call_sid limit 1 offset 100)
  and not exists (select 1 from calls_recorded where business_id = new.business_id and call_sid = new.call_sid);
end;
