import type { ChildProcess } from 'node:child_process'

/** Ends the process at once, a moment from now: the fault falls into whatever it is doing then. */
export const killAfter = (child: ChildProcess, afterMs: number): void =>
  void setTimeout(() => child.kill('SIGKILL'), afterMs)
