import react from '@vitejs/plugin-react'
import { defineConfig, type UserConfig } from 'vite'

// The pages: index.html, embed.html and hashed assets. URLs are relative, so that <base> decides where they are.
const pages: UserConfig = {
  base: './',
  plugins: [react()],
  build: {
    target: 'es2022',
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    rollupOptions: { input: ['index.html', 'embed.html'] },
  },
  server: {
    host: '127.0.0.1',
    proxy: Object.fromEntries(
      ['/api', '/signin'].map((path) => [path, process.env.CALLREEL_URL ?? 'http://127.0.0.1:8080']),
    ),
  },
}

// The custom element: one file with a name that never changes, for pages of other origins.
const player: UserConfig = {
  publicDir: false,
  build: {
    target: 'es2022',
    emptyOutDir: false,
    lib: { entry: 'src/embed/element.ts', formats: ['es'], fileName: () => 'callreel-player.js' },
  },
}

export default defineConfig(({ mode }) => (mode === 'player' ? player : pages))
