-- Which folding of names the documents of calls have. If it is smaller than CALLS_SEARCH_FOLDING, they are written again, newest
-- first within a business; business_id, sort_at and call_sid say how far. Always one row.
create table call_documents_folding (
  version     integer not null,
  business_id integer not null default 0,
  sort_at     integer not null default 0,
  call_sid    text    not null default ''
);
insert into call_documents_folding (version) select 1 - exists (select 1 from calls);
