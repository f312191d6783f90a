-- Inserts the rows of the newest calls and their recordings once more, under other names, as many as a set of webhooks has in each
-- transaction: what is left of a webhook without triggers, round trips and what decides. :SCHEMA, :SIZE, :CALLS are filled in.
set search_path = :SCHEMA, public;
set session_replication_role = replica;
set enable_seqscan = off;
set enable_hashjoin = off;
set enable_mergejoin = off;
create temp table of_set as
select business_id, call_sid, (row_number() over (order by call_sid) - 1) / :SIZE as part
from (select business_id, call_sid from calls order by first_seen_at desc limit :CALLS) newest;
create index on of_set (part);
analyze of_set;
create function pg_temp.copy_of(its_table text) returns text language sql as $$
  select format('insert into %s (%s) select %s from of_set s join %s t using (business_id, call_sid) where s.part = $1', its_table,
    string_agg(quote_ident(column_name), ','),
    string_agg(format(case when column_name in ('call_sid', 'top_sid', 'recording_sid') then '''Z'' || t.%I' else 't.%I' end, column_name), ','),
    its_table)
  from information_schema.columns where table_schema = ':SCHEMA' and table_name = its_table and is_generated = 'NEVER'
$$;
create procedure pg_temp.copy_all() language plpgsql as $$ declare
  texts text[] := array['insert into changes (kind, business_id, id, at_ms) select kind, business_id, ''Z'' || call_sid, 0'
    ' from of_set cross join (values (''call''), (''recording'')) kinds (kind) where part = $1'];
  name text;
begin
  foreach name in array array['call_documents', 'recordings', 'calls', 'call_facets'] loop
    texts := texts || pg_temp.copy_of(name);
  end loop;
  for part in 0..:CALLS / :SIZE - 1 loop
    foreach name in array texts loop execute name using part; end loop;
    commit;
  end loop;
end $$;
select extract(epoch from clock_timestamp());
call pg_temp.copy_all();
select extract(epoch from clock_timestamp());
