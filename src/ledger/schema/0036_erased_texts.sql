-- Texts of other calls (fields, metadata, notes) that an erasure took its number out of.
alter table erasures add column edited integer not null default 0;
