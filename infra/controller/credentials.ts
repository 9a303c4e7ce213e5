import { randomBytes } from 'node:crypto'
import type { ClusterRef, NodeRef } from '../../domain/job/orders.ts'
import { type Authority, createAuthority, createKeyPem, issue, stillServes } from '../certificates/authority.ts'
import type { Certificate, EngineSecrets } from '../engines/engine.ts'
import type { Secrets } from '../secrets/secrets.ts'

const CERTIFICATE_DAYS = 825
/** A certificate with less than this left is issued anew. */
const RENEW_DAYS = 31
const PASSWORD_BYTES = 24

/** What a datastore's nodes and accounts authenticate with; all of it sealed under the datastore's owner. */
export type Credentials = {
  /** The datastore's certificate authority, made at the first call. */
  readonly authority: (cluster: ClusterRef) => Promise<Authority>
  readonly engineSecrets: (cluster: ClusterRef) => Promise<EngineSecrets>
  /** The one of the beginning, made at the first call, or the one that was put into the vault since. */
  readonly adminPassword: (cluster: ClusterRef, vaultId: string | null) => Promise<string>
  /** A password that was put into the vault when it was asked for. */
  readonly kept: (cluster: ClusterRef, vaultId: string) => Promise<string | undefined>
  /**
   * The node's certificate for its name, the datastore's names and its address; issued anew only when it no longer
   * serves.
   */
  readonly nodeCertificate: (cluster: ClusterRef, node: NodeRef) => Promise<Certificate>
  readonly destroy: (datastoreId: string) => Promise<void>
}

/** Credentials kept in `secrets`. Racing controllers end up with the same ones. */
export const credentials = (secrets: Secrets): Credentials => {
  const refOf = ({ ownerId, datastoreId }: ClusterRef, name: string) => ({ ownerId, subjectId: datastoreId, name })
  const password = (cluster: ClusterRef, name: string): Promise<string> =>
    secrets.ensure(refOf(cluster, name), async () => randomBytes(PASSWORD_BYTES).toString('base64url'))

  const authority = async (cluster: ClusterRef): Promise<Authority> => {
    const certificate = refOf(cluster, 'ca-certificate')
    const [keyPem, kept] = await Promise.all([
      secrets.ensure(refOf(cluster, 'ca-key'), createKeyPem),
      secrets.open(certificate),
    ])
    if (kept !== undefined) return { certificatePem: kept, keyPem }
    // After the key: whoever of the racing makes the certificate makes it for the key that was kept.
    const signed = async () => (await createAuthority(`datastore ${cluster.datastoreId}`, keyPem)).certificatePem
    return { certificatePem: await secrets.ensure(certificate, signed), keyPem }
  }

  return {
    authority,

    async engineSecrets(cluster) {
      const [superuserPassword, replicationPassword] = await Promise.all([
        password(cluster, 'superuser-password'),
        password(cluster, 'replication-password'),
      ])
      return { superuserPassword, replicationPassword }
    },

    adminPassword: async (cluster, vaultId) => {
      if (vaultId === null) return password(cluster, 'admin-password')
      const changed = await secrets.open(refOf(cluster, vaultId))
      if (changed === undefined) throw new Error("the administrator's password is not in the vault")
      return changed
    },

    kept: (cluster, vaultId) => secrets.open(refOf(cluster, vaultId)),

    async nodeCertificate(cluster, node) {
      const certificate = refOf(cluster, `node-certificate/${node.nodeId}`)
      const [signer, keyPem, before] = await Promise.all([
        authority(cluster),
        secrets.ensure(refOf(cluster, `node-key/${node.nodeId}`), createKeyPem),
        secrets.open(certificate),
      ])
      const request = {
        commonName: node.hostname.slice(0, COMMON_NAME_LENGTH_MAX),
        dnsNames: namesOf(node),
        addresses: [node.address],
        keyPem,
      }
      const signed = async (): Promise<string> =>
        (await issue(signer, { ...request, days: CERTIFICATE_DAYS })).certificatePem
      const kept = before ?? (await secrets.ensure(certificate, signed))
      const wanted = { ...request, authorityPem: signer.certificatePem, daysLeft: RENEW_DAYS }
      if (stillServes(kept, wanted)) return { certificatePem: kept, keyPem, authorityPem: signer.certificatePem }
      const certificatePem = await signed()
      await secrets.seal(certificate, certificatePem)
      return { certificatePem, keyPem, authorityPem: signer.certificatePem }
    },

    destroy: (datastoreId) => secrets.destroySubject(datastoreId),
  }
}

/** RFC 5280, upper bound of a common name; clients look at the alternative names only. */
const COMMON_NAME_LENGTH_MAX = 64

/**
 * The names under which tenants reach a node: its own `<name>.<datastore>.<domain>`, and those of the datastore,
 * which point at whichever node has the role.
 */
const namesOf = ({ hostname }: NodeRef): readonly string[] => {
  const datastore = hostname.slice(hostname.indexOf('.') + 1)
  return [hostname, datastore, `replica.${datastore}`]
}
