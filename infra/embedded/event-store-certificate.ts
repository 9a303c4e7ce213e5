import { readFile, rename, writeFile } from 'node:fs/promises'
import { isIP } from 'node:net'
import { createAuthority, issue, stillServes } from '../certificates/authority.ts'
import type { State } from './state.ts'

/** How long a certificate is good for, and how long before its end it is replaced, in days. */
const DAYS = 825
const RENEW_AT_DAYS = 90

const NAME = 'ccx-event-store'
const LOCAL = ['localhost', '127.0.0.1'] as const

const found = (path: string): Promise<string | undefined> => readFile(path, 'utf8').catch(() => undefined)

const write = async (path: string, text: string): Promise<void> => {
  await writeFile(`${path}.new`, text, { mode: 0o644 })
  await rename(`${path}.new`, path)
}

/**
 * Sees to it that the embedded event store has a certificate, and that the certificate of the authority which signed it
 * is there for its clients. Both go on being used until they will no longer do.
 *
 * @param state where the keys are, and the certificates are put
 * @param hosts names and addresses, beside the local ones, that clients know it by
 */
export const ensureEventStoreCertificate = async (
  state: Pick<State, 'secret' | 'certificateFile'>,
  hosts: readonly string[],
): Promise<void> => {
  const authorityFile = state.certificateFile('event-store-ca')
  const authorityKey = state.secret('event-store-ca-key')
  const authorityPem = await found(authorityFile)
  const authority =
    authorityPem === undefined
      ? await createAuthority(NAME, authorityKey)
      : { certificatePem: authorityPem, keyPem: authorityKey }
  if (authorityPem === undefined) await write(authorityFile, authority.certificatePem)

  const names = [...new Set([...LOCAL, ...hosts])]
  const wanted = {
    commonName: NAME,
    dnsNames: names.filter((name) => isIP(name) === 0),
    addresses: names.filter((name) => isIP(name) !== 0),
    keyPem: state.secret('event-store-key'),
  }
  const certificateFile = state.certificateFile('event-store')
  const certificatePem = await found(certificateFile)
  const serves = { ...wanted, authorityPem: authority.certificatePem, daysLeft: RENEW_AT_DAYS }
  if (certificatePem !== undefined && stillServes(certificatePem, serves)) return
  await write(certificateFile, (await issue(authority, { ...wanted, days: DAYS })).certificatePem)
}
