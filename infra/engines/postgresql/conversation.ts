import { StringDecoder } from 'node:string_decoder'
import { PassThrough, Writable } from 'node:stream'
import type { Host, RunOptions } from '../../host.ts'

/** A program on a machine that answers each question with one line. */
export type Conversation = {
  /** Says something that is not answered. */
  readonly tell: (words: string) => void
  /** @throws what the program ended with, and when it had ended before */
  readonly ask: (question: string) => Promise<string>
  /** Ends the program at once. */
  readonly end: () => Promise<void>
}

type Waiting = { readonly resolve: (line: string) => void; readonly reject: (reason: unknown) => void }

/**
 * Begins a program that goes on until it is ended, by whom it was begun or by the end of its input.
 *
 * @param options.signal ends it as well
 */
export const converse = (
  host: Host,
  argv: readonly [string, ...string[]],
  { env, signal }: Pick<RunOptions, 'env'> & { readonly signal: AbortSignal },
): Conversation => {
  const stdin = new PassThrough()
  const ending = new AbortController()
  let waiting: Waiting | undefined
  let ended: { readonly reason: unknown } | undefined

  const decoder = new StringDecoder('utf8')
  let rest = ''
  const stdout = new Writable({
    write(chunk: Buffer, _encoding, done) {
      const lines = (rest + decoder.write(chunk)).split('\n')
      rest = lines.pop() ?? ''
      for (const line of lines) {
        waiting?.resolve(line)
        waiting = undefined
      }
      done()
    },
  })

  const options = { stdin, stdout, timeoutMs: Infinity, signal: AbortSignal.any([signal, ending.signal]) }
  const over = host.run(argv, env === undefined ? options : { ...options, env }).then(
    () => new Error('the program ended by itself'),
    (reason: unknown) => reason,
  ).then((reason) => {
    ended = { reason }
    stdin.destroy()
    waiting?.reject(reason)
    waiting = undefined
  })

  return {
    tell: (words) => void stdin.write(words),
    async ask(question) {
      if (ended !== undefined) throw ended.reason
      if (waiting !== undefined) throw new Error('BUG: one question is asked at a time')
      const { promise, resolve, reject } = Promise.withResolvers<string>()
      waiting = { resolve, reject }
      stdin.write(question)
      return promise
    },
    async end() {
      ending.abort()
      await over
    },
  }
}
