import { createHash, createPrivateKey, createPublicKey, type KeyObject, sign, verify } from 'node:crypto'

/** What checkpoints are signed with. */
export type SigningKey = {
  readonly keyId: string
  /** SPKI in PEM. */
  readonly publicKey: string
  /** An Ed25519 signature of the text, in base64. */
  readonly sign: (text: string) => string
}

/** The name of a public key: SHA-256 of its SPKI in DER, hexadecimal. */
const keyIdOf = (key: KeyObject): string =>
  createHash('sha256').update(key.export({ type: 'spki', format: 'der' })).digest('hex')

const ed25519 = (key: KeyObject): KeyObject => {
  if (key.asymmetricKeyType !== 'ed25519') throw new Error(`the key is of the kind ${key.asymmetricKeyType}, not Ed25519`)
  return key
}

/**
 * Reads a signing key.
 *
 * @param pem the private key, PKCS #8 in PEM
 * @throws when it is no Ed25519 private key; the message holds nothing of it
 */
export const signingKey = (pem: string): SigningKey => {
  try {
    const key = ed25519(createPrivateKey(pem))
    const publicKey = createPublicKey(key)
    return {
      keyId: keyIdOf(publicKey),
      publicKey: publicKey.export({ type: 'spki', format: 'pem' }).toString(),
      sign: (text) => sign(null, Buffer.from(text), key).toString('base64'),
    }
  } catch (cause) {
    throw new Error('the audit key cannot be read: an Ed25519 private key in PEM is wanted', { cause })
  }
}

/** Whether a signature, in base64, is one of the text by this key. */
export type Verify = (text: string, signature: string) => boolean

/**
 * Reads a public key.
 *
 * @param pem SPKI in PEM
 * @throws when it is no Ed25519 public key
 */
export const verifyingKey = (pem: string): { readonly keyId: string; readonly verify: Verify } => {
  try {
    const key = ed25519(createPublicKey(pem))
    return {
      keyId: keyIdOf(key),
      verify: (text, signature) => {
        const bytes = Buffer.from(signature, 'base64')
        // Only one text stands for a signature, lest one be changed unseen.
        return bytes.toString('base64') === signature && verify(null, Buffer.from(text), key, bytes)
      },
    }
  } catch (cause) {
    throw new Error('the public key cannot be read: an Ed25519 public key in PEM is wanted', { cause })
  }
}
