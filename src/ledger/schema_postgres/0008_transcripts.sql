-- PostgreSQL's form of schema/0037, which says what the tables, columns and triggers are for.

create table transcripts (
  business_id   bigint not null,
  recording_sid text collate "C" not null,
  status        text collate "C" not null,
  error         text collate "C",
  run           bigint not null default 1,
  etag          text collate "C",
  pieces_done   bigint not null default 0,
  pieces_all    bigint not null default 0,
  failing_since bigint,
  engine        text collate "C",
  model         text collate "C",
  language      text collate "C",
  duration_ms   bigint,
  version       bigint not null default 0,
  edited_by     text collate "C",
  edited_at     bigint,
  created_at    bigint not null,
  updated_at    bigint not null,
  primary key (business_id, recording_sid)
);

create table transcript_versions (
  business_id   bigint not null,
  recording_sid text collate "C" not null,
  version       bigint not null,
  engine        text collate "C",
  model         text collate "C",
  edited_by     text collate "C",
  made_at       bigint not null,
  document      text collate "C" not null,
  primary key (business_id, recording_sid, version)
);

create table transcript_pieces (
  business_id   bigint not null,
  recording_sid text collate "C" not null,
  run           bigint not null,
  channel       bigint not null,
  piece         bigint not null,
  answer        text collate "C" not null,
  primary key (business_id, recording_sid, run, channel, piece)
);

create table transcript_texts (
  business_id   bigint not null,
  recording_sid text collate "C" not null,
  document_id   bigint not null,
  words         text collate "C" not null,
  marks         text collate "C" not null,
  text          text collate "C" not null,
  primary key (business_id, recording_sid)
);
create index transcript_texts_newest on transcript_texts (business_id, document_id);
-- Each key is a digest of a word and of the business, so a search reads no keys of others. No list of pending entries, which a
-- search would read whole.
create index transcript_texts_words on transcript_texts using gin (string_to_array(words, ' ')) with (fastupdate = off);

alter table recordings add column transcribed bigint not null default 0;

create function recordings_expire_transcript() returns trigger language plpgsql as $$ begin
  delete from tasks where kind = 'transcribe' and business_id = new.business_id and recording_sid = new.recording_sid;
  delete from transcript_texts where business_id = new.business_id and recording_sid = new.recording_sid;
  update transcripts set status = 'removed', error = null, language = null, edited_by = null
  where business_id = new.business_id and recording_sid = new.recording_sid;
  update recordings set transcribed = 0
  where business_id = new.business_id and recording_sid = new.recording_sid and transcribed <> 0;
  return null;
end $$;
create trigger recordings_expire_transcript after update of status on recordings for each row
when (new.status = 'expired' and old.status <> 'expired')
execute function recordings_expire_transcript();

create function recordings_forget_transcript() returns trigger language plpgsql as $$ begin
  delete from tasks where kind = 'transcribe' and business_id = old.business_id and recording_sid = old.recording_sid;
  delete from transcript_texts where business_id = old.business_id and recording_sid = old.recording_sid;
  return null;
end $$;
create trigger recordings_forget_transcript after delete on recordings for each row
execute function recordings_forget_transcript();

alter table businesses add column transcribe text collate "C";
alter table businesses add column speech_language text collate "C";
alter table businesses add column speech_vocabulary text collate "C";

create table speech_slots (
  slot        text collate "C" not null primary key,
  lease_owner text collate "C",
  lease_token bigint not null default 0,
  lease_until bigint,
  failures    bigint not null default 0,
  pause_until bigint not null default 0
);

create or replace view call_log as
select c.call_sid, c.parent_call_sid, c.business_id,
       r.url             as recording_url,
       r.status          as recording_download_status,
       to_char(to_timestamp(r.last_enqueue_at / 1000) at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS"Z"') as recording_last_enqueue_at,
       coalesce(r.fail_count, 0) as recording_fail_count,
       to_char(to_timestamp(r.next_retry_at / 1000) at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS"Z"') as recording_next_retry_at,
       (select t.text collate "default" from transcript_texts t
        where t.business_id = r.business_id and t.recording_sid = r.recording_sid) as final_transcript
from calls c
left join lateral (
  select * from recordings q
  where q.business_id = c.business_id and q.call_sid = c.call_sid
  order by (q.status = 'expired' or q.for_good <> 0), (q.status <> 'ready'), (q.status not in ('queued', 'downloading')),
    coalesce(q.started_at, q.first_seen_at) desc, q.recording_sid desc
  limit 1) r on true;
