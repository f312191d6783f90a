import { useEffect } from 'react'
import { Route, Routes, useLocation } from 'react-router'
import { CallsPage } from '../calls/CallsPage'
import { withAllWords } from '../i18n'
import { SessionGate } from '../signin/SessionGate'
import { Crash } from './Crash'
import { LazyPage, PageLost } from './LazyPage'
import { Lost } from './Lost'
import { Shell } from './Shell'

const callPage = () => import('../call/CallPage')
const healthPage = () => import('../health/HealthPage')
const settingsPage = () => import('../settings/SettingsPage')

export function App() {
  useEffect(preload, [])
  return (
    <SessionGate>
      <Shell>
        <Pages />
      </Shell>
    </SessionGate>
  )
}

/** Each address has its own boundary: an error on one page does not break the next page. */
function Pages() {
  const { pathname } = useLocation()
  return (
    <Crash key={pathname} fallback={(again) => <PageLost again={again} />}>
      <Routes>
        <Route index element={<CallsPage />} />
        <Route path="signed-out" element={<CallsPage />} />
        <Route path="calls" element={<CallsPage />} />
        <Route path="calls/:sid" element={<LazyPage key="call" load={callPage} />} />
        <Route path="health" element={<LazyPage key="health" load={healthPage} />} />
        <Route path="settings" element={<LazyPage key="settings" load={settingsPage} />} />
        <Route path="*" element={<Lost />} />
      </Routes>
    </Crash>
  )
}

const IDLE_MS = 2500

/** People open the page of a call next. Its code is loaded beforehand, but after all that the list needs. */
function preload() {
  const timer = setTimeout(() => void withAllWords(callPage)().catch(() => undefined), IDLE_MS)
  return () => clearTimeout(timer)
}
