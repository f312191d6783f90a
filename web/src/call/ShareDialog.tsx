import { useMutation } from '@tanstack/react-query'
import { useEffect, useId, useRef, useState } from 'react'
import { signUrl } from '../api/api'
import { Problem } from '../api/http'
import type { Call, Recording } from '../api/types'
import { useTranslation } from '../i18n'
import { useFormat } from '../i18n/useFormat'
import { usePlayer } from '../player/PlayerProvider'
import { Copy } from '../ui/Copy'

const lives: [number, string][] = [
  [600, 'min10'],
  [3600, 'hour'],
  [86_400, 'day'],
]

/** A link for somebody without a key: a page with the player alone, and the same for pages of others. */
export function ShareDialog({ call, recording, close }: { call: Call; recording: Recording; close: () => void }) {
  const sid = recording.recording_sid ?? ''
  const { t } = useTranslation(['app', 'errors'])
  const { dateTime } = useFormat()
  const { engine } = usePlayer()
  const dialog = useRef<HTMLDialogElement>(null)
  const [seconds, setSeconds] = useState(3600)
  const make = useMutation({ mutationFn: () => signUrl(sid, seconds) })
  const ids = { title: useId(), link: useId(), embed: useId() }
  useEffect(() => dialog.current?.showModal(), [])
  const signed = make.data && new URL(make.data.url, document.baseURI)
  const { swapped } = engine.state.listening
  const page = signed && pageOf(sid, signed.search, call, swapped)
  const element =
    signed &&
    `<script type="module" src="${new URL('callreel-player.js', document.baseURI)}"></script>\n<callreel-player src="${signed}"${call.direction ? ` direction="${call.direction}" swapped="${swapped}"` : ''}></callreel-player>`
  return (
    <dialog ref={dialog} className="dialog" aria-labelledby={ids.title} onClose={close}>
      <h2 id={ids.title}>{t('share.title')}</h2>
      <p className="muted">{t('share.lead')}</p>
      <div className="share-make">
        <label>
          {t('share.ttl')}{' '}
          <select value={seconds} onChange={(event) => setSeconds(Number(event.target.value))}>
            {lives.map(([value, words]) => (
              <option key={value} value={value}>
                {t(`share.${words}`)}
              </option>
            ))}
          </select>
        </label>
        <button type="button" className="button primary" disabled={make.isPending} onClick={() => make.mutate()}>
          {t('share.make')}
        </button>
      </div>
      {make.isError && (
        <p className="wrong" role="alert">
          {t(`errors:${make.error instanceof Problem ? make.error.code : 'internal'}`)}
        </p>
      )}
      {make.data && page && element && (
        <div role="status">
          <label htmlFor={ids.link}>{t('share.link')}</label>
          <div className="share-row">
            <input id={ids.link} readOnly dir="ltr" value={page} onFocus={(event) => event.target.select()} />
            <Copy text={page} words />
          </div>
          <label htmlFor={ids.embed}>{t('share.embed')}</label>
          <div className="share-row">
            <textarea
              id={ids.embed}
              readOnly
              dir="ltr"
              rows={3}
              value={element}
              onFocus={(event) => event.target.select()}
            />
            <Copy text={element} words />
          </div>
          <p className="help">{t('share.until', { when: dateTime(new Date(make.data.expires_at)) })}</p>
        </div>
      )}
      <div className="dialog-end">
        <button type="button" className="button" onClick={() => dialog.current?.close()}>
          {t('share.close')}
        </button>
      </div>
    </dialog>
  )
}

/** The address of the player's own page. Beside the signed part it says which party is on which channel, as the sender sees it. */
function pageOf(sid: string, signed: string, call: Call, swapped: boolean): string {
  const page = new URL(`embed/${sid}${signed}`, document.baseURI)
  if (call.direction) {
    page.searchParams.set('dir', call.direction)
    page.searchParams.set('swap', swapped ? '1' : '0')
  }
  return page.href
}
