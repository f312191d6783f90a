-- PostgreSQL's form of schema/0035.
create index urls_own on urls (business_id, url_id);
create index sessions_own on sessions (business_id, digest);
create index erasures_own on erasures (business_id, erasure_id);
