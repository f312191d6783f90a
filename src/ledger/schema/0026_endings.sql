-- What a key made, and the keys of a business that can let in or lately could, are found without walking what is over.

create index urls_key on urls (key_id) where key_id is not null;
create index keys_live on keys (business_id, expires_at) where revoked_at is null;
create index keys_revoked on keys (business_id, revoked_at) where revoked_at is not null;
