import { QueryClientProvider } from '@tanstack/react-query'
import { createRoot } from 'react-dom/client'
import { BrowserRouter } from 'react-router'
import { App } from './app/App'
import { Crash } from './app/Crash'
import { queries } from './app/queries'
import { startWords } from './i18n'

const root = document.getElementById('root')
if (!root) throw new Error('no root')
await startWords()
createRoot(root).render(
  <Crash>
    <QueryClientProvider client={queries}>
      <BrowserRouter basename={new URL(document.baseURI).pathname.replace(/\/$/, '')}>
        <App />
      </BrowserRouter>
    </QueryClientProvider>
  </Crash>,
)
