import { spawn } from 'node:child_process'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { placeOf } from './place.ts'
import { parseOptions, UsageError, type Command } from './usage.ts'

export const logs: Command = async (args) => {
  const { values, positionals } = parseOptions(args, {
    options: { state: { type: 'string' }, lines: { type: 'string', default: '100' }, follow: { type: 'boolean' } },
    allowPositionals: true,
  })
  const { stateDir } = await placeOf(values.state)
  const folder = join(stateDir, 'logs')
  const names = (await readdir(folder).catch(() => []))
    .filter((file) => file.endsWith('.log'))
    .map((file) => file.slice(0, -'.log'.length))
  if (names.length === 0) throw new UsageError(`nothing has been logged in ${stateDir}`)
  const [name = '', ...rest] = positionals
  if (rest.length > 0 || !names.includes(name)) {
    throw new UsageError(`logs wants one of these names: ${names.toSorted().join(', ')}`)
  }
  if (!/^\d{1,9}$/.test(values.lines)) throw new UsageError(`--lines wants a number, not ${values.lines}`)
  // -F: the file is cut when it has grown too long.
  const follow = values.follow === true ? ['-F'] : []
  const tail = spawn('tail', ['-n', values.lines, ...follow, join(folder, `${name}.log`)], { stdio: 'inherit' })
  return new Promise((resolve, reject) => {
    tail.on('error', reject)
    tail.on('exit', (code) => resolve(code ?? 0))
  })
}
