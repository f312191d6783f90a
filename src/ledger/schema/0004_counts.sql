-- How many recordings are in which state, kept by every write of one: who looks after the service asks often, and must not
-- walk through all of them.

create table recording_counts (
  business_id integer not null,
  status      text    not null,
  code        text    not null,            -- of failed ones the error's; else ''
  n           integer not null,
  bytes       integer not null,            -- of ready ones; else 0
  primary key (business_id, status, code)
) without rowid;

insert into recording_counts
select business_id, status, iif(status = 'failed', coalesce(error_code, ''), ''), count(*),
       sum(iif(status = 'ready', coalesce(bytes, 0), 0))
from recordings group by 1, 2, 3;

create trigger recordings_count_new after insert on recordings begin
  insert into recording_counts values (new.business_id, new.status, iif(new.status = 'failed', coalesce(new.error_code, ''), ''),
                                       1, iif(new.status = 'ready', coalesce(new.bytes, 0), 0))
  on conflict do update set n = n + 1, bytes = bytes + excluded.bytes;
end;

create trigger recordings_count_gone after delete on recordings begin
  update recording_counts set n = n - 1, bytes = bytes - iif(old.status = 'ready', coalesce(old.bytes, 0), 0)
  where business_id = old.business_id and status = old.status
    and code = iif(old.status = 'failed', coalesce(old.error_code, ''), '');
end;

create trigger recordings_count_moved after update of status, error_code, bytes on recordings
when old.status <> new.status
  or (new.status = 'failed' and coalesce(old.error_code, '') <> coalesce(new.error_code, ''))
  or (new.status = 'ready' and coalesce(old.bytes, 0) <> coalesce(new.bytes, 0))
begin
  update recording_counts set n = n - 1, bytes = bytes - iif(old.status = 'ready', coalesce(old.bytes, 0), 0)
  where business_id = old.business_id and status = old.status
    and code = iif(old.status = 'failed', coalesce(old.error_code, ''), '');
  insert into recording_counts values (new.business_id, new.status, iif(new.status = 'failed', coalesce(new.error_code, ''), ''),
                                       1, iif(new.status = 'ready', coalesce(new.bytes, 0), 0))
  on conflict do update set n = n + 1, bytes = bytes + excluded.bytes;
end;
