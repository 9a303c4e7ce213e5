import { once } from 'node:events'
import { createServer, get, type IncomingMessage, type ServerResponse } from 'node:http'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { ingress } from '../../infra/embedded/ingress.ts'
import { until } from '../support/until.ts'

const test = suite('what is in front of the services of one machine')

const LIMIT = { withinMs: 10_000 }
const answers: ServerResponse[] = []
const behind = createServer((_, response) => {
  answers.push(response)
  response.writeHead(200, { 'Content-Type': 'text/event-stream' }).write('data: first\n\n')
}).listen(0, '127.0.0.1')
await once(behind, 'listening')
const address = behind.address()
const port = typeof address === 'object' && address !== null ? address.port : 0
const front = await ingress({ host: '127.0.0.1', port: 0, routes: [{ prefix: '/', port }] })
test.after(async () => {
  behind.closeAllConnections()
  behind.close()
  await front.close()
})

const listen = async () => {
  const asked = get({ host: '127.0.0.1', port: front.port, path: '/stream', agent: false })
  asked.on('error', () => undefined)
  const answered: Promise<[IncomingMessage]> = new Promise((resolve) => asked.on('response', (one) => resolve([one])))
  const [response] = await answered
  let text = ''
  let isOver = false
  response.setEncoding('utf8').on('data', (chunk: string) => (text += chunk)).on('close', () => (isOver = true))
  response.on('error', () => undefined)
  const answer = answers.at(-1)
  if (answer === undefined) throw new Error('BUG: nobody was asked')
  return { text: () => text, isOver: () => isOver, close: () => asked.destroy(), answer, headers: response.headers }
}

test('a stream passes as it comes', async () => {
  const { text, answer, close, headers } = await listen()
  assert.is(headers['content-type'], 'text/event-stream')
  await until(() => text() === 'data: first\n\n', LIMIT)
  answer.write('data: second\n\n')
  await until(() => text().endsWith('data: second\n\n'), LIMIT)
  close()
})

test('a stream whose reader has gone ends behind it, too', async () => {
  const { answer, close } = await listen()
  close()
  await until(() => answer.closed || answer.destroyed, LIMIT)
})

test('a stream that ends or breaks off does so for its reader', async () => {
  const [one, other] = [await listen(), await listen()]
  one.answer.end()
  other.answer.destroy()
  await until(() => one.isOver() && other.isOver(), LIMIT)
})

test.run()
