import { readCatalogue } from '../../catalogue/read-catalogue.ts'
import { bootEveryMachine } from '../../deployer/boot-all.ts'
import { deployer } from '../../deployer/index.ts'
import { rfc2136 } from '../../dns/rfc2136.ts'
import { tsigKey } from '../../dns/tsig.ts'
import { readSecretFile, required } from '../../config.ts'
import { workOn } from '../../messaging/worker.ts'
import type { Base, Part } from '../base.ts'
import { providersOf } from './machines.ts'
import { checkOffered } from './offered.ts'

/** Carries out the orders of infrastructure. */
export const deployerPart = async ({ config, log, metrics, signal, now, messaging, personal }: Base): Promise<Part> => {
  const broker = await messaging()
  const providers = providersOf(config)
  checkOffered(readCatalogue(config.catalogueFile), 'provider', providers.map(({ name }) => name))
  const [host = '', port] = config.dns.server.split(':')
  const key = tsigKey(config.dns.tsigName, readSecretFile(required(config.dns.tsigSecretFile, 'DNS_TSIG_SECRET_FILE')))
  const dns = rfc2136({ host, port: Number(port), zone: config.dns.domain, key })
  // Before the first order, so that no machine is booted while it is being removed.
  await bootEveryMachine({ providers, log })
  const ended = workOn({
    messaging: broker,
    family: 'infra',
    concurrency: config.workerConcurrency,
    signal,
    handle: deployer({ providers, dns, personal: await personal(), log }),
    now,
    log,
    metrics,
  })
  return { checks: { nats: broker.ping }, ended }
}
