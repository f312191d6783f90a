// Actions on a whole transcript.
import { useTranslation } from '../i18n'
import { useFormat } from '../i18n/useFormat'
import { announce } from '../ui/Announcer'
import { Icon } from '../ui/Icon'
import { Menu, MenuGroup, MenuItem } from '../ui/Menu'
import { TranscriptIcon } from './icons'
import { type Line, plainText } from './lines'
import { type Format, fileUrl } from './requests'
import { useSpeakerName } from './speakerName'
import { useTranscribing } from './useTranscript'

const formats: readonly Format[] = ['txt', 'srt', 'vtt']

interface Props {
  sid: string
  lines: readonly Line[]
  version: number | null // null: the newest
  swap: (() => void) | null
  again: boolean
}

export function Tools({ sid, lines, version, swap, again }: Props) {
  const { t } = useTranslation(['transcript', 'app'])
  const { clock } = useFormat()
  const nameOf = useSpeakerName()
  const asking = useTranscribing(sid)
  async function copy() {
    try {
      await navigator.clipboard.writeText(plainText(lines, nameOf, clock))
      announce(t('app:call.copied'), { shown: true })
    } catch {
      announce(t('notCopied'), { shown: true })
    }
  }
  return (
    <div className="transcript-tools">
      {swap && (
        <button type="button" className="button" onClick={swap}>
          <TranscriptIcon name="swap" />
          {t('swap')}
        </button>
      )}
      <Menu label={t('more')} icon="download" words={t('copyOrDownload')} className="button">
        {(close) => (
          <>
            <MenuItem
              icon="copy"
              act={() => {
                close()
                void copy()
              }}
            >
              {t('copy')}
            </MenuItem>
            <MenuGroup label={t('download')}>
              {formats.map((format) => (
                <a
                  key={format}
                  role="menuitem"
                  tabIndex={-1}
                  className="menu-item"
                  href={fileUrl(sid, format, version)}
                  download
                  onClick={close}
                >
                  <span className="menu-tick">
                    <Icon name="download" />
                  </span>
                  <span>{t(`as.${format}`)}</span>
                </a>
              ))}
            </MenuGroup>
            {again && (
              <MenuItem
                icon="again"
                act={() => {
                  close()
                  asking.mutate(true)
                }}
              >
                {t('transcribeAgain')}
              </MenuItem>
            )}
          </>
        )}
      </Menu>
    </div>
  )
}
