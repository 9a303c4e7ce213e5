import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createAuthority, issue } from '../../infra/certificates/authority.ts'
import type { Security } from '../../infra/embedded/event-store/server.ts'

export type Login = { readonly username: string; readonly password: string }

/**
 * What an embedded event store on 127.0.0.1 needs for TLS and users.
 *
 * @returns also the one user there is at first, an administrator; the query of an address for clients; and how to remove
 *   the file that this names
 */
export const eventStoreSecurity = async () => {
  const folder = await mkdtemp(join(tmpdir(), 'event-store-security-'))
  const authority = await createAuthority('event store of a test')
  const names = { commonName: 'event-store', dnsNames: ['localhost'], addresses: ['127.0.0.1'] }
  const { certificatePem, keyPem } = await issue(authority, { ...names, days: 1 })
  const authorityFile = join(folder, 'ca.pem')
  await writeFile(authorityFile, authority.certificatePem)
  const admin: Login = { username: 'admin', password: 'the administrator of this test' }
  const first = { login: admin.username, password: admin.password, fullName: 'Administrator', groups: ['$admins'] }
  const security: Security = { certificatePem, keyPem, users: [first] }
  const query = `tls=true&tlsCaFile=${encodeURIComponent(authorityFile)}`
  return {
    security,
    authorityPem: authority.certificatePem,
    admin,
    query,
    urlOf: (address: string, login: Login | undefined): string => {
      const who =
        login === undefined ? '' : `${encodeURIComponent(login.username)}:${encodeURIComponent(login.password)}@`
      return `esdb://${who}${address}?${query}`
    },
    remove: () => rm(folder, { recursive: true }),
  }
}
