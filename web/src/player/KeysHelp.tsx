import { useEffect, useId, useRef } from 'react'
import { useTranslation } from '../i18n'
import './keys.css'

const keys = [
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

/** What each key does. */
export default function KeysHelp({ close }: { close: () => void }) {
  const { t } = useTranslation('player')
  const dialog = useRef<HTMLDialogElement>(null)
  const title = useId()
  useEffect(() => dialog.current?.showModal(), [])
  return (
    <dialog ref={dialog} className="dialog" aria-labelledby={title} onClose={close}>
      <h2 id={title}>{t('keys')}</h2>
      <dl className="keys">
        {keys.map(([what, ...names]) => (
          <div key={what}>
            <dt dir="ltr">
              {names.map((name) => (
                <kbd key={name}>{name === 'Space' ? t('space') : name}</kbd>
              ))}
            </dt>
            <dd>{t(what)}</dd>
          </div>
        ))}
      </dl>
      <p className="help">{t('keysAnywhere')}</p>
      <div className="dialog-end">
        <button type="button" className="button" onClick={() => dialog.current?.close()}>
          {t('closeHelp')}
        </button>
      </div>
    </dialog>
  )
}
