import type { JobInput } from '../domain/datastore/messages.ts'
import type { DatastoreSpec } from '../domain/datastore/spec.ts'
import type { FirewallRules } from '../domain/job/orders.ts'
import type { Saga, Step } from '../domain/job/saga.ts'
import { clusterOf, everyNode } from './cluster.ts'
import { ids } from './nodes.ts'

/** Where what a machine tells of itself is to be had, whatever runs on it. */
const NODE_EXPORTER_PORT = 9100

/** What a machine's packet filter lets in. */
export const firewallOf = ({ port, exporterPort, trusted }: DatastoreSpec): FirewallRules => ({
  ports: [port, NODE_EXPORTER_PORT, ...(exporterPort === undefined ? [] : [exporterPort])],
  ...(trusted === undefined ? {} : { trusted: trusted.map(({ source }) => source) }),
})

/** The engine's own rules; a server that does not run has them from its next start on. */
export const trustStep: Step = {
  name: 'trusted',
  title: 'Let the servers admit the trusted sources alone',
  keys: everyNode,
  does: (facts, nodeId) => ({ subject: 'cmon.set-trusted', body: { cluster: clusterOf(facts), nodeId } }),
  timeoutMs: 120_000, attemptsMax: 5, backoffMs: 1_000,
}

const filterStep: Step = {
  name: 'packet-filter',
  title: 'Set the packet filters of the machines',
  keys: everyNode,
  does: (facts, nodeId) => ({
    subject: 'infra.set-firewall',
    body: { ...ids(facts), nodeId, firewall: firewallOf(facts.input.spec) },
  }),
  timeoutMs: 60_000, attemptsMax: 5, backoffMs: 1_000,
}

/**
 * What a tenant has said of sources holds; so this is repeated until it is so. Machines that are off keep the rules for
 * when they are on again, and servers on them are told before they start.
 */
export const applyFirewall = ({ spec }: JobInput): Saga => ({
  kind: 'apply-firewall',
  title: 'Apply the firewall',
  downtime: 'none',
  steps: [filterStep, ...(spec.stopped === true ? [] : [trustStep])].map((step) => ({ ...step, irreversible: true })),
})
