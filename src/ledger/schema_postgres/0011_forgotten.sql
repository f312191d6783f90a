-- PostgreSQL's form of schema/0040. Its index keeps no deleted terms behind VACUUM.
alter table erasures add column forgotten bigint not null default 0;
create index erasures_unforgotten on erasures (ended_at) where kind = 'number' and forgotten = 0 and ended_at is not null;
