-- What a search of transcripts reads: terms of each business apart, in one tree of rows. transcript_words had a number of segments that
-- grew and shrank with what everybody wrote, and each search looked into all of them. It stays, empty: an older release finds no
-- transcripts by their words.

-- term: of transcript_texts.words, a digest of a word and of the business. rowid: document_id.
create table transcript_terms (
  business_id integer not null,
  term        text    not null,
  rowid       integer not null,
  primary key (business_id, term, rowid)
) without rowid;

-- Documents whose terms are to be added, or, with words, to be deleted: all but those in the first `done` bytes. Searches read the
-- words of the former themselves.
create table transcript_terms_due (
  business_id integer not null,
  rowid       integer not null,
  words       text,
  done        integer not null default 0,
  primary key (business_id, rowid)
) without rowid;

drop trigger transcript_texts_new;
create trigger transcript_texts_new after insert on transcript_texts begin
  insert into transcript_terms_due (business_id, rowid) values (new.business_id, new.document_id);
end;

drop trigger transcript_texts_gone;
create trigger transcript_texts_gone after delete on transcript_texts begin
  delete from transcript_terms_due where business_id = old.business_id and rowid = old.document_id;
  insert into transcript_terms_due (business_id, rowid, words) values (old.business_id, old.document_id, old.words);
end;

insert into transcript_terms_due (business_id, rowid) select business_id, document_id from transcript_texts;
insert into transcript_words (transcript_words) values ('delete-all');
