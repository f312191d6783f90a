export { default as pages } from './pages.json'
export { default as transcript } from './transcript.json'
