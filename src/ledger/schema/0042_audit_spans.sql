-- Summaries of the audit's entries (audit_spans.h), instead of four indexes into which each entry was written. Until it is written
-- to again, a chain of before is looked through without them.
create table audit_spans (
  business_id integer not null,
  span        integer not null,    -- entries span * 256 + 1 ... (span + 1) * 256
  first_at    integer not null,
  last_at     integer not null,
  keys        blob    not null,    -- a Bloom filter of actors, actions and objects
  primary key (business_id, span)
) without rowid;

-- Spans below this one have their summary, or were cut.
alter table audit_heads add column filed integer not null default 0;

drop index audit_by_time;
drop index audit_by_actor;
drop index audit_by_action;
drop index audit_by_object;
