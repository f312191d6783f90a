-- Businesses, who may, who works, and what changed. Times are UNIX milliseconds, UTC. Sealed columns are AES-256-GCM, bound
-- to their row.

create table businesses (
  business_id         integer primary key autoincrement, -- never given twice; removed ones keep their row
  name                text    not null,
  account_sid         text,
  token_1             blob,                -- sealed; the provider's auth tokens, two during a rotation
  token_2             blob,
  api_key             text,
  api_secret          blob,                -- sealed
  base_url            text,
  credentials_version integer not null default 1,
  auth_failed_at      integer,             -- fills are stopped since: the credentials were refused
  auth_trial_at       integer,             -- when one fill tries them again
  error_streak        integer not null default 0,
  last_claim_at       integer,             -- when a fill of it was last begun: businesses take turns
  created_at          integer not null,
  removed_at          integer,
  purged_at           integer
);

create table business_numbers (
  business_id integer not null,
  number      text    not null,            -- E.164
  primary key (business_id, number)
) without rowid;

create table keys (
  key_id      integer primary key autoincrement,
  business_id integer,                     -- null: a platform key
  role        text    not null,
  name        text,
  digest      blob    not null unique,     -- SHA-256 of the key's text
  created_at  integer not null,
  revoked_at  integer
);

create table sessions (
  digest      blob    not null primary key, -- SHA-256 of the cookie's token
  business_id integer not null,
  role        text    not null,
  subject     text,
  key_id      integer,                     -- ends with that key
  created_at  integer not null,
  expires_at  integer not null
) without rowid;

create index sessions_oldest on sessions (business_id, created_at);

create table links (                       -- one-time sign-in links
  digest      blob    not null primary key,
  business_id integer not null,
  role        text    not null,
  expires_at  integer not null,
  used_at     integer
) without rowid;

create table nodes (
  node_id    text    not null primary key,
  role       text    not null,
  host       text    not null,
  pid        integer not null,
  works      integer not null,             -- 1: claims fills
  started_at integer not null,
  seen_at    integer not null
) without rowid;

create table settings (
  name    text    not null primary key,
  value   blob    not null,
  sealed  integer not null,
  made_at integer not null
) without rowid;

create table changes (
  seq         integer primary key autoincrement,
  kind        text    not null,
  business_id integer not null,
  id          text    not null,
  at_ms       integer not null
);
