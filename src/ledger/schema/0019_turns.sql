-- Whose turn it is to be filled: the head of the queue is the first row of an index. Triggers keep all of it, so an earlier
-- release keeps it too. The constants are RECORDING ranks, QUEUE_TRIAL_STREAK (5) and ACCOUNT_PLAY_TRIAL_MS (10000).

-- How many recordings are under a lease: of a business, and of a rank.
alter table businesses add column fills integer not null default 0;
create table fill_counts (
  rank integer not null primary key,
  n    integer not null
) without rowid;

update businesses set fills = (
  select count(*) from recordings r indexed by recordings_leases
  where r.lease_until is not null and r.business_id = businesses.business_id)
where business_id in (select business_id from recordings indexed by recordings_leases where lease_until is not null);
insert into fill_counts
select k.column1, (select count(*) from recordings r indexed by recordings_leases
                   where r.lease_until is not null and r.rank = k.column1)
from (values (0), (1), (2)) k;

create trigger recordings_fill_new after insert on recordings when new.lease_until is not null begin
  update fill_counts set n = n + 1 where rank = new.rank;
  update businesses set fills = fills + 1 where business_id = new.business_id;
end;
create trigger recordings_fill_begun after update of lease_until on recordings
when old.lease_until is null and new.lease_until is not null begin
  update fill_counts set n = n + 1 where rank = new.rank;
  update businesses set fills = fills + 1 where business_id = new.business_id;
end;
create trigger recordings_fill_ended after update of lease_until on recordings
when old.lease_until is not null and new.lease_until is null begin
  update fill_counts set n = n - 1 where rank = old.rank;
  update businesses set fills = fills - 1 where business_id = old.business_id;
end;
create trigger recordings_fill_ranked after update of rank on recordings
when old.rank <> new.rank and old.lease_until is not null and new.lease_until is not null begin
  update fill_counts set n = n - 1 where rank = old.rank;
  update fill_counts set n = n + 1 where rank = new.rank;
end;
create trigger recordings_fill_gone after delete on recordings when old.lease_until is not null begin
  update fill_counts set n = n - 1 where rank = old.rank;
  update businesses set fills = fills - 1 where business_id = old.business_id;
end;

-- One row for each rank at which a business has something queued.
create table turns (
  rank        integer not null,
  business_id integer not null,
  fills       integer not null, -- of the business
  served_at   integer not null, -- when one was begun last
  due_at      integer,          -- 0: may be claimed; else it becomes 0 then; null: not before a fill of the business ends
  primary key (rank, business_id)
) without rowid;

create index turns_first on turns (rank, fills, served_at, business_id) where due_at = 0;
create index turns_later on turns (due_at);

-- What the rows of turns have to be, but for those that became due.
create view turns_expected as
select rank, business_id, fills, served_at, case when is_blocked then null else max(first_at, account_at) end as due_at,
  first_at, account_at
from (
  select k.rank, b.business_id, b.fills, coalesce(b.last_claim_at, 0) as served_at,
    b.fills > 0 and (b.auth_failed_at is not null or b.error_streak >= 5) as is_blocked,
    case when b.auth_failed_at is null then 0
         when k.rank = 0 then min(coalesce(b.auth_trial_at, 0), coalesce(b.last_claim_at + 10000, 0))
         else coalesce(b.auth_trial_at, 0) end as account_at,
    case when exists (
           select 1 from recordings q indexed by recordings_claimable
           where q.status = 'queued' and q.lease_until is null and q.next_ask_at is null
             and q.rank = k.rank and q.business_id = b.business_id) then 0
         else (
           select min(q.next_ask_at) from recordings q indexed by recordings_later
           where q.status = 'queued' and q.lease_until is null and q.next_ask_at is not null
             and q.rank = k.rank and q.business_id = b.business_id) end as first_at
  from (select 0 as rank union all select 1 union all select 2) k cross join businesses b
  where b.removed_at is null)
where first_at is not null;

-- A row that is inserted here is not kept: the turn of that business and rank is made what it has to be.
create view turns_changed as select 0 as rank, 0 as business_id where 0;
create trigger turns_change instead of insert on turns_changed begin
  insert into turns (rank, business_id, fills, served_at, due_at)
  select rank, business_id, fills, served_at, due_at from turns_expected
  where rank = new.rank and business_id = new.business_id
  on conflict (rank, business_id) do update
  set fills = excluded.fills, served_at = excluded.served_at, due_at = excluded.due_at
  where fills <> excluded.fills or served_at <> excluded.served_at or due_at is not excluded.due_at;
  delete from turns where rank = new.rank and business_id = new.business_id and not exists (
    select 1 from turns_expected e where e.rank = new.rank and e.business_id = new.business_id);
end;

insert into turns (rank, business_id, fills, served_at, due_at)
select rank, business_id, fills, served_at, due_at from turns_expected;

create trigger recordings_turn_new after insert on recordings when new.status = 'queued' and new.lease_until is null begin
  insert into turns_changed values (new.rank, new.business_id);
end;
create trigger recordings_turn_moved after update of status, lease_until, rank, next_ask_at on recordings
when (new.status = 'queued' and new.lease_until is null) <> (old.status = 'queued' and old.lease_until is null)
  or (new.status = 'queued' and new.lease_until is null
      and (new.rank <> old.rank or new.next_ask_at is not old.next_ask_at))
begin
  insert into turns_changed values (old.rank, old.business_id);
  insert into turns_changed select new.rank, new.business_id where new.rank <> old.rank;
end;
create trigger recordings_turn_gone after delete on recordings when old.status = 'queued' and old.lease_until is null begin
  insert into turns_changed values (old.rank, old.business_id);
end;
create trigger businesses_turn after update of fills, last_claim_at, auth_failed_at, auth_trial_at, error_streak, removed_at
on businesses
when new.fills <> old.fills or new.last_claim_at is not old.last_claim_at or new.auth_failed_at is not old.auth_failed_at
  or new.auth_trial_at is not old.auth_trial_at or (new.error_streak >= 5) <> (old.error_streak >= 5)
  or new.removed_at is not old.removed_at
begin
  insert into turns_changed
  select t.rank, t.business_id from turns t where t.rank in (0, 1, 2) and t.business_id = new.business_id;
end;

-- Stopped accounts whose trial is due. 1: it is due, but something is queued that will be the trial, or nothing can be tried.
alter table businesses add column trial_idle integer;
create index businesses_trials on businesses (auth_trial_at)
where auth_failed_at is not null and removed_at is null and trial_idle is null;

create trigger recordings_trial_new after insert on recordings begin
  update businesses set trial_idle = null where business_id = new.business_id and trial_idle is not null;
end;
create trigger recordings_trial_moved after update of status, error_code on recordings
when new.status <> old.status or new.error_code is not old.error_code begin
  update businesses set trial_idle = null where business_id = new.business_id and trial_idle is not null;
end;
create trigger recordings_trial_gone after delete on recordings when old.status = 'queued' begin
  update businesses set trial_idle = null where business_id = old.business_id and trial_idle is not null;
end;
