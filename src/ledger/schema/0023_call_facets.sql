-- What calls are listed by besides their time: agent, own number, length, tags. Triggers maintain all of it, so an earlier release
-- maintains it too. Calls that were there before are added in parts (call_facets_build); no statement here reads the table calls.

alter table calls add column agent_said text; -- what the host said; stands at the top leg of the tree only
alter table calls add column tags text;       -- a JSON array of texts; null: none

-- One row a leg. agent, own_number: of the tree, at its top leg only. duration_s: -1 while unknown.
create table call_facets (
  business_id integer not null,
  call_sid    text    not null,
  top_sid     text    not null,
  sort_at     integer not null,
  duration_s  integer not null,
  address     text, -- the party of the leg that may be an agent: client:… or sip:…, else anything
  agent       text,
  own_number  text,
  party       text generated always as (nullif(trim(substr(case
    when lower(substr(address, 1, 7)) = 'client:' then substr(address, 8)
    when lower(substr(address, 1, 4)) = 'sip:' and instr(address, '@') > 5 then substr(address, 5, instr(address, '@') - 5)
    when lower(substr(address, 1, 5)) = 'sips:' and instr(address, '@') > 6 then substr(address, 6, instr(address, '@') - 6)
    end, 1, 200)), '')) virtual,
  own_key     text generated always as (lower(replace(replace(replace(replace(replace(replace(
    own_number, ' ', ''), '+', ''), '-', ''), '(', ''), ')', ''), '.', ''))) virtual,
  primary key (business_id, call_sid)
) without rowid;

create index call_facets_agent on call_facets (business_id, agent, sort_at desc, call_sid desc, duration_s)
where agent is not null;
create index call_facets_own on call_facets (business_id, own_key, sort_at desc, call_sid desc, duration_s)
where own_key is not null;
create index call_facets_duration on call_facets (business_id, duration_s desc, sort_at desc, call_sid desc)
where top_sid = call_sid;
create index call_facets_duration_leg on call_facets (business_id, duration_s desc, sort_at desc, call_sid desc);
create index call_facets_party on call_facets (business_id, top_sid, sort_at, call_sid) where party is not null;

-- "insert into call_facets_due" brings the row of a leg and that of its top leg in line with calls.
create view call_facets_due as select business_id, call_sid from calls where 0;

create trigger call_facets_due_done instead of insert on call_facets_due begin
  insert into call_facets (business_id, call_sid, top_sid, sort_at, duration_s, address)
  select c.business_id, c.call_sid, c.top_sid, c.sort_at, coalesce(c.duration_s, -1),
    case when c.top_sid <> c.call_sid then c.to_number
         when lower(substr(c.to_number, 1, 7)) = 'client:' or lower(substr(c.to_number, 1, 3)) = 'sip'
           and (c.direction = 'inbound' or lower(substr(coalesce(c.from_number, ''), 1, 7)) <> 'client:'
             and lower(substr(coalesce(c.from_number, ''), 1, 3)) <> 'sip') then c.to_number
         when lower(substr(c.from_number, 1, 7)) = 'client:' or c.direction = 'outbound' then c.from_number end
  from calls c where c.business_id = new.business_id and c.call_sid in (new.call_sid, (
    select top_sid from calls where business_id = new.business_id and call_sid = new.call_sid))
  on conflict do update set top_sid = excluded.top_sid, sort_at = excluded.sort_at, duration_s = excluded.duration_s,
    address = excluded.address, agent = iif(excluded.top_sid = call_sid, agent, null),
    own_number = iif(excluded.top_sid = call_sid, own_number, null)
  where top_sid <> excluded.top_sid or sort_at <> excluded.sort_at or duration_s <> excluded.duration_s
    or address is not excluded.address;
  update call_facets set agent = n.agent, own_number = n.own_number
  from (
    select t.call_sid as top_sid, coalesce(
        t.agent_said,
        (select party from call_facets where business_id = new.business_id and call_sid = t.call_sid),
        (select f.party from call_facets f indexed by call_facets_party
          where f.business_id = new.business_id and f.top_sid = t.call_sid and f.party is not null
          order by f.sort_at, f.call_sid limit 1)) as agent,
      case t.direction
        when 'inbound' then t.to_number
        when 'outbound' then case
          when t.from_number glob '[+0-9(]*' and t.from_number not glob '*[^-+() .0-9]*' then t.from_number
          else coalesce((
            select k.from_number from calls k indexed by calls_parent
            where k.business_id = new.business_id and k.parent_call_sid = t.call_sid
              and k.from_number glob '[+0-9(]*' and k.from_number not glob '*[^-+() .0-9]*'
            order by k.call_sid limit 1), t.from_number) end
        end as own_number
    from calls t where t.business_id = new.business_id and t.call_sid = (
      select top_sid from calls where business_id = new.business_id and call_sid = new.call_sid)) n
  where call_facets.business_id = new.business_id and call_facets.call_sid = n.top_sid
    and (call_facets.agent is not n.agent or call_facets.own_number is not n.own_number);
end;

create trigger calls_facets_new after insert on calls begin
  insert into call_facets_due values (new.business_id, new.call_sid);
end;

create trigger calls_facets_moved
after update of from_number, to_number, direction, duration_s, sort_at, top_sid, agent_said on calls
when new.from_number is not old.from_number or new.to_number is not old.to_number or new.direction is not old.direction
  or new.duration_s is not old.duration_s or new.sort_at <> old.sort_at or new.top_sid <> old.top_sid
  or new.agent_said is not old.agent_said
begin
  insert into call_facets_due values (new.business_id, new.call_sid);
  insert into call_facets_due select old.business_id, old.top_sid where old.top_sid <> new.top_sid;
end;

-- A leg that has a top leg above it now hands the agent to that.
create trigger calls_agent_moved after update of top_sid on calls
when new.agent_said is not null and new.top_sid <> new.call_sid begin
  update calls set agent_said = coalesce(agent_said, new.agent_said)
  where business_id = new.business_id and call_sid = new.top_sid;
  update calls set agent_said = null where business_id = new.business_id and call_sid = new.call_sid;
end;

create trigger calls_facets_gone after delete on calls begin
  delete from call_facets where business_id = old.business_id and call_sid = old.call_sid;
end;

-- How far the calls that were there before have their row: newest first within a business; no row: all have.
create table call_facets_build (
  business_id integer not null,
  sort_at     integer not null,
  call_sid    text    not null
);
insert into call_facets_build select 0, 0, '' where exists (select 1 from calls);

-- One row for each tag of a call, by its time in lists.
create table call_tags (
  business_id integer not null,
  tag         text    not null,
  sort_at     integer not null,
  call_sid    text    not null,
  primary key (business_id, tag, sort_at, call_sid)
) without rowid;
create index call_tags_call on call_tags (business_id, call_sid);

create trigger calls_tags_changed after update of tags on calls when new.tags is not old.tags begin
  delete from call_tags where business_id = new.business_id and call_sid = new.call_sid;
  insert into call_tags select distinct new.business_id, value, new.sort_at, new.call_sid from json_each(new.tags);
end;

create trigger calls_tags_moved after update of sort_at on calls when new.tags is not null and new.sort_at <> old.sort_at begin
  update call_tags set sort_at = new.sort_at where business_id = new.business_id and call_sid = new.call_sid;
end;

create trigger calls_tags_gone after delete on calls when old.tags is not null begin
  delete from call_tags where business_id = old.business_id and call_sid = old.call_sid;
end;
