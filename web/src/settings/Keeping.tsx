// Legal holds that are in force, holds on a number, and the erasure of a person by number.
import { useInfiniteQuery, useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { type FormEvent, useId, useState } from 'react'
import { erase, getErasure, holdNumber, listHolds, removeHoldById } from '../api/api'
import { codeOf } from '../api/http'
import type { Hold } from '../api/types'
import { useTranslation } from '../i18n'
import { useFormat } from '../i18n/useFormat'
import { announce } from '../ui/Announcer'
import { MoreRows } from '../ui/MoreRows'
import { Wrong } from '../ui/Wrong'
import { useMakers } from './makers'
import { Revocable } from './Revocable'

const holdsKey = ['holds']
const REASON_MAX = 200

export function Keeping() {
  const { t } = useTranslation()
  const { date } = useFormat()
  const client = useQueryClient()
  const makerOf = useMakers()
  const list = useInfiniteQuery({
    queryKey: holdsKey,
    queryFn: ({ pageParam, signal }) => listHolds(pageParam, { signal }),
    initialPageParam: '',
    getNextPageParam: (page) => page.next_cursor,
  })
  const refresh = () => void client.invalidateQueries({ queryKey: holdsKey })
  const holds = list.data?.pages.flatMap((page) => page.holds) ?? []
  const nameOf = (hold: Hold) => hold.number ?? hold.call_sid ?? hold.recording_sid ?? ''
  return (
    <section className="panel" aria-labelledby="keeping">
      <h2 id="keeping">{t('keeping.title')}</h2>
      <h3>{t('keeping.holds')}</h3>
      <p className="help">{t('keeping.holdsHelp')}</p>
      <HoldNumber made={refresh} />
      <Wrong why={list.error} />
      {list.data && holds.length === 0 && <p className="muted">{t('keeping.noHolds')}</p>}
      {holds.length > 0 && (
        <Revocable
          rows={holds}
          idOf={(hold) => hold.hold_id}
          nameOf={nameOf}
          revoke={(hold) => removeHoldById(hold.hold_id)}
          done={refresh}
          head={{
            title: t('keeping.on'),
            of: (hold) => (
              <bdi dir="ltr" className="sid">
                {nameOf(hold)}
              </bdi>
            ),
          }}
          columns={[
            { title: t('keeping.reason'), of: (hold) => <bdi>{hold.reason}</bdi> },
            { title: t('keeping.by'), of: (hold) => <bdi>{makerOf(hold.by)}</bdi> },
            { title: t('settings.made'), of: (hold) => date(new Date(hold.at)) },
          ]}
        />
      )}
      <MoreRows of={list} />
      <h3>{t('keeping.erasure')}</h3>
      <p className="help">{t('keeping.erasureHelp')}</p>
      <Erase />
    </section>
  )
}

function HoldNumber({ made }: { made: () => void }) {
  const { t } = useTranslation()
  const ids = { number: useId(), reason: useId() }
  const [number, setNumber] = useState('')
  const [reason, setReason] = useState('')
  const hold = useMutation({
    mutationFn: () => holdNumber(number.trim(), reason.trim()),
    onSuccess: () => {
      announce(t('keeping.held'), { shown: true })
      setNumber('')
      setReason('')
      made()
    },
  })
  const good = number.trim() && reason.trim()
  return (
    <form
      className="settings-form"
      onSubmit={(event: FormEvent) => {
        event.preventDefault()
        if (good && !hold.isPending) hold.mutate()
      }}
    >
      <label htmlFor={ids.number}>{t('keeping.number')}</label>
      <input
        id={ids.number}
        type="tel"
        dir="ltr"
        autoComplete="off"
        value={number}
        onChange={(event) => setNumber(event.target.value)}
      />
      <label htmlFor={ids.reason}>{t('keeping.reason')}</label>
      <input
        id={ids.reason}
        maxLength={REASON_MAX}
        autoComplete="off"
        value={reason}
        onChange={(event) => setReason(event.target.value)}
      />
      <button type="submit" className="button" disabled={!good || hold.isPending}>
        {t('keeping.hold')}
      </button>
      <Wrong why={hold.error} />
    </form>
  )
}

/** Asks once more, and then shows how far it is. */
function Erase() {
  const { t } = useTranslation(['app', 'errors'])
  const id = useId()
  const [number, setNumber] = useState('')
  const [asked, setAsked] = useState(false)
  const begin = useMutation({
    mutationFn: () => erase(number.trim()),
    onSuccess: () => setNumber(''),
    onSettled: () => setAsked(false),
  })
  const code = begin.error && codeOf(begin.error)
  return (
    <>
      <form
        className="settings-form"
        onSubmit={(event: FormEvent) => {
          event.preventDefault()
          if (number.trim() && !begin.isPending) asked ? begin.mutate() : setAsked(true)
        }}
      >
        <label htmlFor={id}>{t('keeping.erased')}</label>
        <input
          id={id}
          type="tel"
          dir="ltr"
          autoComplete="off"
          value={number}
          onChange={(event) => {
            setAsked(false)
            setNumber(event.target.value)
          }}
        />
        {asked && (
          <p className="wrong" role="alert">
            {t('keeping.reallyErase')}
          </p>
        )}
        <button type="submit" className="button danger" disabled={!number.trim() || begin.isPending}>
          {asked ? t('keeping.eraseNow') : t('keeping.erase')}
        </button>
        {code && (
          <p className="wrong" role="alert">
            {code === 'conflict' ? t('keeping.ownNumber') : t(`errors:${code}`)}
          </p>
        )}
      </form>
      {begin.data && <Certificate id={begin.data.erasure_id} />}
    </>
  )
}

function Certificate({ id }: { id: number }) {
  const { t } = useTranslation()
  const { dateTime } = useFormat()
  const { data, error } = useQuery({
    queryKey: ['erasure', id],
    queryFn: ({ signal }) => getErasure(id, { signal }),
    staleTime: 0,
    refetchInterval: (query) => (query.state.data?.status === 'done' ? false : 1000),
  })
  if (!data) return <Wrong why={error} />
  return (
    <div role="status" className="certificate" data-erasure={data.status}>
      <p>
        {data.ended_at
          ? t('keeping.certificate', { when: dateTime(new Date(data.ended_at)), id })
          : t('keeping.eraseRuns')}
      </p>
      <p>
        {t('keeping.erasedCounts', { calls: data.calls, recordings: data.recordings, edited: data.edited })}{' '}
        {data.held > 0 && t('keeping.erasedHeld', { count: data.held })}
      </p>
      <p>
        <bdi dir="ltr" className="sid">
          {data.digest}
        </bdi>
      </p>
    </div>
  )
}
