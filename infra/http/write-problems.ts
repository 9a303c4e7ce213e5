import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { problemsPage } from './problems.ts'

// Run by hand after a change of the table; a test compares the two.
writeFileSync(join(import.meta.dirname, '..', '..', 'docs', 'problems.md'), problemsPage())
