-- When a file was seen under the recording's name; null: none, or it was checked. A worker checks the file of a queued one without
-- a download's place. An earlier release leaves the column as it is.
alter table recordings add column file_seen_at integer;
create index recordings_file_seen on recordings (business_id, rank, file_seen_at)
where file_seen_at is not null and status = 'queued' and lease_until is null;

-- The lease of a check counts in no limit of downloads. While a recording is leased, file_seen_at stays as it is.
drop trigger recordings_fill_begun;
drop trigger recordings_fill_ended;
drop trigger recordings_fill_ranked;
drop trigger recordings_fill_gone;
create trigger recordings_fill_begun after update of lease_until on recordings
when old.lease_until is null and new.lease_until is not null and new.file_seen_at is null begin
  update fill_counts set n = n + 1 where rank = new.rank;
  update businesses set fills = fills + 1 where business_id = new.business_id;
end;
create trigger recordings_fill_ended after update of lease_until on recordings
when old.lease_until is not null and new.lease_until is null and old.file_seen_at is null begin
  update fill_counts set n = n - 1 where rank = old.rank;
  update businesses set fills = fills - 1 where business_id = old.business_id;
end;
create trigger recordings_fill_ranked after update of rank on recordings
when old.rank <> new.rank and old.lease_until is not null and new.lease_until is not null and old.file_seen_at is null begin
  update fill_counts set n = n - 1 where rank = old.rank;
  update fill_counts set n = n + 1 where rank = new.rank;
end;
create trigger recordings_fill_gone after delete on recordings when old.lease_until is not null and old.file_seen_at is null begin
  update fill_counts set n = n - 1 where rank = old.rank;
  update businesses set fills = fills - 1 where business_id = old.business_id;
end;
