-- Why a call is in the list of what no delivery brings back: a person deleted it, its time was over, or it was never there and
-- belongs to one that was deleted.
alter table removed_calls add column kind text not null default 'deleted'; -- deleted, old, related

-- A delivery could note a call that is there. It is no removed call.
delete from removed_calls where exists (select 1 from calls c
  where c.business_id = removed_calls.business_id and c.call_sid = removed_calls.call_sid);
