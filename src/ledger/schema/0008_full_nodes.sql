-- A worker whose recordings' volume has too little room claims nothing. Its node says since when, by the database's clock;
-- null: it has room. An earlier release leaves the column alone.
alter table nodes add column full_at integer;
