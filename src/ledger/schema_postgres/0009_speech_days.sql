-- PostgreSQL's form of schema/0038, which says what the table is for.

create table speech_days (
  day         bigint not null primary key,
  pieces      bigint not null,
  sent_ms     bigint not null,
  took_ms     bigint not null,
  transcripts bigint not null,
  recorded_ms bigint not null
);
