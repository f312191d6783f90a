-- What call_documents holds of a leg, without the business in front: the documents of a business stand next to each other. A search
-- reads these first, and the index, which all businesses share, only behind many of them. rowid: document_id.
create table call_documents_text (
  business_id integer not null,
  rowid       integer not null,
  call_sid    text    not null,
  digits      text    not null,
  names       text    not null,
  primary key (business_id, rowid)
) without rowid;

-- A release that knows this table writes its row before the call's. Calls that another one wrote are indexed again. The calls that
-- are here already get their rows as they are indexed again with this release's folding.
create trigger calls_document_text_missing after insert on calls
when new.document_id is not null and not exists (
  select 1 from call_documents_text where business_id = new.business_id and rowid = new.document_id)
begin
  insert into call_documents_stale select new.business_id, new.call_sid where not exists (
    select 1 from call_documents_stale where business_id = new.business_id and call_sid = new.call_sid);
end;

create trigger calls_document_text_moved after update of document_id on calls
when new.document_id is not old.document_id
begin
  delete from call_documents_text where business_id = old.business_id and rowid = old.document_id;
  insert into call_documents_stale select new.business_id, new.call_sid where new.document_id is not null and not exists (
    select 1 from call_documents_text where business_id = new.business_id and rowid = new.document_id) and not exists (
    select 1 from call_documents_stale where business_id = new.business_id and call_sid = new.call_sid);
end;

create trigger calls_document_text_gone after delete on calls when old.document_id is not null begin
  delete from call_documents_text where business_id = old.business_id and rowid = old.document_id;
end;

-- Nothing is there to be indexed again.
update call_documents_folding set version = 2 where version = 1 and not exists (select 1 from calls);
