// Links to files. A browser shows nothing when a download is refused. So the page asks before, and says if the session is over, if
// nothing answers, or if the recording is gone.
import { type MouseEvent, useCallback } from 'react'
import { getSession, getStatus } from '../api/api'
import { codeOf, Problem } from '../api/http'
import { useTranslation } from '../i18n'
import { announce } from '../ui/Announcer'
import { saveAs } from '../ui/saveAs'

/** Handles a press on such a link. `sid`: the recording that is downloaded. */
export function useFile(sid?: string) {
  const { t } = useTranslation('errors')
  return useCallback(
    async (event: MouseEvent<HTMLAnchorElement>) => {
      if (event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return
      event.preventDefault()
      const { href } = event.currentTarget
      try {
        if (sid === undefined) {
          if (!(await getSession())) return
        } else if ((await getStatus(sid)).status === 'expired') throw new Problem(410, 'gone', null)
        saveAs(href)
      } catch (why) {
        // Without a session a dialog asks for one.
        if (codeOf(why) !== 'unauthorized') announce(t(codeOf(why)), { shown: true })
      }
    },
    [sid, t],
  )
}
