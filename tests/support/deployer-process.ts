// The deployer as a process of its own, to be killed. Arguments: machines folder, DNS port, key in base64, orders as
// JSON. Carries them out one after the other and prints a line after each.
import { z } from 'zod'
import type { Order } from '../../domain/job/orders.ts'
import { deployer } from '../../infra/deployer/index.ts'
import { rfc2136 } from '../../infra/dns/rfc2136.ts'
import { tsigKey } from '../../infra/dns/tsig.ts'
import { createLog } from '../../infra/telemetry/logger.ts'
import { localProviders } from './local-providers.ts'
import { placed } from './orders.ts'
import { openPersonalData } from './personal-data.ts'

const [machinesDir = '', port = '', secret = '', orders = ''] = process.argv.slice(2)
const isOrder = (value: unknown): value is Order => typeof value === 'object' && value !== null && 'subject' in value
const handle = deployer({
  providers: localProviders(machinesDir),
  dns: rfc2136({ host: '127.0.0.1', port: Number(port), zone: 'ccx.test', key: tsigKey('ccx-test', secret) }),
  personal: openPersonalData,
  log: createLog({ service: 'ccx-deployer', level: 'silent' }),
})
const work = { signal: new AbortController().signal, note: () => undefined, progress: () => undefined }
for (const order of z.array(z.custom<Order>(isOrder)).parse(JSON.parse(orders))) {
  await handle(placed('ord_1', { order }), work)
  process.stdout.write(`${order.subject}\n`)
}
