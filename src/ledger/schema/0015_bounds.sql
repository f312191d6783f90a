-- What must not grow with the rows of others.

-- The changes of one business, in order of seq.
create index changes_business on changes (business_id);

-- Businesses whose account is stopped, in order of their ids, to be gone through in parts.
create index businesses_stopped_ids on businesses (business_id) where auth_failed_at is not null and removed_at is null;
