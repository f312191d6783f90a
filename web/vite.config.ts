import react from '@vitejs/plugin-react'
import { defineConfig, type UserConfig } from 'vite'

// What the first page needs anyway is one file: a dozen small ones, shared with later pages, are 4 kB more.
const libraries = /node_modules\/(react|react-dom|scheduler|react-router|cookie|@tanstack)\//
const later = /(PlayerBar|KeysHelp|SignIn)\.tsx$|player\/(face|parts|seekbar|seeking|wave)\.ts$/
const firstPage = (id: string) => {
  if (libraries.test(id)) return 'first'
  const source = /\/src\/(?:main\.tsx|(?:api|app|calls|live|player|recording|signin|ui)\/|i18n\/\w+\.ts)/.test(id)
  return source && /\.tsx?$/.test(id) && !later.test(id) ? 'first' : undefined
}

// The pages: index.html, embed.html and hashed assets. URLs are relative, so that <base> decides where they are. Each is built by
// itself: what they shared would be small files of its own, which cost the first page more than they save.
const pageOf = (input: string, first: boolean): UserConfig => ({
  base: './',
  publicDir: first ? 'public' : false,
  plugins: [react()],
  build: {
    target: 'es2022',
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    emptyOutDir: first,
    rollupOptions: { input, output: { manualChunks: first ? firstPage : undefined } },
  },
  server: {
    host: '127.0.0.1',
    proxy: Object.fromEntries(
      ['/api', '/signin'].map((path) => [path, process.env.CALLREEL_URL ?? 'http://127.0.0.1:8080']),
    ),
  },
})

// The custom element: one file with a name that never changes, for pages of other origins.
const player: UserConfig = {
  publicDir: false,
  build: {
    target: 'es2022',
    emptyOutDir: false,
    lib: { entry: 'src/embed/element.ts', formats: ['es'], fileName: () => 'callreel-player.js' },
  },
}

export default defineConfig(({ mode }) => {
  if (mode === 'player') return player
  return mode === 'embed' ? pageOf('embed.html', false) : pageOf('index.html', true)
})
