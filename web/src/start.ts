// The entry. It is small, and asks for everything that the first page waits for side by side: the rest of the script, the words of
// the reader's language, and who is signed in.
import './styles/base.css'
import './styles/parts.css'
import { askEarly } from './app/early'

askEarly()
void import('./main')
