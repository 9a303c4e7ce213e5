import { chmod, mkdir, readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'

const PROGRAM_FOLDERS = ['usr/sbin', 'usr/bin', 'sbin', 'bin']

/** Where Debian keeps libraries under an unpacked root: one folder per architecture. */
export const libraryFolders = async (root: string): Promise<readonly string[]> => {
  const nested = await Promise.all(
    ['usr/lib', 'lib'].map(async (folder) => {
      const names = await readdir(join(root, folder)).catch(() => [])
      return names.filter((name) => /-linux-gnu/.test(name)).map((name) => join(folder, name))
    }),
  )
  return nested.flat().toSorted()
}

/**
 * Makes `root/launchers/` with one small script per unpacked program, which lets it find its own libraries wherever the
 * root stands and by whomever it is called. A script becomes the program (exec), so its process id is the program's.
 *
 * @param root a folder that Debian packages were unpacked into
 */
export const writeLaunchers = async (root: string): Promise<void> => {
  const libraries = await libraryFolders(root)
  const folder = join(root, 'launchers')
  await mkdir(folder, { mode: 0o755 })
  const versions = await readdir(join(root, 'usr/lib/postgresql')).catch((): string[] => [])
  const libraryPath = libraries.map((library) => `$root/${library}`).join(':')
  // The folders named later win, so a release's own folder beats the wrappers of the distribution.
  for (const programs of [...PROGRAM_FOLDERS, ...versions.map((name) => `usr/lib/postgresql/${name}/bin`)]) {
    for (const name of await readdir(join(root, programs)).catch(() => [])) {
      const script = [
        '#!/bin/sh',
        'root=${0%/*}/..',
        `export LD_LIBRARY_PATH="${libraryPath}"`,
        `exec "$root/${programs}/${name}" "$@"`,
        '',
      ]
      await writeFile(join(folder, name), script.join('\n'), { mode: 0o755 })
    }
  }
  await chmod(folder, 0o755)
}
