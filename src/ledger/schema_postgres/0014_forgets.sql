-- PostgreSQL's form of schema/0043. Its index keeps no deleted terms behind VACUUM, so nothing is ever wanted.
create table forgets (
  id     bigint primary key check (id = 1),
  wanted bigint not null,
  done   bigint not null default 0
);
insert into forgets (id, wanted) values (1, 0);
