export type Cell = string | number | null

/** A spreadsheet takes a cell that begins so for a formula, and would do as it says. */
const FORMULA = /^[=+\-@\t\r\n\uFF1D\uFF0B\uFF0D\uFF20]/

/** A cell by RFC 4180, quoted always; an apostrophe makes text of what would be taken for a formula. */
const cellOf = (value: Cell): string => {
  if (value === null) return ''
  const text = String(value)
  return `"${(typeof value === 'string' && FORMULA.test(text) ? `'${text}` : text).replaceAll('"', '""')}"`
}

/** A line of a table as RFC 4180 has it, with its line break. */
export const csvLine = (cells: readonly Cell[]): string => `${cells.map(cellOf).join(',')}\r\n`

/**
 * A table as a file to keep.
 *
 * @param lines as `csvLine` makes them
 */
export const csvReply = (name: string, lines: readonly string[]) => ({
  status: 200,
  stream: { type: 'text/csv; charset=utf-8', chunks: inOrder(lines) },
  headers: { 'Content-Disposition': `attachment; filename="${name}"` },
})

async function* inOrder(lines: readonly string[]): AsyncGenerator<string, void> {
  yield* lines
}
