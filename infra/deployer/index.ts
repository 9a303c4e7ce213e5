import type { Handle } from '../messaging/worker.ts'
import { allocateAddress, releaseAddress } from './address.ts'
import type { Means } from './context.ts'
import { bootMachine, createMachine, deleteMachine, haltMachine, resizeMachine, setFirewall } from './machine.ts'
import { publishNames, withdrawNames } from './names.ts'
import { createNetwork, deleteNetwork } from './network.ts'
import { sweep } from './sweep.ts'
import { changeVolume, checkVolume, createVolume, deleteVolume, growVolume } from './volume.ts'

/**
 * Carries out the orders of infrastructure. Every order may be handed to it any number of times, and by several of it.
 *
 * @param means the providers, looked up by the name in the order, and the DNS server
 * @returns the handler for `workOn`; it throws `Failure` with what to tell the tenant
 */
export const deployer =
  (means: Means): Handle =>
  ({ order, course }, work) => {
    switch (order.subject) {
      case 'infra.create-network':
        return createNetwork(means, order.body, work)
      case 'infra.delete-network':
        return deleteNetwork(means, order.body, work)
      case 'infra.create-machine':
        return createMachine(means, order.body, work)
      case 'infra.delete-machine':
        return deleteMachine(means, order.body, work)
      case 'infra.allocate-address':
        return allocateAddress(means, order.body, work)
      case 'infra.release-address':
        return releaseAddress(means, order.body, work)
      case 'infra.create-volume':
        return createVolume(means, order.body, work)
      case 'infra.check-volume':
        return checkVolume(means, order.body, work)
      case 'infra.grow-volume':
        return growVolume(means, order.body, work)
      case 'infra.change-volume':
        return changeVolume(means, order.body, work)
      case 'infra.delete-volume':
        return deleteVolume(means, order.body, work)
      case 'infra.set-firewall':
        return setFirewall(means, order.body, work)
      case 'infra.halt-machine':
        return haltMachine(means, order.body, work)
      case 'infra.boot-machine':
        return bootMachine(means, order.body, work)
      case 'infra.resize-machine':
        return resizeMachine(means, order.body, work)
      case 'infra.publish-names':
        return publishNames(means, order.body, work, { course })
      case 'infra.withdraw-names':
        return withdrawNames(means, order.body, work, { course })
      case 'infra.sweep':
        return sweep(means, order.body, work)
      default:
        return Promise.reject(new Error(`BUG: the deployer was given ${order.subject}`))
    }
  }
