-- What a hold goes on covering: a leg or a recording that it covered when a delivery changed its numbers, its call or its parent.
create table hold_keeps (
  business_id integer not null,
  sid         text    not null,              -- a leg's or a recording's
  hold_id     integer not null,
  round       integer not null,              -- of the hold; a row of an earlier round keeps nothing
  primary key (business_id, sid, hold_id)
) without rowid;
create index hold_keeps_hold on hold_keeps (hold_id, sid);

alter table holds add column round integer not null default 0;  -- grows when it is set again after it was removed

-- What is covered shows which hold does. All that show one are written again.
update holds set marked = 0, mark_step = 0, mark_after = '', shown = '{"hold_id":' || hold_id || ',"on":"' ||
  case substr(key, 1, 1) when '+' then 'number' when 'C' then 'call' else 'recording' end || '",' || substr(shown, 2)
where shown is not null;
