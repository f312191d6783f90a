-- PostgreSQL's form of schema/0036, which says what the column is for.
alter table erasures add column edited bigint not null default 0;
