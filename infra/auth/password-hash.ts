import { argon2, randomBytes, timingSafeEqual } from 'node:crypto'
import { promisify } from 'node:util'

const derive = promisify(argon2)

/** The first of OWASP's choices for argon2id (Password Storage Cheat Sheet); memory in KiB. */
const CHOSEN = { memory: 19_456, passes: 2, parallelism: 1 } as const
const SALT_BYTES = 16
const HASH_BYTES = 32

const PHC = /^\$argon2id\$v=19\$m=(\d+),t=(\d+),p=(\d+)\$([A-Za-z0-9+/]+)\$([A-Za-z0-9+/]+)$/

const unpadded = (bytes: Buffer): string => bytes.toString('base64').replace(/=+$/, '')

const hashOf = (
  password: string,
  {
    salt,
    bytes,
    ...cost
  }: {
    readonly memory: number
    readonly passes: number
    readonly parallelism: number
    readonly salt: Buffer
    readonly bytes: number
  },
): Promise<Buffer> =>
  // The same password may be typed in composed or decomposed letters.
  derive('argon2id', { ...cost, message: password.normalize('NFC'), nonce: salt, tagLength: bytes })

/** Hashes a password with argon2id and a salt of its own, in PHC string format. */
export const hashPassword = async (password: string): Promise<string> => {
  const salt = randomBytes(SALT_BYTES)
  const hash = await hashOf(password, { ...CHOSEN, salt, bytes: HASH_BYTES })
  const { memory, passes, parallelism } = CHOSEN
  return `$argon2id$v=19$m=${memory},t=${passes},p=${parallelism}$${unpadded(salt)}$${unpadded(hash)}`
}

/** Whether a hash was made at less cost than a new one would be. */
export const isOutdated = (phc: string): boolean => {
  const [, memory, passes, parallelism] = PHC.exec(phc) ?? []
  return Number(memory) < CHOSEN.memory || Number(passes) < CHOSEN.passes || Number(parallelism) < CHOSEN.parallelism
}

/**
 * Whether a password is the one that was hashed.
 *
 * @param phc as `hashPassword` writes it
 * @throws when it is something else
 */
export const isPassword = async (password: string, phc: string): Promise<boolean> => {
  const [, memory, passes, parallelism, salt, hash] = PHC.exec(phc) ?? []
  if (salt === undefined || hash === undefined)
    throw new Error('BUG: a kept password hash is not argon2id in PHC format')
  const kept = Buffer.from(hash, 'base64')
  const cost = { memory: Number(memory), passes: Number(passes), parallelism: Number(parallelism) }
  const made = await hashOf(password, { ...cost, salt: Buffer.from(salt, 'base64'), bytes: kept.length })
  return timingSafeEqual(made, kept)
}
