-- Only for PostgreSQL: the body of a function in SQL is parsed and planned anew for each statement that calls it, that of one in
-- plpgsql once a connection. The values are those of before.

create or replace function call_grams(business bigint, doc text) returns bigint[] language plpgsql immutable strict parallel safe
as $$ begin
  if length(doc) < 3 then return '{}'; end if;
  return (select coalesce(array_agg(distinct hashtextextended(substr(doc, i, 3), business)), '{}')
    from generate_series(1, length(doc) - 2) i);
end $$;

create or replace function call_party(address text) returns text language plpgsql immutable as $$ begin
  return nullif(trim(substr(case
    when lower(substr(address, 1, 7)) = 'client:' then substr(address, 8)
    when lower(substr(address, 1, 4)) = 'sip:' and strpos(address, '@') > 5 then substr(address, 5, strpos(address, '@') - 5)
    when lower(substr(address, 1, 5)) = 'sips:' and strpos(address, '@') > 6 then substr(address, 6, strpos(address, '@') - 6)
    end, 1, 200)), '');
end $$;
