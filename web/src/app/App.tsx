import { lazy, Suspense } from 'react'
import { Route, Routes } from 'react-router'
import { CallsPage } from '../calls/CallsPage'
import { SessionGate } from '../signin/SessionGate'
import { Lost } from './Lost'
import { Shell } from './Shell'

const CallPage = lazy(() => import('../call/CallPage'))
const HealthPage = lazy(() => import('../health/HealthPage'))

export function App() {
  return (
    <SessionGate>
      <Shell>
        <Suspense fallback={null}>
          <Routes>
            <Route index element={<CallsPage />} />
            <Route path="signed-out" element={<CallsPage />} />
            <Route path="calls/:sid" element={<CallPage />} />
            <Route path="health" element={<HealthPage />} />
            <Route path="*" element={<Lost />} />
          </Routes>
        </Suspense>
      </Shell>
    </SessionGate>
  )
}
