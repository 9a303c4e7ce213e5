import { join } from 'node:path'
import { localProcess } from './local-process/index.ts'
import { networkNamespace } from './network-namespace/index.ts'
import type { User } from './process-host/site.ts'
import type { Provider } from './provider.ts'

export type ProvidersConfig = {
  /** Where local machines are kept: an absolute path through which the unprivileged user may pass. */
  readonly machinesDir: string
  readonly binDirs: readonly string[]
  readonly libraryPaths: readonly string[]
  /** Whom the programs of local machines run as when the control plane is root. */
  readonly user: User | undefined
  /** The TCP ports that databases listen on. */
  readonly ports: readonly number[]
}

/** Every provider there is; each says itself whether it can work here. */
export const providers = (config: ProvidersConfig): readonly Provider[] => {
  const { machinesDir, binDirs, libraryPaths, user, ports } = config
  const programs = { binDirs, libraryPaths, ...(user === undefined ? {} : { user }) }
  return [
    localProcess({ ...programs, machinesDir: join(machinesDir, 'local'), ports }),
    networkNamespace({ ...programs, machinesDir: join(machinesDir, 'netns') }),
  ]
}
