import { useEffect, useId, useRef } from 'react'
import { type Translate, useTranslation } from '../i18n'
import './keys.css'

const player = [
  ['keyPlay', 'Space', 'K'],
  ['keySkip5', '←', '→'],
  ['keySkip10', 'J', 'L'],
  ['keyShare', '0', '9'],
  ['keyStep', 'P', 'N'],
  ['keySpeed', '[', ']'],
  ['keyMute', 'M'],
  ['keySearch', '/'],
  ['keyHelp', '?'],
] as const
const transcript = [
  ['keyLine', '↑', '↓'],
  ['keyWord', '←', '→'],
  ['keyPlay', 'Enter'],
  ['keyCorrect', 'F2'],
] as const

/** Explains each key. */
export default function KeysHelp({ close }: { close: () => void }) {
  const { t } = useTranslation('player')
  const { t: said } = useTranslation('transcript')
  const dialog = useRef<HTMLDialogElement>(null)
  const title = useId()
  useEffect(() => dialog.current?.showModal(), [])
  return (
    <dialog ref={dialog} className="dialog" aria-labelledby={title} onClose={close}>
      <h2 id={title}>{t('keys')}</h2>
      <Keys of={player} say={t} />
      <p className="help">{t('keysAnywhere')}</p>
      <h3>{said('keys')}</h3>
      <Keys of={transcript} say={said} />
      <div className="dialog-end">
        <button type="button" className="button" onClick={() => dialog.current?.close()}>
          {t('closeHelp')}
        </button>
      </div>
    </dialog>
  )
}

function Keys({ of, say }: { of: readonly (readonly [what: string, ...names: string[]])[]; say: Translate }) {
  const { t } = useTranslation('player')
  return (
    <dl className="keys">
      {of.map(([what, ...names]) => (
        <div key={what}>
          <dt dir="ltr">
            {names.map((name) => (
              <kbd key={name}>{name === 'Space' ? t('space') : name}</kbd>
            ))}
          </dt>
          <dd>{say(what)}</dd>
        </div>
      ))}
    </dl>
  )
}
