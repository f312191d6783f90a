-- Who did what to what and when. Entries of a business are numbered from 1 without gaps; business 0 is the service itself.
-- digest is the SHA-256 of the entry and of the digest before it (audit.h), in hexadecimal.
create table audit (
  business_id integer not null,
  number      integer not null,
  at          integer not null,
  actor       text    not null,    -- key:ID, user:SUB, url:ID, command, service
  role        text    not null,
  action      text    not null,
  object      text    not null,
  ip          text    not null,
  details     text    not null,    -- a JSON object, or empty
  digest      text    not null,
  primary key (business_id, number)
) without rowid;
create index audit_by_time on audit (business_id, at, number);
create index audit_by_actor on audit (business_id, actor, at, number);
create index audit_by_action on audit (business_id, action, at, number);
create index audit_by_object on audit (business_id, object, at, number);

-- The end of each chain. first_at: when its oldest entry was; null: there is none.
create table audit_heads (
  business_id integer primary key,
  number      integer not null,
  digest      text    not null,
  first_at    integer
);
create index audit_heads_first on audit_heads (first_at) where first_at is not null;

-- Where the old end of a chain was cut: the last entry that is gone. mac: under a key that SECRETS_KEY makes.
create table audit_checkpoints (
  business_id integer primary key,
  number      integer not null,
  at          integer not null,
  digest      text    not null,
  cut_at      integer not null,
  mac         text    not null
);
