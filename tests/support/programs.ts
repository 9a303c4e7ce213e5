import { placeOf, programsPlace } from '../../infra/main/cli/place.ts'
import { findPrograms, type NeedName, type Programs } from '../../infra/embedded/programs.ts'

/** The programs that tests need: the system's own, else unpacked where `./ccx up` and `./ccx test` have them. */
export const testPrograms = async (...needs: readonly NeedName[]): Promise<Programs> =>
  findPrograms(needs, {
    dir: await programsPlace(await placeOf(undefined)),
    env: { PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin' },
  })
