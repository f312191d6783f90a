-- What lists are asked: numbers and names of calls by any part of them, and states that few are in.

-- A leg's document: sort_at * 2^20 + n, so that documents in order of id are calls in order of time.
alter table calls add column search_id integer;
create unique index calls_search_id on calls (search_id) where search_id is not null;

-- One document a leg, with the numbers and names of all the legs that it is shown with. scope: which business it is of, so
-- that what others hold is passed over; numbers: digits only.
create virtual table call_search using fts5(scope, numbers, names, tokenize = 'trigram', columnsize = 0);

create trigger calls_forget_search after delete on calls when old.search_id is not null begin
  delete from call_search where rowid = old.search_id;
end;

create index recordings_not_ready on recordings (business_id, status) where status <> 'ready';

create index calls_not_completed on calls (business_id, status, sort_at desc, call_sid desc) where status <> 'completed';
