import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'

/** Starts the embedded event store in a child process and waits until it serves. */
export const startEventStore = async (order: {
  readonly port: number
  readonly databaseUrl: string
}): Promise<ChildProcess> => {
  const server = fork(join(import.meta.dirname, 'event-store-process.ts'))
  server.send(order)
  const [answer] = await Promise.race([once(server, 'message'), once(server, 'exit')])
  if (answer !== 'ready') throw new Error(`the event store's process ended with ${answer}`)
  return server
}

/** kill -9, and waits until the process is gone. */
export const killProcess = async (child: ChildProcess): Promise<void> => {
  if (child.exitCode !== null || child.signalCode !== null) return
  const exited = once(child, 'exit')
  child.kill('SIGKILL')
  await exited
}
