-- Calls and recordings. Times are UNIX milliseconds, UTC. A recording's row is its place in the queue.

create table calls (
  business_id        integer not null,
  call_sid           text    not null,
  parent_call_sid    text,                -- as the provider tells it, known here or not
  top_sid            text    not null,    -- the leg without a known parent; itself for a top leg
  account_sid        text,
  provider_direction text,
  direction          text,                -- inbound, outbound
  from_number        text,
  to_number          text,
  caller_name        text,
  status             text,
  duration_s         integer,
  earliest_at        integer,             -- earliest moment the provider spoke of
  started_at         integer,
  ended_at           integer,
  customer_name      text,                -- what the host knows
  ref                text,
  metadata           text,                -- a JSON object
  fields             text    not null default '{}', -- every field with the rank of who told it
  first_seen_at      integer not null,
  sort_at            integer not null,    -- started_at, else first_seen_at
  primary key (business_id, call_sid)
) without rowid;

create index calls_newest on calls (business_id, sort_at desc, call_sid desc) where top_sid = call_sid;
create index calls_newest_leg on calls (business_id, sort_at desc, call_sid desc);
create index calls_legs on calls (business_id, top_sid);
create index calls_parent on calls (business_id, parent_call_sid) where parent_call_sid is not null;
create index calls_ref on calls (business_id, ref) where ref is not null;

create table recordings (
  business_id      integer not null,
  recording_sid    text    not null,
  call_sid         text,
  -- what the provider told
  provider_status  text    not null default '',
  url              text    not null default '',
  forbidden        integer not null default 0,
  told_duration_s  integer,
  told_channels    integer,
  source           text,
  started_at       integer,
  completed_at     integer,               -- when it was first reported completed
  first_seen_at    integer not null,
  fields           text    not null default '{}',
  -- the queue
  status           text    not null default 'missing',
  rank             integer not null default 2, -- 0 play, 1 new or prepared, 2 the rest
  enqueued_at      integer,
  last_enqueue_at  integer,
  wanted_at        integer,               -- when a person last asked or waited
  next_ask_at      integer,
  lease_owner      text,
  lease_token      integer not null default 0, -- grows with every claim
  lease_until      integer,
  fail_count       integer not null default 0,
  failed_at        integer,               -- the last failure
  next_retry_at    integer,
  error_code       text,
  for_good         integer not null default 0,
  asks_404         integer not null default 0,
  first_404_at     integer,
  crashes          integer not null default 0,
  retried_1        integer,               -- the last three retries by a person that had an effect
  retried_2        integer,
  retried_3        integer,
  -- the bytes
  stem             text,                  -- name without extension, fixed when the first fill begins
  name             text,
  bytes            integer,
  total            integer,               -- announced length of the fill under way
  got              integer not null default 0,
  content_type     text,
  etag             text,
  modified_at      integer,
  duration_ms      integer,
  channels         integer,
  sha256           text,
  ready_at         integer,
  version          integer not null default 1, -- for compare-and-set
  primary key (business_id, recording_sid)
);

create index recordings_call on recordings (business_id, call_sid);
create index recordings_queue on recordings (rank, business_id, enqueued_at) where status = 'queued';
create index recordings_asks on recordings (next_ask_at) where status = 'queued' and lease_until is null;
create index recordings_leases on recordings (lease_until) where lease_until is not null;
create index recordings_due on recordings (next_retry_at) where status = 'failed' and next_retry_at is not null;
create index recordings_failed on recordings (business_id, error_code) where status = 'failed';

-- One row a call, for queries that operators have from earlier systems.
create view call_log as
select c.call_sid, c.parent_call_sid, c.business_id,
       r.url             as recording_url,
       r.status          as recording_download_status,
       r.last_enqueue_at as recording_last_enqueue_at,
       coalesce(r.fail_count, 0) as recording_fail_count,
       r.next_retry_at   as recording_next_retry_at,
       cast(null as text) as final_transcript
from calls c
left join recordings r on r.rowid = (
  select q.rowid from recordings q
  where q.business_id = c.business_id and q.call_sid = c.call_sid
  order by (q.status = 'expired' or q.for_good), coalesce(q.started_at, q.first_seen_at) desc, q.recording_sid desc
  limit 1);
