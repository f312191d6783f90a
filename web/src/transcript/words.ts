// The words of transcripts. They come with the first part that shows one, so that the first page stays small.
import { addWords } from '../i18n'
import en from '../i18n/en/transcript.json'
import he from '../i18n/he/transcript.json'

addWords('transcript', { en, he })
