import { chmod, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { providers } from '../../infra/providers/index.ts'
import type { Provider } from '../../infra/providers/provider.ts'

/** `nobody` of Debian: what test machines run as when the tests are root. */
const NOBODY = { uid: 65534, gid: 65534 }

export type Bench = {
  readonly providers: readonly Provider[]
  readonly folder: string
  /** Removes whatever the providers still hold, and the folder. */
  readonly clear: () => Promise<void>
}

/**
 * Every registered provider, over a given folder.
 *
 * @param binDirs where programs lie that the system has not
 */
export const localProviders = (machinesDir: string, binDirs: readonly string[] = []): readonly Provider[] => {
  const user = process.getuid?.() === 0 ? NOBODY : undefined
  return providers({ machinesDir, binDirs, libraryPaths: [], user, ports: [] })
}

/** Every registered provider over a folder of its own. */
export const bench = async (binDirs: readonly string[] = []): Promise<Bench> => {
  const folder = await mkdtemp(join(tmpdir(), 'ccx-machines-'))
  await chmod(folder, 0o755)
  const every = localProviders(folder, binDirs)
  return {
    providers: every,
    folder,
    async clear() {
      for (const provider of every) {
        if ((await provider.unavailable()) !== undefined) continue
        const left = await provider.list()
        for (const { kind, resourceId } of left) if (kind === 'machine') await provider.deleteMachine(resourceId)
        for (const { kind, resourceId } of left) if (kind === 'network') await provider.deleteNetwork(resourceId)
      }
      await rm(folder, { recursive: true, force: true })
    },
  }
}
