import { dirname, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { User } from '../../embedded/child.ts'
import { defaultStateDir, programsDir, unprivilegedUser } from '../../embedded/state.ts'

/** The folder of this repository or installation. */
export const repository = dirname(dirname(dirname(dirname(fileURLToPath(import.meta.url)))))

export type Place = {
  readonly stateDir: string
  readonly user: User | undefined
  /** What must be typed after a command to mean this instance. */
  readonly option: string
  /** What the user should be told about the choice, if anything. */
  readonly because: string | undefined
}

/**
 * Where an instance lives.
 *
 * @param stateDir what was asked for; undefined: the repository's own
 */
export const placeOf = async (stateDir: string | undefined): Promise<Place> => {
  const user = await unprivilegedUser()
  if (stateDir !== undefined) return { stateDir: resolve(stateDir), user, option: ` --state ${stateDir}`, because: undefined }
  const { dir, because } = await defaultStateDir(repository, user)
  return { stateDir: dir, user, option: '', because }
}

/** Where privately unpacked programs are kept: with the repository's own state, or else with this instance's. */
export const programsPlace = async ({ stateDir, user }: Place): Promise<string> => {
  const shared = (await defaultStateDir(repository, user)).dir
  return programsDir(shared).catch(() => programsDir(stateDir))
}

/** What the machines of this one need of it beside the database: only root can make more of them than processes. */
export const machineNeeds = ({ user }: Pick<Place, 'user'>): readonly ('network' | 'packet-filter')[] =>
  user === undefined ? [] : ['network', 'packet-filter']
