// A form of the settings for how long something is kept. A shorter time removes older objects for good, so it asks for confirmation.
import { useId, useState } from 'react'
import type { BusinessPatch } from '../api/types'
import { useTranslation } from '../i18n'
import { daysIn, isShorter } from './days'
import { Form, useSave } from './Form'

const MOST_DAYS = 36_500
type Choice = 'default' | 'forever' | 'days'

const choiceOf = (days: number | null): Choice => (days === null ? 'default' : days === 0 ? 'forever' : 'days')

interface DaysFormProps {
  /** null: as the installation says; 0: for ever. */
  kept: number | null
  standard: number
  patch: (days: number | null) => BusinessPatch
  /** In their order; no default: kept is never null. */
  words: { [choice in Choice]?: string } & { days: string }
  legend: string
  help: string
  /** A sentence on the objects that a shorter time removes. */
  warning: (days: number) => string
}

export function DaysForm({ kept, standard, patch, words, legend, help, warning }: DaysFormProps) {
  const { t } = useTranslation()
  const id = useId()
  const [chosen, setChosen] = useState<Choice | null>(null)
  const [text, setText] = useState<string | null>(null)
  const [asked, setAsked] = useState(false)
  const save = useSave(() => {
    setChosen(null)
    setText(null)
  })
  const choice = chosen ?? choiceOf(kept)
  const typed = text ?? (kept ? String(kept) : '')
  const days = choice === 'default' ? null : choice === 'forever' ? 0 : daysIn(typed, MOST_DAYS)
  const shorter = days !== undefined && isShorter(days, kept, standard)
  const submit = () => {
    if (days === undefined) return
    if (shorter && !asked) return setAsked(true)
    setAsked(false)
    save.mutate(patch(days))
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
        <legend>{legend}</legend>
        {(['default', 'forever', 'days'] as const)
          .filter((one) => words[one])
          .map((one) => (
            <label key={one}>
              <input type="radio" name={id} checked={choice === one} onChange={() => change(one)} /> {words[one]}
            </label>
          ))}
        <label>
          <span className="unseen">{words.days}</span>
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
        {help}
      </p>
      {asked && (
        <p className="wrong" role="alert">
          {warning(days || standard)}
        </p>
      )}
    </Form>
  )
}
