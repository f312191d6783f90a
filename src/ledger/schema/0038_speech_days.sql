-- What the speech engines did on each day, in UTC, for operators.
create table speech_days (
  day         integer not null primary key, -- days since 1970-01-01
  pieces      integer not null,             -- that an engine answered
  sent_ms     integer not null,             -- their sound
  took_ms     integer not null,             -- from each request to its answer
  transcripts integer not null,             -- that were completed
  recorded_ms integer not null              -- the length of their recordings
);
