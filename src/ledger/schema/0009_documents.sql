-- What calls are found by, each leg for itself and each business apart from the others; and which legs are still to follow one
-- that moved.

-- One document a leg, of its own numbers and names alone. Its id is the top leg's sort_at * 2^20 + n, so that documents in
-- order of id are rows of a list in order of time. call_sid: whose it is; digits, names: with the business as their scope.
create virtual table call_documents using fts5(call_sid unindexed, digits, names, tokenize = 'scoped_grams', columnsize = 0);

alter table calls add column document_id integer; -- null: there is none yet

-- Documents whose call was deleted: to be deleted too.
create table call_documents_gone (document_id integer primary key);

-- Calls that were written without bringing their document in line (by an older release): to be indexed again.
create table call_documents_stale (
  business_id integer not null,
  call_sid    text    not null,
  primary key (business_id, call_sid)
) without rowid;

-- (In a trigger "or ignore" gives way to what the statement says that fires it.)
create trigger calls_document_missing after insert on calls when new.document_id is null begin
  insert into call_documents_stale select new.business_id, new.call_sid where not exists (
    select 1 from call_documents_stale where business_id = new.business_id and call_sid = new.call_sid);
end;

-- Who brings the document in line gives the call another document_id in the same statement.
create trigger calls_document_stale
after update of from_number, to_number, caller_name, customer_name, sort_at, top_sid on calls
when new.document_id is old.document_id and (
  new.from_number is not old.from_number or new.to_number is not old.to_number or new.caller_name is not old.caller_name
  or new.customer_name is not old.customer_name or new.sort_at <> old.sort_at or new.top_sid <> old.top_sid)
begin
  insert into call_documents_stale select new.business_id, new.call_sid where not exists (
    select 1 from call_documents_stale where business_id = new.business_id and call_sid = new.call_sid);
end;

create trigger calls_document_gone after delete on calls when old.document_id is not null begin
  insert into call_documents_gone select old.document_id where not exists (
    select 1 from call_documents_gone where document_id = old.document_id);
end;

-- How far the calls that were there before are indexed: newest first within a business; no row: all are. Until then lists
-- look into call_search too.
create table call_documents_build (
  business_id integer not null,
  sort_at     integer not null,
  call_sid    text    not null
);
insert into call_documents_build select 0, 0, '' where exists (select 1 from calls);

-- The legs below call_sid have yet to be brought in line with it: those behind after_sid.
create table call_moves (
  business_id integer not null,
  call_sid    text    not null,
  after_sid   text    not null,
  primary key (business_id, call_sid)
) without rowid;

create trigger calls_stale_gone after delete on calls begin
  delete from call_documents_stale where business_id = old.business_id and call_sid = old.call_sid;
end;

create index calls_ref_newest on calls (business_id, ref, sort_at desc, call_sid desc) where ref is not null;

-- What the upkeep, the purge of a business and a webhook of an account ask for.
create index sessions_expiry on sessions (expires_at);
create index links_expiry on links (expires_at);
create index links_used on links (used_at) where used_at is not null;
create index links_business on links (business_id);
create index keys_business on keys (business_id);
create index businesses_account on businesses (account_sid) where removed_at is null;
