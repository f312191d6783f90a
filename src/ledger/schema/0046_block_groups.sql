-- Groups of blocks (calls_groups.h): for 384 blocks in a row, a bit string for each mark, so that a search reads the marks that it
-- wants of all of them, not all marks of each.

-- group_id: the group that has this block's marks as they are now; null: none has, so a search reads the block's own.
alter table call_documents_blocks add column group_id integer;
create index call_documents_blocks_alone on call_documents_blocks (business_id, first_id, is_open) where group_id is null;

-- The blocks of a business with first_id <= their first_id < end_id. blocks: their first_ids, 8 bytes each, the least byte first.
-- changes_left: so many more of them may change until the group is made anew.
create table call_documents_groups (
  id           integer primary key,
  business_id  integer not null,
  first_id     integer not null,
  end_id       integer not null,
  changes_left integer not null,
  blocks       blob not null
);
create index call_documents_groups_order on call_documents_groups (business_id, first_id, end_id);
create index call_documents_groups_changed on call_documents_groups (id) where changes_left <= 0;

-- 80 marks in a row, 48 bytes each: a bit for each block of the group. id: the group's id << 7 | the number of the row.
create table call_documents_slices (
  id     integer primary key,
  slices blob not null
);

-- Businesses with new blocks that have no group.
create table call_documents_ungrouped (
  business_id integer primary key
);
insert into call_documents_ungrouped select distinct business_id from call_documents_blocks;

drop trigger call_documents_text_new;
create trigger call_documents_text_new after insert on call_documents_text begin
  insert into call_documents_blocks (business_id, first_id, is_open) select new.business_id, 0, 1 where not exists (
    select 1 from call_documents_blocks where business_id = new.business_id);
  update call_documents_blocks set added = added + 1, marks = null, group_id = null
  where business_id = new.business_id and first_id = (
    select max(b.first_id) from call_documents_blocks b where b.business_id = new.business_id and b.first_id <= new.rowid)
  and (is_open = 1 or marks is not null);
end;

drop trigger call_documents_text_gone;
create trigger call_documents_text_gone after delete on call_documents_text begin
  update call_documents_blocks set marks = null, group_id = null
  where business_id = old.business_id and first_id = (
    select max(b.first_id) from call_documents_blocks b where b.business_id = old.business_id and b.first_id <= old.rowid)
  and marks is not null;
end;

create trigger call_documents_blocks_changed after update of group_id on call_documents_blocks
when old.group_id is not null and new.group_id is null begin
  update call_documents_groups set changes_left = changes_left - 1 where id = old.group_id;
end;

-- A new block within a group's range was divided from one of its blocks.
create trigger call_documents_blocks_new after insert on call_documents_blocks when new.first_id > 0 begin
  update call_documents_groups set changes_left = changes_left - 1
  where end_id > new.first_id and id = (
    select g.id from call_documents_groups g where g.business_id = new.business_id and g.first_id <= new.first_id
    order by g.first_id desc limit 1);
  insert or ignore into call_documents_ungrouped (business_id) values (new.business_id);
end;
