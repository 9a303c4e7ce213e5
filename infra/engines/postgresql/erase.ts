import type { Engine } from '../engine.ts'
import { guardOf } from './lease.ts'
import { ATTEMPT_PREFIX, layoutOf, unitOf } from './layout.ts'

const ERASE_TIMEOUT_MS = 600_000

/** SIGQUIT ends the server without a last checkpoint: nobody will read this cluster again. */
export const erase: Engine['erase'] = async (host) => {
  const layout = layoutOf(host)
  await host.stop(guardOf(layout))
  await host.stop({ ...unitOf(layout), stopSignal: 'SIGQUIT', stopTimeoutMs: 5_000 })
  const ours = [...layout.folders, `${ATTEMPT_PREFIX}*`].flatMap((folder) => ['-o', '-name', folder]).slice(1)
  await host.run(
    ['find', layout.dataDir, '-mindepth', '1', '-maxdepth', '1', '(', ...ours, ')', '-exec', 'rm', '-rf', '{}', '+'],
    { timeoutMs: ERASE_TIMEOUT_MS },
  )
}
