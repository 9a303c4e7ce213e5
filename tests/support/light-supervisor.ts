import { supervisor } from '../../infra/embedded/supervisor.ts'
import { lightChild } from './light-children.ts'

/** A supervisor as a process of its own, to be killed: arguments are its folder and a port per child. */
const [folder = '', ...ports] = process.argv.slice(2)
const stages = ports.map((port, i) => ({ children: [lightChild(`child-${i}`, Number(port), folder)] }))
const { start, stop } = supervisor({ stages, runDir: folder, logsDir: folder, log: (line) => console.log(line) })
process.on('SIGTERM', () => void stop())
await start()
console.log('all up')
