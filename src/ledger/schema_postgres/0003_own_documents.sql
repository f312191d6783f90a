-- PostgreSQL's form of schema/0032. Documents of a business stand in call_documents_business already, so there is no other table of
-- them. The index of their text gets keys that say whose they are: one of trigrams alone has one list for all businesses, and how
-- long it takes to read tells a search what others have.

-- A number for each three characters in a row of a business's document.
create function call_grams(business bigint, doc text) returns bigint[] language sql immutable strict parallel safe as $$
  select coalesce(array_agg(distinct hashtextextended(substr(doc, i, 3), business)), '{}')
  from generate_series(1, length(doc) - 2) i
$$;

-- Without a list of pending entries, which a search reads whole: it would tell how much others have written lately.
create index call_documents_own_grams on call_documents using gin (call_grams(business_id, doc)) with (fastupdate = off);
drop index call_documents_grams;

update call_documents_folding set version = 2 where version = 1 and not exists (select 1 from calls);
