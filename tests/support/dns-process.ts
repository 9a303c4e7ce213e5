// The embedded DNS server as a process of its own, to be killed. Arguments: zone file, key in base64. Prints its port.
import { tsigKey } from '../../infra/dns/tsig.ts'
import { dnsServer } from '../../infra/embedded/dns/index.ts'

const [file = '', secret = ''] = process.argv.slice(2)
const server = await dnsServer({
  host: '127.0.0.1',
  port: 0,
  zone: 'ccx.test',
  key: tsigKey('ccx-test', secret),
  file,
})
process.stdout.write(`${server.port}\n`)
