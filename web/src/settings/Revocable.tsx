// A list of credentials, each of which can be revoked: keys, sessions, shared links.
import { type ReactNode, useState } from 'react'
import { useTranslation } from '../i18n'
import { Revoke } from './Revoke'

const FIRST = 20 // rows; the others on demand

export interface Column<Row> {
  title: string
  of: (row: Row) => ReactNode
}

interface RevocableProps<Row> {
  rows: readonly Row[]
  idOf: (row: Row) => string | number
  /** The name of a row, for the first column and the words of its button. */
  nameOf: (row: Row) => string
  head: Column<Row>
  columns: Column<Row>[]
  revoke: (row: Row) => Promise<void>
  done: () => void
}

export function Revocable<Row>({ rows, idOf, nameOf, head, columns, revoke, done }: RevocableProps<Row>) {
  const { t } = useTranslation()
  const [all, setAll] = useState(false)
  const shown = all ? rows : rows.slice(0, FIRST)
  return (
    <>
      <div className="scrolls">
        <table className="plain-table settings-table">
          <thead>
            <tr>
              {[head, ...columns].map(({ title }) => (
                <th scope="col" key={title}>
                  {title}
                </th>
              ))}
              <th scope="col">
                <span className="unseen">{t('settings.revoke')}</span>
              </th>
            </tr>
          </thead>
          <tbody>
            {shown.map((row) => (
              <tr key={idOf(row)} data-id={idOf(row)}>
                <th scope="row">{head.of(row)}</th>
                {columns.map(({ title, of }) => (
                  <td key={title} data-title={title}>
                    {of(row)}
                  </td>
                ))}
                <td className="settings-act">
                  <Revoke what={nameOf(row)} revoke={() => revoke(row)} done={done} />
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      {shown.length < rows.length && (
        <button type="button" className="quiet" onClick={() => setAll(true)}>
          {t('settings.showAll', { count: rows.length })}
        </button>
      )}
    </>
  )
}
