import { readlinkSync } from 'node:fs'
import { z } from 'zod'
import type { Neighbours } from '../../controller/watch.ts'
import { isAlive, ownIdentity } from '../../embedded/process-identity.ts'

/** Process ids are of a namespace (pid_namespaces(7)): what runs in another one cannot be seen from here. */
const Self = z.object({ pid: z.number().int().min(1), startedTicks: z.string(), bootId: z.string(), namespace: z.string() })

export const neighbours = (): Neighbours => {
  const self = { ...ownIdentity(), namespace: readlinkSync('/proc/self/ns/pid') }
  return {
    self: JSON.stringify(self),
    isGone: (text) => {
      const told = Self.safeParse(parsed(text)).data
      return told?.bootId === self.bootId && told.namespace === self.namespace && !isAlive(told)
    },
  }
}

const parsed = (text: string): unknown => {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
