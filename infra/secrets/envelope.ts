import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto'

export const KEY_BYTES = 32
const NONCE_BYTES = 12
const TAG_BYTES = 16
// The first byte says how the rest was made, so that another way can come beside this one.
const AES_256_GCM = 1

/** What a sealed value belongs to. It is authenticated with it: in another place the value does not open. */
export type Binding = readonly [purpose: string, ...parts: string[]]

// JSON, because joining with a separator would let two different bindings give the same bytes.
const bytesOf = (binding: Binding): Buffer => Buffer.from(JSON.stringify(binding))

export const newKey = (): Buffer => randomBytes(KEY_BYTES)

/** Encrypts with AES-256-GCM (NIST SP 800-38D) under a fresh random nonce: version, nonce, tag, ciphertext. */
export const seal = (key: Buffer, plain: Buffer, binding: Binding): Buffer => {
  const nonce = randomBytes(NONCE_BYTES)
  const cipher = createCipheriv('aes-256-gcm', key, nonce).setAAD(bytesOf(binding))
  const text = Buffer.concat([cipher.update(plain), cipher.final()])
  return Buffer.concat([Buffer.of(AES_256_GCM), nonce, cipher.getAuthTag(), text])
}

/** @throws when the key is another, the binding is another, or a bit has changed */
export const unseal = (key: Buffer, sealed: Buffer, binding: Binding): Buffer => {
  if (sealed[0] !== AES_256_GCM) throw new Error('the sealed value is in a form that is not known')
  const nonce = sealed.subarray(1, 1 + NONCE_BYTES)
  const tag = sealed.subarray(1 + NONCE_BYTES, 1 + NONCE_BYTES + TAG_BYTES)
  const decipher = createDecipheriv('aes-256-gcm', key, nonce, { authTagLength: TAG_BYTES })
  decipher.setAAD(bytesOf(binding)).setAuthTag(tag)
  return Buffer.concat([decipher.update(sealed.subarray(1 + NONCE_BYTES + TAG_BYTES)), decipher.final()])
}
