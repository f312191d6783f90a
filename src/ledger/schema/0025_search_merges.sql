-- Segments of the search's index are merged in small bounded parts, by the writes of documents and by the upkeep
-- (calls_search_merge), instead of by SQLite within a write of any size. crisismerge is only reached where nobody merges.
insert into call_documents (call_documents, rank) values ('automerge', 0);
insert into call_documents (call_documents, rank) values ('usermerge', 8);
insert into call_documents (call_documents, rank) values ('crisismerge', 256);
