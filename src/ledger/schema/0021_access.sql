-- What lets in has a row: signed URLs too. Who made sessions, links, URLs and keys; when keys end and were last used.

create table urls (                        -- signed URLs in force; a row that is gone was revoked, or has expired
  url_id        text    not null primary key,
  business_id   integer not null,
  recording_sid text    not null,
  made_by       text    not null,          -- as logs name the subject: key:ID, user:SUB
  key_id        integer,                   -- ends with that key
  made_at       integer not null,
  expires_at    integer not null
) without rowid;

create index urls_newest on urls (business_id, made_at desc, url_id desc);
create index urls_expiry on urls (expires_at);

create table url_counts (                  -- the ceiling of a business is checked without counting rows
  business_id integer primary key,
  urls        integer not null
);

create trigger urls_added after insert on urls begin
  insert into url_counts (business_id, urls) values (new.business_id, 1)
    on conflict (business_id) do update set urls = urls + 1;
end;

create trigger urls_removed after delete on urls begin
  update url_counts set urls = urls - 1 where business_id = old.business_id;
end;

alter table links add column key_id integer;  -- the link, and the session that it makes, end with that key
alter table links add column made_by text;
alter table links add column made_at integer;
create index links_newest on links (business_id, made_at desc);

alter table sessions add column made_by text;

alter table keys add column made_by text;
alter table keys add column revoked_by text;
alter table keys add column expires_at integer;
alter table keys add column last_used_at integer; -- at most an hour late

-- Sessions and links, or URLs, that were made before this are no longer valid.
alter table businesses add column sessions_ended_at integer;
alter table businesses add column urls_ended_at integer;
