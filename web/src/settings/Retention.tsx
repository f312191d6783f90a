// How long the business keeps its recordings. A shorter time removes what is older, for good: it is asked once more.
import { useId, useState } from 'react'
import type { Business } from '../api/types'
import { useTranslation } from '../i18n'
import { daysIn, isShorter } from './days'
import { Form, useSave } from './Form'

const MOST_DAYS = 36_500
type Choice = 'default' | 'forever' | 'days'

const choiceOf = (days: number | null): Choice => (days === null ? 'default' : days === 0 ? 'forever' : 'days')

export function Retention({ business }: { business: Business }) {
  const { t } = useTranslation()
  const id = useId()
  const [chosen, setChosen] = useState<Choice | null>(null)
  const [text, setText] = useState<string | null>(null)
  const [asked, setAsked] = useState(false)
  const save = useSave(() => {
    setChosen(null)
    setText(null)
  })
  const { retention_days: kept, default_retention_days: standard } = business
  const choice = chosen ?? choiceOf(kept)
  const typed = text ?? (kept ? String(kept) : '')
  const days = choice === 'default' ? null : choice === 'forever' ? 0 : daysIn(typed, MOST_DAYS)
  const shorter = days !== undefined && isShorter(days, kept, standard)
  const words = {
    default: t('settings.keptDefault', {
      time: standard === 0 ? t('settings.forEver') : t('settings.days', { count: standard }),
    }),
    forever: t('settings.keptForEver'),
    days: t('settings.keptDays'),
  }
  const submit = () => {
    if (days === undefined) return
    if (shorter && !asked) return setAsked(true)
    setAsked(false)
    save.mutate({ retention_days: days })
  }
  const change = (to: Choice) => {
    setAsked(false)
    setChosen(to)
  }
  return (
    <Form
      save={save}
      changed={days !== undefined && days !== kept}
      submit={submit}
      label={asked ? t('settings.reallyShorter') : undefined}
      danger={asked}
    >
      <fieldset className="choices">
        <legend>{t('settings.retention')}</legend>
        {(['default', 'forever', 'days'] as const).map((one) => (
          <label key={one}>
            <input type="radio" name={id} checked={choice === one} onChange={() => change(one)} /> {words[one]}
          </label>
        ))}
        <label>
          <span className="unseen">{t('settings.keptDays')}</span>
          <input
            inputMode="numeric"
            size={6}
            value={typed}
            aria-describedby={`${id}-help`}
            aria-invalid={choice === 'days' && text !== null && days === undefined ? true : undefined}
            onChange={(event) => {
              change('days')
              setText(event.target.value)
            }}
          />
        </label>
      </fieldset>
      <p id={`${id}-help`} className="help">
        {t('settings.retentionHelp')}
      </p>
      {asked && (
        <p className="wrong" role="alert">
          {t('settings.shorterText', { count: days || standard })}
        </p>
      )}
    </Form>
  )
}
