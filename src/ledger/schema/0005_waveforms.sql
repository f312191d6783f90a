-- Peaks of recordings that are ready: audiowaveform's binary data format, version 2, some kilobytes each.

create table waveforms (
  business_id   integer not null,
  recording_sid text    not null,
  bytes         blob    not null,
  primary key (business_id, recording_sid)
);

create trigger recordings_forget_waveform after delete on recordings begin
  delete from waveforms where business_id = old.business_id and recording_sid = old.recording_sid;
end;

create trigger recordings_expire_waveform after update of status on recordings when new.status = 'expired' begin
  delete from waveforms where business_id = new.business_id and recording_sid = new.recording_sid;
end;
