-- Indexes for what is asked on the writer's thread and by who looks after the service, so that no question grows with the
-- table.

-- The head of a queue: rows that may be claimed at once by when they were queued, the others by when they may be asked again.
create index recordings_claimable on recordings (rank, business_id, enqueued_at)
where status = 'queued' and lease_until is null and next_ask_at is null;
create index recordings_later on recordings (rank, business_id, next_ask_at)
where status = 'queued' and lease_until is null and next_ask_at is not null;
create index recordings_oldest on recordings (enqueued_at) where status = 'queued';
create index recordings_plays on recordings (wanted_at) where status = 'queued' and rank = 0 and lease_until is null;

-- Failures of one business with one code, and with any; failed_at is in the index, so that what failed earlier than it is
-- asked for is passed over without reading its row.
drop index recordings_failed;
create index recordings_failed on recordings (business_id, error_code, recording_sid, failed_at) where status = 'failed';
create index recordings_failed_any on recordings (business_id, recording_sid, failed_at) where status = 'failed';

create index businesses_stopped on businesses (auth_trial_at) where auth_failed_at is not null and removed_at is null;

-- How many of the failures of a code are for good.
alter table recording_counts add column for_good integer not null default 0;
update recording_counts set for_good = (
  select count(*) from recordings r
  where r.business_id = recording_counts.business_id and r.status = 'failed' and r.for_good
    and coalesce(r.error_code, '') = recording_counts.code)
where status = 'failed';

drop trigger recordings_count_new;
drop trigger recordings_count_gone;
drop trigger recordings_count_moved;

create trigger recordings_count_new after insert on recordings begin
  insert into recording_counts (business_id, status, code, n, bytes, for_good)
  values (new.business_id, new.status, iif(new.status = 'failed', coalesce(new.error_code, ''), ''), 1,
          iif(new.status = 'ready', coalesce(new.bytes, 0), 0), new.status = 'failed' and new.for_good)
  on conflict do update set n = n + 1, bytes = bytes + excluded.bytes, for_good = for_good + excluded.for_good;
end;

create trigger recordings_count_gone after delete on recordings begin
  update recording_counts set n = n - 1, bytes = bytes - iif(old.status = 'ready', coalesce(old.bytes, 0), 0),
    for_good = for_good - (old.status = 'failed' and old.for_good)
  where business_id = old.business_id and status = old.status
    and code = iif(old.status = 'failed', coalesce(old.error_code, ''), '');
end;

create trigger recordings_count_moved after update of status, error_code, bytes, for_good on recordings
when old.status <> new.status
  or (new.status = 'failed' and coalesce(old.error_code, '') <> coalesce(new.error_code, ''))
  or (new.status = 'failed' and old.for_good <> new.for_good)
  or (new.status = 'ready' and coalesce(old.bytes, 0) <> coalesce(new.bytes, 0))
begin
  update recording_counts set n = n - 1, bytes = bytes - iif(old.status = 'ready', coalesce(old.bytes, 0), 0),
    for_good = for_good - (old.status = 'failed' and old.for_good)
  where business_id = old.business_id and status = old.status
    and code = iif(old.status = 'failed', coalesce(old.error_code, ''), '');
  insert into recording_counts (business_id, status, code, n, bytes, for_good)
  values (new.business_id, new.status, iif(new.status = 'failed', coalesce(new.error_code, ''), ''), 1,
          iif(new.status = 'ready', coalesce(new.bytes, 0), 0), new.status = 'failed' and new.for_good)
  on conflict do update set n = n + 1, bytes = bytes + excluded.bytes, for_good = for_good + excluded.for_good;
end;
