import react from '@vitejs/plugin-react'
import { defineConfig, type Plugin, type UserConfig } from 'vite'

// What the first page needs anyway is one file: a dozen small ones, shared with later pages, are 4 kB more.
const libraries = /node_modules\/(react|react-dom|scheduler|react-router|cookie|@tanstack)\//
const later =
  /calls\/bulk\/|(PlayerBar|KeysHelp|SignIn)\.tsx$|player\/(face|marks|parts|seekbar|seeking|useDrawn|wave)\.ts$/
// The entry's; it must not wait for the rest.
const early =
  /\/src\/(?:start|app\/(?:early|kept)|calls\/(?:query|filterNames)|i18n\/(?:day|language|lookup))\.ts$|vite\/preload-helper/
const firstPage = (id: string) => {
  if (early.test(id)) return 'early'
  if (libraries.test(id)) return 'first'
  const source = /\/src\/(?:main\.tsx|(?:api|app|calls|live|player|recording|signin|ui)\/|i18n\/\w+\.ts)/.test(id)
  return source && /\.tsx?$/.test(id) && !later.test(id) ? 'first' : undefined
}

// The entry asks for its words and its session while the rest is still on its way: the browser is told of that at once.
const preloadFirst: Plugin = {
  name: 'preload-first',
  transformIndexHtml: (_, { bundle }) =>
    Object.values(bundle ?? {})
      .filter(({ type, name }) => type === 'chunk' && name === 'first')
      .map(({ fileName }) => ({
        tag: 'link',
        attrs: { rel: 'modulepreload', crossorigin: true, href: `./${fileName}` },
        injectTo: 'head',
      })),
}

// The pages: index.html, embed.html and hashed assets. URLs are relative, so that <base> decides where they are. Each is built by
// itself: what they shared would be small files of its own, which cost the first page more than they save.
const pageOf = (input: string, first: boolean): UserConfig => ({
  base: './',
  publicDir: first ? 'public' : false,
  plugins: first ? [react(), preloadFirst] : [react()],
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
