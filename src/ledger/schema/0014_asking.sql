-- What is known of an account's credentials, so that one recording's refusal is told from the account's; and retries of many that
-- also take what the provider said is absent.
alter table businesses add column auth_good_version integer;  -- the version of the credentials with which a fill last succeeded
alter table businesses add column auth_suspect_sid  text;     -- the recording that was refused last, since when no fill succeeded
alter table retries add column forced integer not null default 0;
