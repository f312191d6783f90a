-- How many recordings of all businesses are in which state: recording_counts has rows for each business. Triggers maintain it, so
-- an earlier release maintains it too.
create table recording_totals (
  status   text    not null,
  code     text    not null,            -- as in recording_counts
  n        integer not null,
  bytes    integer not null,
  for_good integer not null,
  primary key (status, code)
) without rowid;

insert into recording_totals select status, code, sum(n), sum(bytes), sum(for_good) from recording_counts group by 1, 2;

create trigger recording_totals_new after insert on recording_counts begin
  insert into recording_totals values (new.status, new.code, new.n, new.bytes, new.for_good)
  on conflict do update set n = n + excluded.n, bytes = bytes + excluded.bytes, for_good = for_good + excluded.for_good;
end;

create trigger recording_totals_moved after update of n, bytes, for_good on recording_counts begin
  update recording_totals set n = n + new.n - old.n, bytes = bytes + new.bytes - old.bytes,
    for_good = for_good + new.for_good - old.for_good
  where status = new.status and code = new.code;
end;

create trigger recording_totals_gone after delete on recording_counts begin
  update recording_totals set n = n - old.n, bytes = bytes - old.bytes, for_good = for_good - old.for_good
  where status = old.status and code = old.code;
end;
