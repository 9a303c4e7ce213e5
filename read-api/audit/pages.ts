import type { Filter } from './asked.ts'
import type { AuditQueries } from './index.ts'
import { entriesOf } from './rows.ts'
import { type Shown, type Viewer, shown } from './shown.ts'

const PAGE = 200

export type Exporting = AuditQueries & {
  readonly organisation: string
  readonly filter: Filter
  readonly principal: Viewer['principal']
  readonly signal: Pick<AbortSignal, 'aborted'>
}

/**
 * The entries of a trail, oldest first, page by page: no more than one page is held at a time.
 *
 * @param below only the entries before this one
 */
export async function* pagesOf(exporting: Exporting, below: number): AsyncGenerator<readonly Shown[], void> {
  const { db, personal, organisation, filter, principal, signal } = exporting
  let cursor: string | undefined
  while (!signal.aborted) {
    const rows = await entriesOf(db, { organisation, filter, order: 'oldest', cursor, limit: PAGE, below })
    if (rows.length > 0) yield await shown({ db, open: personal.open, principal }, rows)
    cursor = rows.at(-1)?.n
    if (rows.length < PAGE) return
  }
}
