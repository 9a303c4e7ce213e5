import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'

/** One package archive that the machine's administrator has configured. */
export type AptSource = {
  readonly uris: readonly string[]
  readonly suites: readonly string[]
  readonly components: readonly string[]
  /** A keyring's path, a fingerprint or a whole key block, as it was written; undefined: apt's default keyrings. */
  readonly signedBy: string | undefined
}

const words = (text: string | undefined): readonly string[] => text?.split(/\s+/).filter((word) => word !== '') ?? []

/**
 * Reads the one-line format (`deb [options] uri suite component…`, sources.list(5)).
 *
 * @param text a `.list` file's content
 */
export const parseListFile = (text: string): readonly AptSource[] =>
  text.split('\n').flatMap((line) => {
    const match = /^\s*deb\s+(?:\[([^\]]*)\]\s+)?(\S+)\s+(\S+)\s*([^#]*)/.exec(line)
    if (match === null) return []
    const [, options, uri, suite, components] = match
    if (uri === undefined || suite === undefined) return []
    const signedBy = /(?:^|\s)signed-by=(\S+)/i.exec(options ?? '')?.[1]?.replaceAll(',', ' ')
    return [{ uris: [uri], suites: [suite], components: words(components), signedBy }]
  })

/**
 * Reads the deb822 format (stanzas of `Field: value`, sources.list(5)).
 *
 * @param text a `.sources` file's content
 */
export const parseSourcesFile = (text: string): readonly AptSource[] => {
  const withoutComments = text.split('\n').filter((line) => !line.startsWith('#')).join('\n')
  return withoutComments.split(/\n\s*\n/).flatMap((stanza) => {
    const fields = new Map<string, string>()
    for (const match of stanza.matchAll(/^([A-Za-z-]+):((?:.*)(?:\n[ \t].*)*)/gm)) {
      const [, name, value] = match
      if (name === undefined || value === undefined) continue
      fields.set(name.toLowerCase(), value.replace(/^[ \t]+/, '').trimEnd())
    }
    const disabled = /^(no|false|0|off)$/i.test(fields.get('enabled') ?? 'yes')
    if (disabled || !words(fields.get('types')).includes('deb')) return []
    return [
      {
        uris: words(fields.get('uris')),
        suites: words(fields.get('suites')),
        components: words(fields.get('components')),
        signedBy: fields.get('signed-by'),
      },
    ]
  })
}

const textOf = (path: string): Promise<string> => readFile(path, 'utf8').catch(() => '')

/**
 * All archives configured on the machine.
 *
 * @param etcApt apt's configuration folder
 */
export const aptSources = async (etcApt = '/etc/apt'): Promise<readonly AptSource[]> => {
  const folder = join(etcApt, 'sources.list.d')
  const names = (await readdir(folder).catch((): string[] => [])).toSorted()
  const parse = async (path: string): Promise<readonly AptSource[]> => {
    if (path.endsWith('.sources')) return parseSourcesFile(await textOf(path))
    return path.endsWith('.list') ? parseListFile(await textOf(path)) : []
  }
  const paths = [join(etcApt, 'sources.list'), ...names.map((name) => join(folder, name))]
  return (await Promise.all(paths.map(parse))).flat()
}

/**
 * Where a Debian suite can be had: the mirrors that serve this machine's own suite serve the others too.
 *
 * @param suite the wanted suite's codename
 * @param own the codename of the machine's own system
 * @returns a deb822 text for a private sources file; empty when no configured archive will do
 */
export const sourcesForSuite = (sources: readonly AptSource[], suite: string, own: string): string => {
  const stanzas = sources.flatMap((source) => {
    if (!source.components.includes('main')) return []
    const kinds = [
      { names: [suite, own], wanted: suite },
      { names: [`${suite}-security`, `${own}-security`], wanted: `${suite}-security` },
    ].filter(({ names }) => source.suites.some((name) => names.includes(name)))
    return kinds.map(({ wanted }) =>
      [
        'Types: deb',
        `URIs: ${source.uris.join(' ')}`,
        `Suites: ${wanted}`,
        'Components: main',
        ...(source.signedBy === undefined ? [] : [`Signed-By: ${source.signedBy}`]),
      ].join('\n'),
    )
  })
  return [...new Set(stanzas)].map((stanza) => `${stanza}\n`).join('\n')
}
