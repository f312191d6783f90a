import { useMutation } from '@tanstack/react-query'
import { useState } from 'react'
import { codeOf } from '../api/http'
import { useTranslation } from '../i18n'
import { announce } from '../ui/Announcer'

interface RevokeProps {
  what: string
  revoke: () => Promise<void>
  done: () => void
  /** Below a list: the button says what it revokes. */
  all?: boolean
}

/** A button that asks for confirmation before it revokes. */
export function Revoke({ what, revoke, done, all = false }: RevokeProps) {
  const { t } = useTranslation(['app', 'errors'])
  const [asked, setAsked] = useState(false)
  const end = useMutation({
    mutationFn: revoke,
    onSuccess: () => {
      announce(t('settings.revoked', { what }), { shown: true })
      done()
    },
    onError: (why) => announce(t(`errors:${codeOf(why)}`), { shown: true }),
    onSettled: () => setAsked(false),
  })
  if (!asked)
    return (
      <button
        type="button"
        className="quiet"
        aria-label={t('settings.revokeWhat', { what })}
        onClick={() => setAsked(true)}
      >
        {all ? t('settings.revokeWhat', { what }) : t('settings.revoke')}
      </button>
    )
  return (
    <span className="revoke">
      <button
        type="button"
        className="button danger"
        // biome-ignore lint/a11y/noAutofocus: it stands where the reader just pressed
        autoFocus
        disabled={end.isPending}
        aria-label={t('settings.reallyRevoke', { what })}
        onClick={() => end.mutate()}
      >
        {t('settings.really')}
      </button>
      <button type="button" className="quiet" onClick={() => setAsked(false)}>
        {t('call.cancel')}
      </button>
    </span>
  )
}
