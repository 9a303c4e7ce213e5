// limit: 300 s
import { chmod, mkdir, readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { parseListFile, parseSourcesFile, sourcesForSuite } from '../../infra/embedded/apt-sources.ts'
import { execute } from '../../infra/embedded/execute.ts'
import { findPrograms } from '../../infra/embedded/programs.ts'
import { inTemporaryFolder } from '../support/temporary-folder.ts'

const programs = suite('programs')
const env = { PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin' }

const chainOf = (error: unknown): string => (error instanceof Error ? `${error.message}; ${chainOf(error.cause)}` : '')

programs('are unpacked from the machine\'s own package source, by two at once, and run where they lie', () =>
  inTemporaryFolder(async (dir) => {
    const options = { dir, env, privateOnly: true }
    const [one, two] = await Promise.all([findPrograms(['network'], options), findPrograms(['network'], options)])
    assert.is(one.bin('ip'), join(dir, 'network/launchers/ip'))
    assert.is(two.bin('ip'), one.bin('ip'))
    assert.equal(one.binDirs, [join(dir, 'network/launchers')])
    assert.is(one.rootOf('ip'), join(dir, 'network'))
    assert.equal(await readdir(dir), ['network'], 'nothing is left over')
    assert.match(await execute([one.bin('ip'), '-Version'], { env: {} }), /^ip utility/)

    // Without any package source, because everything is there.
    const again = await findPrograms(['network'], { ...options, etcApt: join(dir, 'nowhere') })
    assert.is(again.bin('ip'), one.bin('ip'))
  }))

programs('are named in one line, with what to install, when the machine has no package source', () =>
  inTemporaryFolder(async (dir) => {
    const missing = await findPrograms(['nats-server'], { dir, env, privateOnly: true, etcApt: join(dir, 'nowhere') })
      .then(() => '', chainOf)
    assert.match(missing, 'nats-server is missing and cannot be fetched; install nats-server (2.9 or newer)')
    assert.match(missing, 'no configured package source can serve Debian bookworm')
    assert.equal(await readdir(dir), [])
  }))

const pretender = async (folder: string, name: string, says: string): Promise<void> => {
  await mkdir(folder, { recursive: true })
  await writeFile(join(folder, name), `#!/bin/sh\necho "${says}"\n`)
  await chmod(join(folder, name), 0o755)
}

programs('of the system are taken when their version will do, and only then', () =>
  inTemporaryFolder(async (dir) => {
    await pretender(join(dir, 'old'), 'nats-server', 'nats-server: v2.8.4')
    await pretender(join(dir, 'new'), 'nats-server', 'nats-server: v2.11.0')
    const found = await findPrograms(['nats-server'], { dir, env: { PATH: `${join(dir, 'old')}:${join(dir, 'new')}` } })
    assert.is(found.bin('nats-server'), join(dir, 'new/nats-server'))
    assert.is(found.rootOf('nats-server'), undefined)
    assert.equal(found.libraryDirs, [])
  }))

const sources = suite('package sources')

sources('are read in the one-line format', () => {
  const text = [
    '# deb http://old.example/debian bookworm main',
    'deb [arch=amd64 signed-by=/k.gpg] http://a.example/debian bookworm main contrib # ours',
    'deb-src http://a.example/debian bookworm main',
    'deb http://s.example/debian-security bookworm-security main',
  ]
  assert.equal(parseListFile(text.join('\n')), [
    { uris: ['http://a.example/debian'], suites: ['bookworm'], components: ['main', 'contrib'], signedBy: '/k.gpg' },
    {
      uris: ['http://s.example/debian-security'],
      suites: ['bookworm-security'],
      components: ['main'],
      signedBy: undefined,
    },
  ])
})

sources('are read in the deb822 format, with key blocks and without what is switched off', () => {
  const text = [
    'Types: deb deb-src', 'URIs: http://a.example/debian', '# a remark', 'Suites: bookworm bookworm-updates',
    'Components: main', 'Signed-By:', ' -----BEGIN-----', ' .', ' abc', '',
    'Enabled: no', 'Types: deb', 'URIs: http://b.example/', 'Suites: bookworm', 'Components: main', '',
  ]
  assert.equal(parseSourcesFile(text.join('\n')), [
    {
      uris: ['http://a.example/debian'],
      suites: ['bookworm', 'bookworm-updates'],
      components: ['main'],
      signedBy: '\n -----BEGIN-----\n .\n abc',
    },
  ])
})

sources('that serve this system\'s suite serve another one too, with its security archive', () => {
  const configured = [
    ...parseListFile('deb [signed-by=/k.gpg] http://a.example/debian trixie main'),
    ...parseListFile('deb http://s.example/security trixie-security main'),
    ...parseListFile('deb http://c.example/apt tools main\ndeb http://d.example/debian trixie contrib'),
  ]
  assert.is(
    sourcesForSuite(configured, 'bookworm', 'trixie'),
    'Types: deb\nURIs: http://a.example/debian\nSuites: bookworm\nComponents: main\nSigned-By: /k.gpg\n\n' +
      'Types: deb\nURIs: http://s.example/security\nSuites: bookworm-security\nComponents: main\n',
  )
  assert.is(sourcesForSuite([], 'bookworm', 'bookworm'), '')
})

sources.run()
programs.run()
