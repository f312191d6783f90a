-- The marks of a block also say in which of its strips a part is (calls_blocks.h), so that a search reads some of its documents. All
-- blocks are marked again, and grouped in tables of their own behind that. A process of a release before this one runs on: the first
-- bits of the marks are what it knows; it finds no groups (0046), so it reads the marks of each block, and makes none.

-- bounds: the least and the greatest id of each strip, 8 bytes each, the least byte first. Null: there are no marks, or a release before
-- this one made them. block_group_id: as group_id (0046), of call_documents_block_groups.
alter table call_documents_blocks add column bounds blob;
alter table call_documents_blocks add column block_group_id integer;
create index call_documents_blocks_to_mark on call_documents_blocks (business_id, first_id)
where bounds is null and (is_open = 0 or added >= 256);
create index call_documents_blocks_single on call_documents_blocks (business_id, first_id, is_open) where block_group_id is null;

-- As call_documents_groups and what belongs to it (0046).
create table call_documents_block_groups (
  id           integer primary key,
  business_id  integer not null,
  first_id     integer not null,
  end_id       integer not null,
  changes_left integer not null,
  blocks       blob not null
);
create index call_documents_block_groups_order on call_documents_block_groups (business_id, first_id, end_id);
create index call_documents_block_groups_changed on call_documents_block_groups (id) where changes_left <= 0;

-- 160 marks in a row, 24 bytes each. id: the group's id << 8 | the number of the row.
create table call_documents_block_slices (
  id     integer primary key,
  slices blob not null
);

-- Businesses with new blocks that have no group.
create table call_documents_new_blocks (
  business_id integer primary key
);

drop trigger call_documents_text_new;
create trigger call_documents_text_new after insert on call_documents_text begin
  insert into call_documents_blocks (business_id, first_id, is_open) select new.business_id, 0, 1 where not exists (
    select 1 from call_documents_blocks where business_id = new.business_id);
  update call_documents_blocks set added = added + 1, marks = null, bounds = null, block_group_id = null
  where business_id = new.business_id and first_id = (
    select max(b.first_id) from call_documents_blocks b where b.business_id = new.business_id and b.first_id <= new.rowid)
  and (is_open = 1 or marks is not null);
end;

drop trigger call_documents_text_gone;
create trigger call_documents_text_gone after delete on call_documents_text begin
  update call_documents_blocks set marks = null, bounds = null, block_group_id = null
  where business_id = old.business_id and first_id = (
    select max(b.first_id) from call_documents_blocks b where b.business_id = old.business_id and b.first_id <= old.rowid)
  and marks is not null;
end;

drop trigger call_documents_blocks_changed;
create trigger call_documents_blocks_changed after update of block_group_id on call_documents_blocks
when old.block_group_id is not null and new.block_group_id is null begin
  update call_documents_block_groups set changes_left = changes_left - 1 where id = old.block_group_id;
end;

-- A new block within a group's range was divided from one of its blocks.
drop trigger call_documents_blocks_new;
create trigger call_documents_blocks_new after insert on call_documents_blocks when new.first_id > 0 begin
  update call_documents_block_groups set changes_left = changes_left - 1
  where end_id > new.first_id and id = (
    select g.id from call_documents_block_groups g where g.business_id = new.business_id and g.first_id <= new.first_id
    order by g.first_id desc limit 1);
  insert or ignore into call_documents_new_blocks (business_id) values (new.business_id);
end;

delete from call_documents_slices;
delete from call_documents_groups;
delete from call_documents_ungrouped;
update call_documents_blocks set marks = null, group_id = null where marks is not null;
insert into call_documents_new_blocks select distinct business_id from call_documents_blocks;
