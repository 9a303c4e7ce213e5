import pg from 'pg'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { type Parameter, parametersOf, validationOptions, valuesRefusal } from '../../domain/catalogue/parameters.ts'
import { readCatalogue } from '../../infra/catalogue/read-catalogue.ts'
import { startPostgres } from '../support/postgres.ts'

const test = suite('the parameters of the catalogue')

const vendor = readCatalogue().vendors.find(({ engine }) => engine === 'postgresql')
const type = vendor?.types[0]?.code ?? ''

type Setting = {
  readonly name: string
  readonly context: string
  readonly vartype: string
  readonly unit: string | null
  readonly min_val: string | null
  readonly max_val: string | null
  readonly enumvals: readonly string[] | null
  readonly boot_val: string | null
}

const postgres = await startPostgres()
test.after(() => postgres.stop())

const settingsOf = async (): Promise<{ readonly version: string; readonly settings: ReadonlyMap<string, Setting> }> => {
  const client = new pg.Client({ connectionString: postgres.url })
  await client.connect()
  try {
    const { rows } = await client.query<Setting>(
      'select name, context, vartype, unit, min_val, max_val, enumvals, boot_val from pg_settings',
    )
    const { rows: [told] } = await client.query<{ version: number }>(
      "select current_setting('server_version_num')::int / 10000 as version",
    )
    return { version: String(told?.version), settings: new Map(rows.map((row) => [row.name, row])) }
  } finally {
    await client.end()
  }
}

const { version, settings } = await settingsOf()
const offered = parametersOf(vendor ?? {}, { version, type })

const TYPES: Readonly<Record<string, Parameter['type']>> = { bool: 'boolean', enum: 'select', integer: 'number', real: 'number' }

test('are those of a server that is offered', () => {
  assert.ok(vendor?.versions.includes(version), `the server here is of version ${version}`)
  assert.ok(offered.length > 50)
})

for (const parameter of offered) {
  test(`${parameter.name} is what the server says of it`, () => {
    const { name, type: kind, takes, unit, min, max, fraction = false, allowed = [] } = parameter
    const setting = settings.get(name)
    if (setting === undefined) return assert.unreachable(`the server has no ${name}`)
    assert.is(kind, TYPES[setting.vartype])
    assert.is(fraction, setting.vartype === 'real')
    assert.is(takes, setting.context === 'postmaster' ? 'restart' : 'reload')
    assert.is(unit, setting.unit ?? undefined)
    assert.ok(!['internal'].includes(setting.context))
    if (kind === 'number') {
      assert.ok((min ?? -Infinity) >= Number(setting.min_val), `min ${min}, the server's is ${setting.min_val}`)
      assert.ok((max ?? Infinity) <= Number(setting.max_val), `max ${max}, the server's is ${setting.max_val}`)
      assert.is(Number(parameter.default), Number(setting.boot_val))
    } else assert.is(parameter.default, setting.boot_val)
    for (const value of allowed) assert.ok(setting.enumvals?.includes(value), `${value} is no value of ${name}`)
  })
}

test('are refused by the name of the parameter and the rule', () => {
  const because = (values: Readonly<Record<string, string>>) => valuesRefusal(offered, values)?.because
  assert.is(because({ lock_timeout: '1000', jit: 'off', random_page_cost: '1.1', log_statement: 'ddl' }), undefined)
  assert.is(because({ lock_timeout: '1s' }), 'parameters.lock_timeout must be a whole number of ms')
  assert.is(because({ lock_timeout: '-1' }), 'parameters.lock_timeout must be between 0 and 2147483647 ms')
  assert.is(because({ random_page_cost: '' }), 'parameters.random_page_cost must be a number')
  assert.is(because({ random_page_cost: '1e999' }), 'parameters.random_page_cost must be between 0 and 1e+21')
  assert.is(because({ jit: 'maybe' }), 'parameters.jit must be on or off')
  assert.is(because({ log_statement: 'x' }), 'parameters.log_statement must be one of: none, ddl, mod, all')
  assert.is(because({ shared_buffers: '1GB' }), 'parameters.shared_buffers: there is no such parameter to be set here')
  assert.is(because({ constructor: '1' }), 'parameters.constructor: there is no such parameter to be set here')
})

test('can be told apart by exact version and by type', () => {
  const base = { description: 'd', type: 'number', default: '0', min: 0, max: 10, takes: 'reload' } as const
  const parameters: readonly Parameter[] = [
    { ...base, name: 'a', versions: ['10.6'] }, { ...base, name: 'b', types: ['galera'] }, { ...base, name: 'c' },
  ]
  const names = (one: string, other: string) =>
    parametersOf({ parameters }, { version: one, type: other }).map(({ name }) => name)
  assert.equal(names('10.6', 'replication'), ['a', 'c'])
  assert.equal(names('10.11', 'galera'), ['b', 'c'])
})

test('of text are held to their length, their form, and the list of what may be in them', () => {
  const mode: Parameter = {
    name: 'sql_mode', description: 'd', type: 'text', default: '', takes: 'reload',
    allowed: ['ANSI', 'TRADITIONAL'], maxLength: 20,
  }
  const name: Parameter = {
    name: 'collation', description: 'd', type: 'text', default: 'x', regex: '^[a-z0-9_]+$', takes: 'reload',
  }
  const because = (parameter: Parameter, value: string) => valuesRefusal([parameter], { [parameter.name]: value })?.because
  assert.is(because(mode, 'ansi, TRADITIONAL'), undefined)
  assert.is(because(mode, ''), undefined)
  assert.is(because(mode, 'NO_AUTO'), 'parameters.sql_mode must be a list with commas of: ANSI, TRADITIONAL')
  assert.is(because(mode, 'ANSI,ANSI,ANSI,ANSI,ANSI'), 'parameters.sql_mode must have 0 to 20 characters')
  assert.is(because(name, 'utf8mb4_bin'), undefined)
  assert.is(because(name, 'a; drop'), 'parameters.collation must match ^[a-z0-9_]+$')
  assert.is(because(name, 'a\nb'), 'parameters.collation must not hold control characters')
  assert.is(validationOptions(mode), 'max_length=20')
})

test.run()
