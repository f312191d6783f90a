// A form of the settings: its button stores the changes, and a refusal is shown below it.
import { useMutation, useQueryClient } from '@tanstack/react-query'
import type { FormEvent, ReactNode } from 'react'
import { patchBusiness } from '../api/api'
import type { BusinessPatch } from '../api/types'
import { useTranslation } from '../i18n'
import { announce } from '../ui/Announcer'
import { Wrong } from '../ui/Wrong'

export const businessKey = ['business']

/** Stores what was changed, and says so. */
export function useSave(done: () => void) {
  const { t } = useTranslation()
  const client = useQueryClient()
  return useMutation({
    mutationFn: (patch: BusinessPatch) => patchBusiness(patch),
    onSuccess: (business) => {
      client.setQueryData(businessKey, business)
      void client.invalidateQueries({ queryKey: ['setup'] })
      void client.invalidateQueries({ queryKey: ['session'] }) // has the name and the numbers' country
      announce(t('call.saved'), { shown: true })
      done()
    },
  })
}

interface FormProps {
  submit: () => void
  changed: boolean
  /** Of the button; default: Save. */
  label?: string
  danger?: boolean
  save: ReturnType<typeof useSave>
  children: ReactNode
}

export function Form({ submit, changed, label, danger = false, save, children }: FormProps) {
  const { t } = useTranslation()
  return (
    <form
      className="settings-form"
      onSubmit={(event: FormEvent) => {
        event.preventDefault()
        if (changed && !save.isPending) submit()
      }}
    >
      {children}
      <button type="submit" className={`button ${danger ? 'danger' : 'primary'}`} disabled={!changed || save.isPending}>
        {save.isPending ? t('settings.saving') : (label ?? t('call.save'))}
      </button>
      <Wrong why={save.error} />
    </form>
  )
}
