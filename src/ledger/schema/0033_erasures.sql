-- What a call shows of its hold; erasures, and the calls that were deleted with all that was known of them.
alter table holds add column shown text;     -- {"reason","by","at"}
create index holds_business on holds (business_id, hold_id);

create table erasures (
  erasure_id  integer primary key autoincrement,
  business_id integer not null,
  kind        text    not null,              -- call: a call and its legs; number: all calls from or to it
  key         text,                          -- the top leg's SID, or the number; null once it has ended
  tree_sid    text,                          -- the top leg of the call that is being removed; null: none
  digest      text    not null,              -- of the key, keyed: says whether a number was erased without naming it
  reason      text    not null,              -- as expire_reason
  at_provider integer not null default 0,
  asked_by    text    not null,              -- as actor, role and ip of the audit
  role        text    not null,
  ip          text    not null,
  created_at  integer not null,
  ended_at    integer,                       -- null: it goes on
  calls       integer not null default 0,    -- removed so far
  recordings  integer not null default 0,
  held        integer not null default 0,    -- calls that were left, because a legal hold covers them
  step        integer not null default 0,    -- of a number: as mark_step of holds
  after_sid   text    not null default ''    -- ... calls up to this one were left
);
create index erasures_open on erasures (erasure_id) where ended_at is null;
create index erasures_key on erasures (business_id, key) where ended_at is null;
create index erasures_tree on erasures (business_id, tree_sid) where tree_sid is not null;
create index erasures_ended on erasures (ended_at) where ended_at is not null;

-- Calls that were deleted: no delivery brings them back.
create table removed_calls (
  business_id integer not null,
  call_sid    text    not null,
  removed_at  integer not null,
  primary key (business_id, call_sid)
) without rowid;
