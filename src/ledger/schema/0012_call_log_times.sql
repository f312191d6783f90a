-- The times of call_log as text, "2026-11-30 03:10:00Z" (ISO 8601, UTC), so that they compare with datetime('now', '-10 minutes').
-- With a "T" between, they would be greater than any time that datetime() gives of the same day. As integers they were smaller
-- than any text. No release reads the view.
drop view call_log;

create view call_log as
select c.call_sid, c.parent_call_sid, c.business_id,
       r.url             as recording_url,
       r.status          as recording_download_status,
       strftime('%Y-%m-%d %H:%M:%SZ', r.last_enqueue_at / 1000, 'unixepoch') as recording_last_enqueue_at,
       coalesce(r.fail_count, 0) as recording_fail_count,
       strftime('%Y-%m-%d %H:%M:%SZ', r.next_retry_at / 1000, 'unixepoch') as recording_next_retry_at,
       cast(null as text) as final_transcript
from calls c
left join recordings r on r.rowid = (
  select q.rowid from recordings q
  where q.business_id = c.business_id and q.call_sid = c.call_sid
  order by (q.status = 'expired' or q.for_good), (q.status <> 'ready'), (q.status not in ('queued', 'downloading')),
    coalesce(q.started_at, q.first_seen_at) desc, q.recording_sid desc
  limit 1);
