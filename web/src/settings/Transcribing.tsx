// Settings of transcripts: which recordings get one, the language, and words that the engine should expect.
import { useId, useState } from 'react'
import type { Business } from '../api/types'
import { useTranslation } from '../i18n'
import { Form, useSave } from './Form'
import { bytesOf, isLanguage, languageChoices, languageName } from './languages'

const MOST_BYTES = 2000
const choices = ['all', 'asked', 'never'] as const

export function Transcribing({ business }: { business: Business }) {
  const { t } = useTranslation(['transcript', 'app'])
  return (
    <section className="panel" aria-labelledby="transcribing">
      <h2 id="transcribing">{t('settings.title')}</h2>
      <p className="help">{t(business.transcribes ? 'settings.help' : 'settings.noEngine')}</p>
      <Which business={business} />
      <Language business={business} />
      <Vocabulary business={business} />
    </section>
  )
}

function Which({ business }: { business: Business }) {
  const { t } = useTranslation('transcript')
  const id = useId()
  const [chosen, setChosen] = useState<(typeof choices)[number] | null>(null)
  const save = useSave(() => setChosen(null))
  const kept = business.transcribe ?? 'all'
  const choice = chosen ?? kept
  return (
    <Form save={save} changed={choice !== kept} submit={() => save.mutate({ transcribe: choice })}>
      <fieldset className="choices">
        <legend>{t('settings.which')}</legend>
        {choices.map((one) => (
          <label key={one}>
            <input type="radio" name={id} checked={choice === one} onChange={() => setChosen(one)} />{' '}
            {t(`settings.${one}`)}
          </label>
        ))}
      </fieldset>
    </Form>
  )
}

function Language({ business }: { business: Business }) {
  const { t, language: own } = useTranslation('transcript')
  const id = useId()
  const [text, setText] = useState<string | null>(null)
  const save = useSave(() => setText(null))
  const kept = business.language ?? ''
  const value = text ?? kept
  const standard = business.default_language ?? 'auto'
  const known = languageChoices.includes(value) || value === '' || value === 'auto'
  const named = (code: string) => (code === 'auto' ? t('settings.auto') : languageName(own, code))
  return (
    <Form
      save={save}
      changed={value !== kept && (value === '' || isLanguage(value))}
      submit={() => save.mutate({ language: value || null })}
    >
      <label htmlFor={id}>{t('settings.language')}</label>
      <select id={id} value={value} onChange={(event) => setText(event.target.value)}>
        <option value="">{t('settings.languageDefault', { language: named(standard) })}</option>
        <option value="auto">{t('settings.auto')}</option>
        {!known && <option value={value}>{named(value)}</option>}
        {languageChoices.map((code) => (
          <option key={code} value={code}>
            {named(code)}
          </option>
        ))}
      </select>
    </Form>
  )
}

function Vocabulary({ business }: { business: Business }) {
  const { t } = useTranslation('transcript')
  const id = useId()
  const [text, setText] = useState<string | null>(null)
  const save = useSave(() => setText(null))
  const kept = business.vocabulary ?? ''
  const value = text ?? kept
  const tooLong = bytesOf(value.trim()) > MOST_BYTES
  return (
    <Form
      save={save}
      changed={value.trim() !== kept && !tooLong}
      submit={() => save.mutate({ vocabulary: value.trim() || null })}
    >
      <label htmlFor={id}>{t('settings.vocabulary')}</label>
      <textarea
        id={id}
        rows={3}
        value={value}
        dir="auto"
        aria-describedby={`${id}-help`}
        aria-invalid={tooLong || undefined}
        onChange={(event) => setText(event.target.value)}
      />
      <p id={`${id}-help`} className={tooLong ? 'wrong' : 'help'}>
        {t(tooLong ? 'settings.vocabularyLong' : 'settings.vocabularyHelp')}
      </p>
    </Form>
  )
}
