-- PostgreSQL's form of schema/0045, which says what the table and the column are for.
create table hold_keeps (
  business_id bigint not null,
  sid         text collate "C" not null,
  hold_id     bigint not null,
  round       bigint not null,
  primary key (business_id, sid, hold_id)
);
create index hold_keeps_hold on hold_keeps (hold_id, sid);

alter table holds add column round bigint not null default 0;

update holds set marked = 0, mark_step = 0, mark_after = '', shown = '{"hold_id":' || hold_id || ',"on":"' ||
  case substr(key, 1, 1) when '+' then 'number' when 'C' then 'call' else 'recording' end || '",' || substr(shown, 2)
where shown is not null;
