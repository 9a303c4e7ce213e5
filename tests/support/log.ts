import { createLog, type Log } from '../../infra/telemetry/logger.ts'

/** A real log whose lines are kept as text. */
export const keptLog = (service = 'test'): { readonly log: Log; readonly lines: string[] } => {
  const lines: string[] = []
  return { log: createLog({ service, level: 'debug', destination: { write: (line) => void lines.push(line) } }), lines }
}
