-- PostgreSQL's form of schema/0047, which says what the column is for.
alter table removed_calls add column kind text not null default 'deleted';

delete from removed_calls where exists (select 1 from calls c
  where c.business_id = removed_calls.business_id and c.call_sid = removed_calls.call_sid);
