import type { PersonalData } from '../domain/kernel/sealed.ts'

type Worded = {
  readonly name: string
  readonly tags: readonly string[]
  readonly notifications: { readonly enabled: boolean; readonly emails: readonly string[] }
}

/** The same rows with the tenant's own words opened. */
export const worded = async <Row extends Worded>(open: PersonalData['open'], rows: readonly Row[]): Promise<readonly Row[]> => {
  const texts = await open(rows.flatMap(({ name, tags, notifications }) => [name, ...tags, ...notifications.emails]))
  let next = 0
  const take = (count: number): readonly string[] => texts.slice(next, (next += count))
  return rows.map((row) => {
    const [name = ''] = take(1)
    const tags = take(row.tags.length)
    return { ...row, name, tags, notifications: { ...row.notifications, emails: take(row.notifications.emails.length) } }
  })
}
