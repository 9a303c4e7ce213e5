import type { PersonalData } from '../../domain/kernel/sealed.ts'
import type { ControllerStore } from '../controller-store/controller-store.ts'
import type { Credentials } from './credentials.ts'
import type { Nodes } from './nodes.ts'

/** What the controller carries orders out with. */
export type Parts = {
  readonly nodes: Nodes
  readonly credentials: Credentials
  readonly store: ControllerStore
  readonly personal: Pick<PersonalData, 'open'>
  readonly now: () => string
}
