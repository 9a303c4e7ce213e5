import type { OrderResult } from '../../domain/job/orders.ts'
import { Failure } from '../messaging/worker.ts'
import type { Body, Means, Work } from './context.ts'

const inDns = async ({ signal }: Work, what: string, act: () => Promise<void>): Promise<void> => {
  signal.throwIfAborted()
  try {
    await act()
  } catch (cause) {
    throw new Failure(`The DNS server could not be made to ${what}.`, { final: false, cause })
  }
}

export const publishNames = async (
  { dns }: Means,
  { names }: Body<'infra.publish-names'>,
  work: Work,
): Promise<OrderResult> => {
  await inDns(work, 'publish the names', () => dns.publish(names))
  for (const { name, addresses } of names) work.note(`${name} answers with ${addresses.join(', ')}`)
  return {}
}

export const withdrawNames = async (
  { dns }: Means,
  { names }: Body<'infra.withdraw-names'>,
  work: Work,
): Promise<OrderResult> => {
  await inDns(work, 'withdraw the names', () => dns.withdraw(names))
  for (const name of names) work.note(`${name} is withdrawn`)
  return {}
}
