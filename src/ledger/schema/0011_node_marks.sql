-- The number that a process last wrote to its mark on the recordings' volume (RECORDINGS_DIR/.nodes/{node_id}); null: it has
-- written none. Others that find a smaller number there have another volume. An earlier release leaves the column alone.
alter table nodes add column mark integer;
