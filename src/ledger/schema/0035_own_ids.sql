-- An id is looked for among the business's own.
create index urls_own on urls (business_id, url_id);
create index sessions_own on sessions (business_id, digest);
create index erasures_own on erasures (business_id, erasure_id);
