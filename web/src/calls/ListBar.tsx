// Above the list: how many calls there are, and what can be done with the list as it is.
import { type FormEvent, useId, useState } from 'react'
import { settings, useSettings } from '../app/settings'
import { useFile } from '../app/useFile'
import { useTranslation } from '../i18n'
import { useFormat } from '../i18n/useFormat'
import { useSession } from '../signin/session'
import { announce } from '../ui/Announcer'
import { Icon } from '../ui/Icon'
import { Popover } from '../ui/Popover'
import { type Column, movedColumn, orderOf, withColumn } from './columns'
import { useViews } from './views'

interface Props {
  total: { n: number; exact: boolean } | null
  columns: readonly Column[]
  search: string
  show: (search: string) => void
  csv: string
  choose: (() => void) | null // begins to choose calls; null: there are none
}

export function ListBar({ total, columns, search, show, csv, choose }: Props) {
  const { t } = useTranslation()
  const { number } = useFormat()
  const download = useFile()
  return (
    <div className="list-bar">
      <p className="list-total" role="status">
        {total && t(total.exact ? 'calls.total' : 'calls.totalMore', { count: total.n, n: number(total.n) })}
      </p>
      <Views search={search} show={show} />
      <div className="list-columns">
        <Columns columns={columns} />
      </div>
      <a
        className="button popover-button"
        href={csv}
        download
        onClick={download}
        aria-label={t('calls.csvOf')}
        data-tip={t('calls.csvOf')}
      >
        <Icon name="download" />
        CSV
      </a>
      {choose && (
        <button
          type="button"
          className="button popover-button"
          aria-label={t('calls.choose')}
          data-tip={t('calls.choose')}
          onClick={choose}
        >
          <Icon name="check" />
        </button>
      )}
    </div>
  )
}

function Views({ search, show }: Pick<Props, 'search' | 'show'>) {
  const { t } = useTranslation()
  const { business_id } = useSession()
  const { views, save, remove } = useViews(business_id)
  const [name, setName] = useState('')
  const field = useId()
  const now = views.find((view) => view.search === search)
  return (
    <Popover label={t('calls.views')} words={now?.name ?? t('calls.views')} set={now !== undefined}>
      {(close) => (
        <div className="views">
          {views.length === 0 && <p className="muted">{t('calls.noViews')}</p>}
          <ul>
            {views.map((view) => (
              <li key={view.name}>
                <button
                  type="button"
                  className="quiet"
                  aria-current={view === now || undefined}
                  onClick={() => {
                    show(view.search)
                    close()
                  }}
                >
                  <bdi>{view.name}</bdi>
                </button>
                <button
                  type="button"
                  className="icon-button small"
                  aria-label={t('calls.removeView', { name: view.name })}
                  onClick={() => remove(view.name)}
                >
                  <Icon name="close" />
                </button>
              </li>
            ))}
          </ul>
          {search !== '' && (
            <form
              onSubmit={(event: FormEvent) => {
                event.preventDefault()
                if (!name.trim()) return
                save({ name: name.trim(), search })
                announce(t('calls.viewSaved'), { shown: true })
                setName('')
                close()
              }}
            >
              <label htmlFor={field}>{t('calls.saveView')}</label>
              <div className="views-save">
                <input
                  id={field}
                  value={name}
                  maxLength={60}
                  dir="auto"
                  autoComplete="off"
                  onChange={(event) => setName(event.target.value)}
                />
                <button type="submit" className="button primary" disabled={!name.trim()}>
                  {t('calls.save')}
                </button>
              </div>
            </form>
          )}
        </div>
      )}
    </Popover>
  )
}

function Columns({ columns }: { columns: readonly Column[] }) {
  const { t } = useTranslation()
  const { columns: chosen, widths, dense } = useSettings()
  const set = (next: Column[] | null) => settings.set({ columns: next })
  const name = (column: Column) => t(`calls.columns.${column}`)
  return (
    <Popover label={t('calls.columnsTitle')} icon="columns" bare>
      {() => (
        <div className="column-choice">
          <ul>
            {orderOf(columns).map((column) => {
              const at = columns.indexOf(column)
              return (
                <li key={column}>
                  <label className="check">
                    <input
                      type="checkbox"
                      checked={at >= 0}
                      onChange={(event) => set(withColumn(columns, column, event.target.checked))}
                    />
                    {name(column)}
                  </label>
                  <button
                    type="button"
                    className="icon-button small column-up"
                    disabled={at <= 0}
                    aria-label={t('calls.columnEarlier', { name: name(column) })}
                    onClick={() => set(movedColumn(columns, column, -1))}
                  >
                    <Icon name="chevron" />
                  </button>
                  <button
                    type="button"
                    className="icon-button small"
                    disabled={at < 0 || at === columns.length - 1}
                    aria-label={t('calls.columnLater', { name: name(column) })}
                    onClick={() => set(movedColumn(columns, column, 1))}
                  >
                    <Icon name="chevron" />
                  </button>
                </li>
              )
            })}
          </ul>
          <label className="check">
            <input
              type="checkbox"
              checked={dense}
              onChange={(event) => settings.set({ dense: event.target.checked })}
            />
            {t('calls.dense')}
          </label>
          {(chosen || widths) && (
            <button type="button" className="quiet" onClick={() => settings.set({ columns: null, widths: null })}>
              {t('calls.columnsUsual')}
            </button>
          )}
        </div>
      )}
    </Popover>
  )
}
