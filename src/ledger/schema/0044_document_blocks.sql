-- What a search reads behind the newest documents of a business: for each block of its documents, marks of the parts of numbers and
-- names that these have. A block has the documents of call_documents_text with first_id <= rowid < the next block's first_id.

-- The first block of a business begins at 0. The last one is open: it has no marks, and is divided when it has grown. marks: null: to be
-- made, or made again (calls_blocks.h). added: of an open block, about how many documents it has.
create table call_documents_blocks (
  business_id integer not null,
  first_id    integer not null,
  is_open     integer not null,
  added       integer not null default 0,
  marks       blob,
  primary key (business_id, first_id)
) without rowid;
create index call_documents_blocks_order on call_documents_blocks (business_id, first_id);
create index call_documents_blocks_due on call_documents_blocks (business_id, first_id)
where marks is null and (is_open = 0 or added >= 256);
create index call_documents_blocks_unmarked on call_documents_blocks (business_id, added) where marks is null;

create trigger call_documents_text_new after insert on call_documents_text begin
  insert into call_documents_blocks (business_id, first_id, is_open) select new.business_id, 0, 1 where not exists (
    select 1 from call_documents_blocks where business_id = new.business_id);
  update call_documents_blocks set added = added + 1, marks = null
  where business_id = new.business_id and first_id = (
    select max(b.first_id) from call_documents_blocks b where b.business_id = new.business_id and b.first_id <= new.rowid)
  and (is_open = 1 or marks is not null);
end;

create trigger call_documents_text_gone after delete on call_documents_text begin
  update call_documents_blocks set marks = null
  where business_id = old.business_id and first_id = (
    select max(b.first_id) from call_documents_blocks b where b.business_id = old.business_id and b.first_id <= old.rowid)
  and marks is not null;
end;

-- Documents that are here already: divided from the oldest on. So many count as added that searches wait for that.
insert into call_documents_blocks (business_id, first_id, is_open, added)
select b.business_id, 0, 1, 1000000000 from businesses b
where exists (select 1 from call_documents_text t where t.business_id = b.business_id);
