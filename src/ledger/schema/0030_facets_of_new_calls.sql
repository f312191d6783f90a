-- A call of its own, which most calls are when they come, gets its row of call_facets by one insert: the general way
-- (call_facets_due) took as long as all else that a webhook of a new call writes.
drop trigger calls_facets_new;

create trigger calls_facets_new after insert on calls when new.top_sid <> new.call_sid or new.agent_said is not null begin
  insert into call_facets_due values (new.business_id, new.call_sid);
end;

create trigger calls_facets_new_top after insert on calls when new.top_sid = new.call_sid and new.agent_said is null begin
  insert into call_facets (business_id, call_sid, top_sid, sort_at, duration_s, address, own_number)
  values (new.business_id, new.call_sid, new.top_sid, new.sort_at, coalesce(new.duration_s, -1),
    case when lower(substr(new.to_number, 1, 7)) = 'client:' or lower(substr(new.to_number, 1, 3)) = 'sip'
           and (new.direction = 'inbound' or lower(substr(coalesce(new.from_number, ''), 1, 7)) <> 'client:'
             and lower(substr(coalesce(new.from_number, ''), 1, 3)) <> 'sip') then new.to_number
         when lower(substr(new.from_number, 1, 7)) = 'client:' or new.direction = 'outbound' then new.from_number end,
    case new.direction
      when 'inbound' then new.to_number
      when 'outbound' then case
        when new.from_number glob '[+0-9(]*' and new.from_number not glob '*[^-+() .0-9]*' then new.from_number
        else coalesce((
          select k.from_number from calls k indexed by calls_parent
          where k.business_id = new.business_id and k.parent_call_sid = new.call_sid
            and k.from_number glob '[+0-9(]*' and k.from_number not glob '*[^-+() .0-9]*'
          order by k.call_sid limit 1), new.from_number) end
      end)
  on conflict do update set top_sid = excluded.top_sid, sort_at = excluded.sort_at, duration_s = excluded.duration_s,
    address = excluded.address, agent = null, own_number = excluded.own_number;
  update call_facets set agent = party
  where business_id = new.business_id and call_sid = new.call_sid and party is not null;
end;
