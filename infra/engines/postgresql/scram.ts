import { createHash, createHmac, pbkdf2, randomBytes } from 'node:crypto'
import { promisify } from 'node:util'
import { CannotServe } from '../engine.ts'

const ITERATIONS = 4096

/**
 * What the server stores instead of the password (RFC 5803), made here so that the password itself is in no statement.
 *
 * @throws CannotServe for passwords other than printable ASCII: others would need normalising exactly as each client
 * does it
 */
export const scramVerifier = async (password: string, salt: Buffer = randomBytes(16)): Promise<string> => {
  if (!/^[\x20-\x7e]+$/.test(password)) throw new CannotServe('the password may hold printable ASCII characters only')
  const salted = await promisify(pbkdf2)(password, salt, ITERATIONS, 32, 'sha256')
  const hmac = (text: string): Buffer => createHmac('sha256', salted).update(text).digest()
  const storedKey = createHash('sha256').update(hmac('Client Key')).digest('base64')
  return `SCRAM-SHA-256$${ITERATIONS}:${salt.toString('base64')}$${storedKey}:${hmac('Server Key').toString('base64')}`
}
