import { get } from 'node:http'
import type { IncomingMessage } from 'node:http'
import { cloudEvent } from '../../projections/public-events/cloud-event.ts'
import type { z } from 'zod'

/** A message of a stream of events, as the standard's client would dispatch it. */
export type Message = {
  readonly id: string | undefined
  readonly event: string
  readonly data: z.infer<typeof cloudEvent>
}

export type Listening = {
  readonly headers: Headers
  readonly events: readonly Message[]
  /** What the client would send when it comes back; empty as long as the server has told none. */
  readonly lastEventId: () => string
  /** Resolves when the stream is over, whoever has ended it. */
  readonly ended: Promise<void>
  readonly resume: () => void
  readonly close: () => void
}

/**
 * A client of Server-Sent Events after the standard (https://html.spec.whatwg.org/multipage/server-sent-events.html),
 * for one connection: a block without data is no message, yet its id counts.
 *
 * @param options.paused takes nothing from its socket until it is told to
 * @throws when the answer is no stream of events
 */
export const listenTo = async (
  url: string,
  { headers, paused = false }: { readonly headers: Readonly<Record<string, string>>; readonly paused?: boolean },
): Promise<Listening> => {
  const events: Message[] = []
  let lastEventId = ''
  let text = ''
  const block = (lines: readonly string[]): void => {
    const fields = lines.flatMap((line) => {
      const [, name, value = ''] = /^([^:]+)(?:: ?(.*))?$/.exec(line) ?? []
      return name === undefined ? [] : [[name, value] as const]
    })
    const valueOf = (wanted: string) => fields.findLast(([name]) => name === wanted)?.[1]
    lastEventId = valueOf('id') ?? lastEventId
    const data = fields.flatMap(([name, value]) => (name === 'data' ? [value] : [])).join('\n')
    if (data === '') return
    events.push({ id: valueOf('id'), event: valueOf('event') ?? 'message', data: cloudEvent.parse(JSON.parse(data)) })
  }
  const take = (chunk: string): void => {
    const blocks = (text + chunk).split('\n\n')
    text = blocks.pop() ?? ''
    for (const one of blocks) block(one.split('\n'))
  }

  const asked = get(url, { headers: { ...headers, Accept: 'text/event-stream' }, agent: false })
  const response = await new Promise<IncomingMessage>((resolve, reject) => asked.on('response', resolve).on('error', reject))
  const type = response.headers['content-type'] ?? ''
  if (response.statusCode !== 200 || !type.startsWith('text/event-stream')) {
    asked.destroy()
    throw new Error(`the answer is ${response.statusCode} ${type}`)
  }
  const ended = new Promise<void>((resolve) => response.on('close', resolve))
  // A stream that breaks off is over.
  response.on('error', () => undefined)
  asked.on('error', () => undefined)
  const resume = () => void response.setEncoding('utf8').on('data', take)
  if (!paused) resume()
  const told = new Headers(Object.entries(response.headers).map(([name, value]): [string, string] => [name, String(value)]))
  return { headers: told, events, lastEventId: () => lastEventId, ended, resume, close: () => void asked.destroy() }
}
