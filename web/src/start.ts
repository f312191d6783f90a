// The entry. It is small, and requests side by side everything that the first page waits for: the rest of the script, the words of
// the reader's language, and the session.
import './styles/base.css'
import './styles/parts.css'
import { askEarly } from './app/early'

askEarly()
void import('./main')
