-- Failed recordings that are being queued again, a part at a time: a row a business and error code, until the last part.

create table retries (
  business_id integer not null,
  code        text    not null,            -- the failures' error code; '' any
  since       integer not null,            -- what failed earlier is left
  after       text    not null default '', -- the recording_sid that it has come to
  queued      integer not null default 0,  -- so many up to there
  turn        integer not null,            -- grows with each part: the smallest is next
  primary key (business_id, code)
) without rowid;

create index retries_turn on retries (turn);
