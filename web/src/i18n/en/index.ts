export { default as app } from './app.json'
export { default as errors } from './errors.json'
export { default as player } from './player.json'
