-- Erasures of a number whose terms may still stand in the search's index, behind a mark that they are deleted. 0: they may.
alter table erasures add column forgotten integer not null default 0;
create index erasures_unforgotten on erasures (ended_at) where kind = 'number' and forgotten = 0 and ended_at is not null;
