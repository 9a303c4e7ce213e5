import { type Config, required } from '../../config.ts'
import { engines } from '../../engines/index.ts'
import { providers } from '../../providers/index.ts'
import type { Provider } from '../../providers/provider.ts'

/** The providers as this installation has them. */
export const providersOf = ({ machines }: Config): readonly Provider[] =>
  providers({
    machinesDir: required(machines.dir, 'MACHINES_DIR'),
    binDirs: machines.binDirs,
    libraryPaths: machines.libraryDirs,
    user: machines.user,
    ports: engines.map(({ port }) => port),
  })
