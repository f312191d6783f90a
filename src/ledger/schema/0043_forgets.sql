-- The search's index of calls keeps terms of deleted documents until it is rewritten (ledger/forgets.h). One row. wanted grows with
-- each deletion; done is the wanted of which nothing is left.
create table forgets (
  id     integer primary key check (id = 1),
  wanted integer not null,
  done   integer not null default 0
);
insert into forgets (id, wanted) select 1, exists (select 1 from removed_calls);

-- The document of a deleted call has left the index.
create trigger call_documents_forget after delete on call_documents_gone begin
  update forgets set wanted = wanted + 1 where id = 1;
end;
