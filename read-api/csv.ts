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
