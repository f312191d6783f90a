-- What `callreel status` shows of each process: its release, and where it listens. An earlier release leaves both null.
alter table nodes add column version text;
alter table nodes add column address text;
