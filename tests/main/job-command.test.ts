import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { job, jobInFullLines, jobLines } from '../../infra/main/cli/job.ts'
import { noon } from '../support/examples.ts'

const test = suite('an operator looks at jobs')

const listed = {
  job_id: '0d000000-0000-4000-8000-00000000000d',
  type: 'JOB_TYPE_ADD_NODE',
  status: 'JOB_STATUS_RUNNING',
  title: 'Add nodes',
  text: 'Boot the machines',
  progress: 7,
  needs_attention: false,
  user: 'alice@example.com',
  created_at: noon,
  started_at: noon,
  finished_at: null,
  messages: [],
  data: { ClusterUUID: 'clu_1' },
} as const
const id = listed.job_id
const log = { id: '1/1', at: noon, step: 'boot', step_title: 'Boot the machines', host_uuid: null, attempt: 1 } as const
const step = { name: 'boot', title: 'Boot the machines', attempts: 1, orders_total: 1, orders_done: 0 } as const

test('a job says how it stands, and who asked for it when', () => {
  assert.equal(jobLines({ ...listed, messages: [] }), [
    `${id}  Add nodes: Boot the machines`,
    `      7 %  asked for at ${noon} by alice@example.com`,
  ])
  const stuck = { ...listed, messages: [], needs_attention: true, finished_at: noon }
  assert.match(jobLines(stuck).join('\n'), /\(an operator should look\)\n.*, ended at 2030/)
})

test('a job in full has its steps and its log, and none of it can tell the terminal what to do', () => {
  const lines = jobInFullLines({
    ...listed,
    messages: [],
    steps: [
      { ...step, state: 'running', attempts: 2, orders_total: 3, orders_done: 1 },
      { ...step, title: 'Check', state: 'pending' },
    ],
    log: [
      { ...log, severity: 'warning', undo: false, line: 'no\u001b[31m room' },
      { ...log, step: null, step_title: null, severity: 'info', undo: true, line: 'queued' },
    ],
  })
  assert.equal(lines.slice(2), [
    '  steps',
    '    running   Boot the machines, 1 of 3 orders done, attempt 2',
    '    pending   Check',
    '  log',
    `    ${noon}  warning  Boot the machines: no?[31m room`,
    `    ${noon}  info     queued`,
  ])
})

test('a verb that there is not, or too few words, say what is wanted', async () => {
  for (const words of [[], ['list'], ['show', 'shop'], ['cancel', 'shop'], ['list', 'shop', id], ['undo', 'shop', id]]) {
    await job(words).then(() => assert.unreachable(), (error: unknown) => assert.match(String(error), /job wants: list/))
  }
})

test.run()
