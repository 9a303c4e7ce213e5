import 'reflect-metadata'
import { createPrivateKey, createPublicKey, randomBytes, webcrypto, X509Certificate } from 'node:crypto'
import * as x509 from '@peculiar/x509'

/** What signs certificates: its own certificate, which everyone may have, and its key, which nobody else may. */
export type Authority = { readonly certificatePem: string; readonly keyPem: string }

/** A certificate with its key, and that of the authority which signed it. */
export type IssuedCertificate = {
  readonly certificatePem: string
  readonly keyPem: string
  readonly authorityPem: string
}

export type CertificateRequest = {
  readonly commonName: string
  readonly dnsNames: readonly string[]
  /** IPv4 or IPv6. */
  readonly addresses: readonly string[]
  readonly days: number
  /** Certify this key (PKCS #8) instead of a new one. */
  readonly keyPem?: string
}

const DAY_MS = 86_400_000
const AUTHORITY_DAYS = 3650
const ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const

x509.cryptoProvider.set(webcrypto)

/** A new EC P-256 key, PKCS #8 in PEM. */
export const createKeyPem = async (): Promise<string> => {
  const { privateKey } = await webcrypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify'])
  return `${x509.PemConverter.encode(await webcrypto.subtle.exportKey('pkcs8', privateKey), 'PRIVATE KEY')}\n`
}

/**
 * Makes an authority that may sign end entities but no further authorities (RFC 5280, 4.2.1.9), good for ten years.
 *
 * @param name its common name
 * @param keyPem an EC P-256 key to use instead of a new one
 */
export const createAuthority = async (name: string, keyPem?: string): Promise<Authority> => {
  const pem = keyPem ?? (await createKeyPem())
  const keys = await keyPair(pem)
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    serialNumber: serial(),
    name: [{ CN: [name] }],
    ...validity(AUTHORITY_DAYS),
    signingAlgorithm: ALGORITHM,
    keys,
    extensions: [
      new x509.BasicConstraintsExtension(true, 0, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  })
  return { certificatePem: `${certificate.toString('pem')}\n`, keyPem: pem }
}

/**
 * Issues a certificate for a server that is also a client of its peers.
 *
 * @param authority who signs
 * @param request whom for: the names and addresses become subject alternative names (RFC 6125: only they are looked at)
 */
export const issue = async (authority: Authority, request: CertificateRequest): Promise<IssuedCertificate> => {
  const keyPem = request.keyPem ?? (await createKeyPem())
  const signer = await keyPair(authority.keyPem)
  const keys = await keyPair(keyPem)
  const certificate = await x509.X509CertificateGenerator.create({
    serialNumber: serial(),
    subject: [{ CN: [request.commonName] }],
    issuer: new x509.X509Certificate(authority.certificatePem).subjectName.toJSON(),
    ...validity(request.days),
    signingAlgorithm: ALGORITHM,
    publicKey: keys.publicKey,
    signingKey: signer.privateKey,
    extensions: [
      new x509.BasicConstraintsExtension(false, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
      new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth, x509.ExtendedKeyUsage.clientAuth]),
      new x509.SubjectAlternativeNameExtension([
        ...request.dnsNames.map((value) => ({ type: 'dns', value }) as const),
        ...request.addresses.map((value) => ({ type: 'ip', value }) as const),
      ]),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
      await x509.AuthorityKeyIdentifierExtension.create(signer.publicKey),
    ],
  })
  return { certificatePem: `${certificate.toString('pem')}\n`, keyPem, authorityPem: authority.certificatePem }
}

/**
 * Whether a certificate can go on being used: signed by this authority, for this key and all of these names and
 * addresses, and good for at least `daysLeft` more days.
 */
export const stillServes = (
  certificatePem: string,
  wanted: Omit<CertificateRequest, 'days'> & { readonly authorityPem: string; readonly daysLeft: number },
): boolean => {
  const certificate = new X509Certificate(certificatePem)
  return (
    certificate.verify(new X509Certificate(wanted.authorityPem).publicKey) &&
    (wanted.keyPem === undefined || certificate.checkPrivateKey(createPrivateKey(wanted.keyPem))) &&
    wanted.dnsNames.every((name) => certificate.checkHost(name) !== undefined) &&
    wanted.addresses.every((address) => certificate.checkIP(address) !== undefined) &&
    certificate.validToDate.getTime() - Date.now() > wanted.daysLeft * DAY_MS
  )
}

/** Positive, 16 bytes, unguessable (RFC 5280, 4.1.2.2 allows 20). */
const serial = (): string => `4${randomBytes(16).toString('hex').slice(1)}`

/** From an hour ago, so that a machine whose clock is a little late accepts it at once. */
const validity = (days: number): { notBefore: Date; notAfter: Date } => ({
  notBefore: new Date(Date.now() - 3_600_000),
  notAfter: new Date(Date.now() + days * DAY_MS),
})

const keyPair = async (keyPem: string): Promise<webcrypto.CryptoKeyPair> => {
  const key = createPrivateKey(keyPem)
  return {
    privateKey: key.toCryptoKey(ALGORITHM, true, ['sign']),
    publicKey: createPublicKey(key).toCryptoKey(ALGORITHM, true, ['verify']),
  }
}
