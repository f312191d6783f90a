// Actions on the chosen calls: an archive of their recordings, a tag, a CSV file, deletion.
import { useQueryClient } from '@tanstack/react-query'
import { type FormEvent, type ReactNode, useId, useState } from 'react'
import { deleteCall, patchCall } from '../../api/api'
import type { Call } from '../../api/types'
import { useTranslation } from '../../i18n'
import { useFormat } from '../../i18n/useFormat'
import { useSession } from '../../signin/session'
import { announce } from '../../ui/Announcer'
import { Icon } from '../../ui/Icon'
import { Popover } from '../../ui/Popover'
import { saveBlob } from '../../ui/saveAs'
import { csvOf } from './csv'
import { bytesOf, fetchFile, readyOf } from './fetchFiles'
import { type Outcome, useWork } from './useWork'
import { type ZipFile, zipOf } from './zip'
import './bulk.css'

const MOST_BYTES = 1_000_000_000 // of one archive: it is put together in the browser
const MOST_TAGS = 20

interface Props {
  chosen: readonly Call[]
  shown: number // calls that are loaded
  chooseAll: () => void
  chooseNone: () => void
  close: () => void
}

export default function Bulk({ chosen, shown, chooseAll, chooseNone, close }: Props) {
  const { t } = useTranslation(['app', 'errors'])
  const { number } = useFormat()
  const { role } = useSession()
  const client = useQueryClient()
  const { work, run, stop } = useWork()
  const [outcome, setOutcome] = useState<string | null>(null)
  const none = chosen.length === 0

  function tell({ done, left, code }: Outcome, what: string) {
    const words = [t(what, { count: done, n: number(done) })]
    if (left > 0) words.push(t('bulk.left', { count: left, n: number(left) }))
    if (code) words.push(t(`errors:${code}`))
    setOutcome(words.join(' '))
  }
  async function change(what: string, items: readonly Call[], act: (call: Call) => Promise<unknown>) {
    tell(await run(items, act), what)
    void client.invalidateQueries({ queryKey: ['calls'] })
  }
  const download = useDownload(run, tell, setOutcome)
  return (
    <section className="bulk" aria-label={t('bulk.title')}>
      <div className="bulk-row">
        <strong className="bulk-count" role="status">
          {t('bulk.chosen', { count: chosen.length, n: number(chosen.length) })}
        </strong>
        <button type="button" className="quiet" onClick={chosen.length < shown ? chooseAll : chooseNone}>
          {chosen.length < shown ? t('bulk.all', { count: shown, n: number(shown) }) : t('bulk.none')}
        </button>
        <button
          type="button"
          className="icon-button bulk-close"
          aria-label={t('bulk.close')}
          data-tip={t('bulk.close')}
          onClick={close}
        >
          <Icon name="close" />
        </button>
        <span className="bulk-acts">
          <button
            type="button"
            className="button popover-button"
            disabled={work !== null || readyOf(chosen).length === 0}
            onClick={() => void download(chosen)}
          >
            <Icon name="download" />
            {t('bulk.download')}
          </button>
          {role !== 'viewer' && !work && !none && <TagForm chosen={chosen} change={change} />}
          <button
            type="button"
            className="button popover-button"
            disabled={none}
            onClick={() => saveBlob(new Blob([csvOf(chosen)], { type: 'text/csv' }), `${t('bulk.file')}.csv`)}
          >
            CSV
          </button>
          {role === 'admin' && !work && !none && (
            <Deletion
              count={chosen.length}
              act={() => void change('bulk.deleted', chosen, (c) => deleteCall(c.call_sid))}
            />
          )}
        </span>
      </div>
      {work && (
        <p className="bulk-line" role="status">
          <progress value={work.done} max={work.of} aria-label={t('bulk.title')} />
          <span className="digits">{t('bulk.progress', { done: number(work.done), of: number(work.of) })}</span>
          <button type="button" className="quiet" onClick={stop}>
            {t('bulk.stop')}
          </button>
        </p>
      )}
      {outcome && !work && (
        <p className="bulk-line" role="status">
          {outcome}
        </p>
      )}
    </section>
  )
}

