-- The marks of a block also say in which of its strips a part is (calls_blocks.h), so that a search reads some of its documents. All
-- blocks are marked again, and grouped again behind that.

-- bounds: the least and the greatest id of each strip, 8 bytes each, the least byte first. Valid while there are marks.
alter table call_documents_blocks add column bounds blob;

delete from call_documents_slices;
delete from call_documents_groups;
update call_documents_blocks set marks = null, group_id = null where marks is not null;
insert or ignore into call_documents_ungrouped (business_id) select distinct business_id from call_documents_blocks;
