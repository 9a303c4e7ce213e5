import { type Config, givenSettings, inheritedEnvironment, readConfig } from '../../config.ts'
import { openState } from '../../embedded/state.ts'
import { instance, PORTS } from './instance.ts'
import { placeOf } from './place.ts'
import { liveReport } from './report.ts'

/**
 * How to reach the stores of an instance that is up.
 *
 * @param stateDir of the instance; undefined: the repository's own
 * @throws when the instance is not up
 */
export const runningConfig = async (stateDir: string | undefined): Promise<Config> => {
  const place = await placeOf(stateDir)
  if (liveReport(place.stateDir) === undefined)
    throw new Error(`nothing runs in ${place.stateDir}; start it with ./ccx up`)
  const state = await openState({ dir: place.stateDir, ports: PORTS, user: place.user })
  // Nothing is started here, so it does not matter where the programs are.
  const programs = { bin: (name: string) => name, rootOf: () => undefined, binDirs: [] }
  const { environmentOf } = instance({ state, programs, given: givenSettings(), inherited: inheritedEnvironment() })
  return readConfig({ ...environmentOf('all-in-one') })
}
