-- PostgreSQL's form of schema/0041.
create table audit_spans (
  business_id bigint not null,
  span        bigint not null,
  first_at    bigint not null,
  last_at     bigint not null,
  keys        bytea  not null,
  primary key (business_id, span)
);
alter table audit_heads add column filed bigint not null default 0;
drop index audit_by_time;
drop index audit_by_actor;
drop index audit_by_action;
drop index audit_by_object;
