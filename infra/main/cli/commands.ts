import type { Command } from './usage.ts'

/** What a command is called and does, in one line each; its file is read when it is wanted. */
export type CommandEntry = {
  readonly usage: string
  readonly summary: string
  /** Not shown by `help`: for the other commands, not for people. */
  readonly hidden?: boolean
  readonly load: () => Promise<Command>
}

export const commands: Readonly<Record<string, CommandEntry>> = {
  up: {
    usage: 'up [--state DIR] [--port N] [--separate] [--foreground]',
    summary: 'start everything; get what is missing first',
    load: async () => (await import('./up.ts')).up,
  },
  down: {
    usage: 'down [--state DIR]',
    summary: 'stop everything; data stays',
    load: async () => (await import('./down.ts')).down,
  },
  demo: {
    usage: 'demo [--nodes N] [--cloud CODE] [--region CODE] [--keep] [--state DIR]',
    summary: 'make a datastore, use it, delete it',
    load: async () => (await import('./demo.ts')).demo,
  },
  status: {
    usage: 'status [--state DIR]',
    summary: 'show what runs, where, and whether it is well',
    load: async () => (await import('./status.ts')).status,
  },
  logs: {
    usage: 'logs NAME [--state DIR] [--lines N] [--follow]',
    summary: 'show what one of them has written',
    load: async () => (await import('./logs.ts')).logs,
  },
  run: {
    usage: 'run SERVICE [--state DIR]',
    summary: 'run one service in the foreground',
    load: async () => (await import('./run.ts')).run,
  },
  user: {
    usage: 'user add LOGIN [--admin] [--first-name N] [--last-name N] [--password-stdin] [--state DIR]',
    summary: 'register an account; its password is made and shown, or read from standard input',
    load: async () => (await import('./user.ts')).user,
  },
  client: {
    usage: 'client add LOGIN --name NAME [--expires INSTANT] [--state DIR]',
    summary: 'make OAuth2 client credentials for an account, for Terraform and the like',
    load: async () => (await import('./client.ts')).client,
  },
  org: {
    usage: 'org list | show ID [--state DIR]',
    summary: 'show the organisations; or one with its members and open invitations',
    load: async () => (await import('./org.ts')).org,
  },
  erase: {
    usage: 'erase LOGIN|ID --yes [--state DIR]',
    summary: 'erase an organisation: its personal data cannot be read any more, anywhere',
    load: async () => (await import('./erase.ts')).erase,
  },
  audit: {
    usage: 'audit verify FILE --key FILE | export | keys | checkpoints [--organisation ID|LOGIN] [--state DIR]',
    summary: 'verify an export offline; or export the audit trail of an instance, its keys, its checkpoints',
    load: async () => (await import('./audit.ts')).audit,
  },
  admission: {
    usage: 'admission list | stop SCOPE --reason TEXT [--no-deletions] | start SCOPE [--state DIR]',
    summary: 'take no new jobs, of all or of one organisation, region or engine; take them again',
    load: async () => (await import('./admission.ts')).admission,
  },
  'dead-letters': {
    usage: 'dead-letters list | replay ID [--state DIR]',
    summary: 'show messages that nobody could use; put one back where it came from',
    load: async () => (await import('./dead-letters.ts')).deadLetters,
  },
  mail: {
    usage: 'mail list | show [ID] | retry ID [--state DIR]',
    summary: 'show the mails that wait or were given up; read one (without an id: the newest file); try one again',
    load: async () => (await import('./mail.ts')).mail,
  },
  events: {
    usage: 'events [--follow] [--from CURSOR] [--type T,…] [--subject S,…] [--organisation ID] [--json] [--state DIR]',
    summary: 'show what integrators are told, of all organisations or one; or follow it',
    load: async () => (await import('./events.ts')).events,
  },
  rebuild: {
    usage: 'rebuild PROJECTION|all [--accept] [--no-swap] [--back] | --list [--state DIR]',
    summary: 'make read models anew beside the live ones, compare, and swap; or swap back',
    load: async () => (await import('./rebuild.ts')).rebuild,
  },
  job: {
    usage: 'job list DATASTORE | show|cancel|retry DATASTORE JOB [--state DIR]',
    summary: 'show the jobs of a datastore, newest first; one with its steps and log; stop one, or try it once more',
    load: async () => (await import('./job.ts')).job,
  },
  why: {
    usage: 'why DATASTORE [FIELD] [--state DIR]',
    summary: 'show which event set what a datastore shows, on whose request and through which steps',
    load: async () => (await import('./why.ts')).why,
  },
  replay: {
    usage: 'replay DATASTORE [--from INSTANT] [--to INSTANT] [--step] [--state DIR]',
    summary: 'step through what happened to a datastore, and what of it each event changed',
    load: async () => (await import('./replay.ts')).replay,
  },
  rehearse: {
    usage: 'rehearse [--against RELEASE_DIR] [--state DIR]',
    summary: 'let this release decide and fold the whole log of an instance again, and say where it differs',
    load: async () => (await import('./rehearse.ts')).rehearse,
  },
  test: {
    usage: 'test [PATTERN…]',
    summary: 'check types and style, run all tests (or the files whose path holds a pattern)',
    load: async () => (await import('./test.ts')).test,
  },
  bench: {
    usage: 'bench [PATTERN…]',
    summary: 'measure (or only the benches whose path holds a pattern); fails when a bar is missed',
    load: async () => (await import('./bench.ts')).bench,
  },
  help: {
    usage: 'help',
    summary: 'show this',
    load: async () => (await import('./help.ts')).help,
  },
  supervise: {
    usage: 'supervise --state DIR',
    summary: 'what `up` leaves running in the background',
    hidden: true,
    load: async () => (await import('./supervise.ts')).supervise,
  },
}
