import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { type Endpoint, needOf } from '../../domain/kernel/endpoint.ts'
import { may, type Need, ROLES } from '../../domain/kernel/roles.ts'
import { everyEndpoint } from './every-endpoint.ts'

export const PAGE = join(import.meta.dirname, '..', '..', 'docs', 'roles.md')
const BEGIN = '<!-- generated: every call -->'

const NEEDS: readonly Need[] = ['self', 'audit', 'look', 'operate', 'administer', 'own']
const OTHERS: Readonly<Record<Exclude<Endpoint['access'], 'user'>, string>> = {
  public: 'Anybody',
  admin: "An operator's session",
  basic: 'The machine account of operators, by HTTP Basic',
  'admin-or-basic': "An operator's session, or the machine account",
}

const byPath = (one: Endpoint, other: Endpoint): number =>
  `${one.path} ${one.method}` < `${other.path} ${other.method}` ? -1 : 1

/** The table of every call, and of who may make it. */
export const rolesTable = (endpoints: readonly Endpoint[]): string => {
  const own = endpoints.filter(({ access }) => access === 'user').toSorted(byPath)
  const rows = NEEDS.flatMap((need) =>
    own
      .filter((endpoint) => needOf(endpoint) === need)
      .map(({ method, path }) => {
        const allowed = ROLES.map((role) => (may(role, need) ? 'yes' : '–'))
        return `| \`${method} ${path}\` | ${need} | ${allowed.join(' | ')} |`
      }),
  )
  const others = Object.entries(OTHERS).flatMap(([access, who]) => {
    const calls = endpoints.filter((endpoint) => endpoint.access === access).toSorted(byPath)
    return calls.length === 0 ? [] : ['', `${who}:`, '', ...calls.map(({ method, path }) => `- \`${method} ${path}\``)]
  })
  return [
    `| call | needs | ${ROLES.join(' | ')} |`,
    `|---|---|${ROLES.map(() => '---|').join('')}`,
    ...rows,
    '',
    '## Calls of no role',
    ...others,
    '',
  ].join('\n')
}

/** What the page says after its beginning, which is written by hand. */
export const pageTable = (): string => readFileSync(PAGE, 'utf8').split(`${BEGIN}\n\n`)[1] ?? ''

// Run by hand when a call is new, or another role is let in.
if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const { endpoints, close } = await everyEndpoint()
  const [head = ''] = readFileSync(PAGE, 'utf8').split(BEGIN)
  writeFileSync(PAGE, `${head}${BEGIN}\n\n${rolesTable(endpoints)}`)
  await close()
}