type Run = ReturnType<typeof useWork>['run']
type Tell = (outcome: Outcome, what: string) => void

function useDownload(run: Run, tell: Tell, say: (text: string) => void) {
  const { t } = useTranslation()
  const { size } = useFormat()
  return async (calls: readonly Call[]) => {
    const wanted = readyOf(calls)
    const most = size(MOST_BYTES)
    if (bytesOf(wanted) > MOST_BYTES) return say(t('bulk.tooMuch', { size: size(bytesOf(wanted)), most }))
    const files: ZipFile[] = []
    const outcome = await run(wanted, async (one, signal) => files.push(await fetchFile(one, signal)))
    const day = new Intl.DateTimeFormat('sv', { dateStyle: 'short' }).format(new Date()) // 2026-03-01
    if (files.length > 0) saveBlob(await zipOf(files), `${t('bulk.file')} ${day}.zip`)
    tell(outcome, 'bulk.downloaded')
  }
}

interface TagProps {
  chosen: readonly Call[]
  change: (what: string, items: readonly Call[], act: (call: Call) => Promise<unknown>) => Promise<void>
}

function TagForm({ chosen, change }: TagProps) {
  const { t } = useTranslation()
  const [text, setText] = useState('')
  const field = useId()
  const tag = text.trim()
  const theirs = [...new Set(chosen.flatMap((call) => call.tags))].sort((a, b) => a.localeCompare(b))
  const put = (close: () => void) => (event: FormEvent) => {
    event.preventDefault()
    const without = chosen.filter((call) => !call.tags.includes(tag))
    if (without.some((call) => call.tags.length >= MOST_TAGS)) return announce(t('bulk.fullOfTags'), { shown: true })
    close()
    setText('')
    void change('bulk.tagged', without, (call) => patchCall(call.call_sid, { tags: [...call.tags, tag] }))
  }
  const takeOff = (one: string) =>
    change(
      'bulk.untagged',
      chosen.filter((call) => call.tags.includes(one)),
      (call) => patchCall(call.call_sid, { tags: call.tags.filter((it) => it !== one) }),
    )
  return (
    <Popover label={t('bulk.tags')}>
      {(close) => (
        <div className="bulk-tags">
          <form onSubmit={put(close)}>
            <label htmlFor={field}>{t('call.addTag')}</label>
            <div className="views-save">
              <input
                id={field}
                value={text}
                maxLength={40}
                dir="auto"
                autoComplete="off"
                onChange={(event) => setText(event.target.value)}
              />
              <button type="submit" className="button primary" disabled={!tag}>
                {t('bulk.add')}
              </button>
            </div>
          </form>
          {theirs.length > 0 && (
            <ul aria-label={t('call.tags')}>
              {theirs.map((one) => (
                <li key={one} className="tag">
                  <bdi>{one}</bdi>
                  <button
                    type="button"
                    aria-label={t('call.removeTag', { tag: one })}
                    onClick={() => {
                      close()
                      void takeOff(one)
                    }}
                  >
                    <Icon name="close" />
                  </button>
                </li>
              ))}
            </ul>
          )}
        </div>
      )}
    </Popover>
  )
}

function Deletion({ count, act }: { count: number; act: () => void }): ReactNode {
  const { t } = useTranslation()
  const { number } = useFormat()
  return (
    <Popover label={t('bulk.delete')}>
      {(close) => (
        <div className="bulk-delete">
          <p>{t('bulk.reallyDelete', { count, n: number(count) })}</p>
          <button
            type="button"
            className="button danger"
            onClick={() => {
              close()
              act()
            }}
          >
            {t('history.deleteNow')}
          </button>
        </div>
      )}
    </Popover>
  )
}
