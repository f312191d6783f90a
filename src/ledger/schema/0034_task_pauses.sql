-- Businesses whose tasks of a kind wait: the provider asked for time, or refuses their credentials.
create table task_pauses (
  business_id integer not null,
  kind        text    not null, -- as in tasks
  until       integer not null,
  primary key (business_id, kind)
) without rowid;
