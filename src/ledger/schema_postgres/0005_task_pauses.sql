-- PostgreSQL's form of schema/0034, which says what the table is for.

create table task_pauses (
  business_id bigint not null,
  kind        text collate "C" not null,
  until       bigint not null,
  primary key (business_id, kind)
);
