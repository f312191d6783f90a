import type { Finding } from '../api/types'
import { useTranslation } from '../i18n'
import { Icon } from '../ui/Icon'
import '../ui/panels.css'

/** Findings in words, with the steps to take. */
export function Findings({ findings }: { findings: readonly Finding[] }) {
  const { t } = useTranslation()
  return findings.map(({ code, level, text, todo }) => (
    <div className={`finding finding-${level}`} key={code} data-finding={code}>
      <Icon name={level === 'ok' ? 'well' : 'alert'} />
      <p>
        <strong>{t(`setup.finding.${code}`, { defaultValue: text })}</strong>{' '}
        {todo && t(`setup.todo.${code}`, { defaultValue: todo })}
      </p>
    </div>
  ))
}
