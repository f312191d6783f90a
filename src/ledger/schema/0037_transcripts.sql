-- Transcripts: what an engine beside callreel heard in a recording, its versions, and what they are found by.

create table transcripts (
  business_id   integer not null,
  recording_sid text    not null,
  status        text    not null,            -- transcript_status.def
  error         text,                        -- failed: why; queued: what it waits for (transcript_error.def)
  run           integer not null default 1,  -- grows when it is asked for anew: answers of an earlier run count no more
  etag          text,                        -- of the recording that this run hears
  pieces_done   integer not null default 0,
  pieces_all    integer not null default 0,  -- 0: not known yet
  failing_since integer,                     -- the engine did not answer since
  engine        text,                        -- these three: of the newest version
  model         text,
  language      text,
  duration_ms   integer,
  version       integer not null default 0,  -- the newest; 0: there is none
  edited_by     text,                        -- who made the newest version; null: an engine
  edited_at     integer,
  created_at    integer not null,
  updated_at    integer not null,
  primary key (business_id, recording_sid)
) without rowid;

create table transcript_versions (
  business_id   integer not null,
  recording_sid text    not null,
  version       integer not null,
  engine        text,
  model         text,
  edited_by     text,
  made_at       integer not null,
  document      text    not null,            -- JSON (speech/speech_document.h)
  primary key (business_id, recording_sid, version)
);

-- Answers of an engine, until all pieces of the run have one.
create table transcript_pieces (
  business_id   integer not null,
  recording_sid text    not null,
  run           integer not null,
  channel       integer not null,
  piece         integer not null,
  answer        text    not null,            -- JSON
  primary key (business_id, recording_sid, run, channel, piece)
);

-- The newest version as searches read it. Line by line: text has what was said, marks "start_ms end_ms speaker".
create table transcript_texts (
  business_id   integer not null,
  recording_sid text    not null,
  document_id   integer not null unique,     -- the time of the row that shows it << 20 | n, as in call_documents
  words         text    not null,            -- digests of its words and of the business (transcript_search.h)
  marks         text    not null,
  text          text    not null,
  primary key (business_id, recording_sid)
);
create index transcript_texts_newest on transcript_texts (business_id, document_id);

create virtual table transcript_words using fts5(words, content = 'transcript_texts', content_rowid = 'document_id',
  tokenize = 'ascii', detail = none, columnsize = 0);
insert into transcript_words (transcript_words, rank) values ('automerge', 0);
insert into transcript_words (transcript_words, rank) values ('usermerge', 8);
insert into transcript_words (transcript_words, rank) values ('crisismerge', 256);

create trigger transcript_texts_new after insert on transcript_texts begin
  insert into transcript_words (rowid, words) values (new.document_id, new.words);
end;

create trigger transcript_texts_gone after delete on transcript_texts begin
  insert into transcript_words (transcript_words, rowid, words) values ('delete', old.document_id, old.words);
end;

-- 1: it has a transcript.
alter table recordings add column transcribed integer not null default 0;

-- A recording that expires has no transcript from then on; its versions and answers go in parts.
create trigger recordings_expire_transcript after update of status on recordings
when new.status = 'expired' and old.status <> 'expired'
begin
  delete from tasks where kind = 'transcribe' and business_id = new.business_id and recording_sid = new.recording_sid;
  delete from transcript_texts where business_id = new.business_id and recording_sid = new.recording_sid;
  update transcripts set status = 'removed', error = null, language = null, edited_by = null
  where business_id = new.business_id and recording_sid = new.recording_sid;
  update recordings set transcribed = 0 where rowid = new.rowid and transcribed <> 0;
end;

create trigger recordings_forget_transcript after delete on recordings begin
  delete from tasks where kind = 'transcribe' and business_id = old.business_id and recording_sid = old.recording_sid;
  delete from transcript_texts where business_id = old.business_id and recording_sid = old.recording_sid;
end;

-- Which recordings a business has transcribed, in which language, and words that the engine is told to expect. Null: as the
-- settings say.
alter table businesses add column transcribe text;         -- all, asked, never
alter table businesses add column speech_language text;
alter table businesses add column speech_vocabulary text;

-- An engine answers one request at a time: a row for each place of one, leased with the task whose pieces it hears.
create table speech_slots (
  slot        text    not null primary key,  -- a digest of the engine's URL and a number
  lease_owner text,
  lease_token integer not null default 0,    -- grows with every lease
  lease_until integer,
  failures    integer not null default 0,    -- in a row
  pause_until integer not null default 0     -- no request before
) without rowid;

drop view call_log;
create view call_log as
select c.call_sid, c.parent_call_sid, c.business_id,
       r.url             as recording_url,
       r.status          as recording_download_status,
       strftime('%Y-%m-%d %H:%M:%SZ', r.last_enqueue_at / 1000, 'unixepoch') as recording_last_enqueue_at,
       coalesce(r.fail_count, 0) as recording_fail_count,
       strftime('%Y-%m-%d %H:%M:%SZ', r.next_retry_at / 1000, 'unixepoch') as recording_next_retry_at,
       (select t.text from transcript_texts t
        where t.business_id = r.business_id and t.recording_sid = r.recording_sid) as final_transcript
from calls c
left join recordings r on r.rowid = (
  select q.rowid from recordings q
  where q.business_id = c.business_id and q.call_sid = c.call_sid
  order by (q.status = 'expired' or q.for_good), (q.status <> 'ready'), (q.status not in ('queued', 'downloading')),
    coalesce(q.started_at, q.first_seen_at) desc, q.recording_sid desc
  limit 1);
