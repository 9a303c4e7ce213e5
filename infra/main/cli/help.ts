import { commands } from './commands.ts'
import type { Command } from './usage.ts'

export const help: Command = async () => {
  const shown = Object.values(commands).filter((command) => command.hidden !== true)
  const width = Math.max(...shown.map(({ usage }) => usage.length))
  console.log('usage: ./ccx COMMAND\n')
  for (const { usage, summary } of shown) console.log(`  ${usage.padEnd(width)}  ${summary}`)
  return 0
}
