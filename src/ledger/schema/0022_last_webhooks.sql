-- The last webhook of each business, taken or refused; at most some seconds late. It is for the people who set a business up.

create table last_webhooks (
  business_id integer primary key,
  at          integer not null,
  kind        text    not null,            -- call, recording
  result      text    not null,            -- taken, refused
  reason      text                         -- of a refusal
);
