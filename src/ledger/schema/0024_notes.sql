-- Notes at a moment of a recording. note_id is random, so that it says nothing about how many there are.
create table notes (
  business_id   integer not null,
  recording_sid text    not null,
  note_id       integer not null,
  at_ms         integer,             -- from the recording's beginning; null: of the whole recording
  text          text    not null,
  by            text    not null,    -- as it is shown: key:ID, user:SUB
  author        text    not null,    -- the subject that may change it, as logs name it
  created_at    integer not null,
  edited_at     integer,
  primary key (business_id, recording_sid, note_id)
) without rowid;
