import { ingress } from '../embedded/ingress.ts'
import { required } from '../config.ts'
import { serve } from './base.ts'

/** One address in front of services that run side by side on one machine. */
await serve('ingress', [
  async ({ config, signal }) => {
    const { host, port } = config.http
    const front = await ingress({ host, port, routes: required(config.ingressRoutes, 'INGRESS_ROUTES') })
    const ended = new Promise<void>((resolve, reject) => {
      signal.addEventListener('abort', () => void front.close().then(resolve, reject), { once: true })
    })
    return { checks: {}, ended }
  },
])
