/** Faults by hand at nodes in processes of their own: what they do to the cluster, and that it gets over them. */
import assert from 'node:assert/strict'
import { it } from 'node:test'
import { RemoteCluster } from '@troupe/cluster'
import { assertEqualDigests, type NodeProcesses, type RunningNode, withProcesses } from './node-processes.ts'
import { Ledger, until } from './support.ts'

const three = ['n1', 'n2', 'n3']

/** Lets an operator do something, and go away again. */
async function operate<T>({ peers }: NodeProcesses, run: (cluster: RemoteCluster) => Promise<T>): Promise<T> {
  const cluster = await RemoteCluster.connect(Object.values(peers))
  try {
    return await run(cluster)
  } finally {
    cluster.close()
  }
}

/** Starts it again, as often as it goes down over what it has lost, until it is whole. Gives what befell its files. */
async function comesBack(processes: NodeProcesses, id: string): Promise<unknown> {
  const node = processes.launch(id)
  const isUp = (): boolean => node.messages.some(({ kind }) => kind === 'started')
  await until(`${id} has started, or gone down`, () => isUp() || node.exitCode !== undefined)
  await operate(processes, (cluster) => {
    let target: number | undefined
    return until(`${id} is whole, or goes down`, async () => {
      if (node.exitCode !== undefined) return true
      const { leader, nodes } = await cluster.status()
      const [own, led] = [id, leader].map((name) => nodes.find((each) => each.id === name))
      if (led?.running === true) target ??= led.commit
      return own?.running === true && own.damaged.length === 0 && own.applied >= (target ?? Number.NaN)
    })
  })
  const result = node.logged('disk damaged')[0]?.['result']
  if (node.exitCode !== undefined) await comesBack(processes, id)
  return result
}

it(
  'a partition by hand, then a crash at a failpoint of a node whose disk had lied: nothing is lost',
  withProcesses(
    three,
    async (processes) => {
      await processes.startAll()
      await using client = await processes.client({ timeoutMs: 60_000 })
      const ledger = new Ledger(client)
      ledger.start(4)
      const more = async (count: number): Promise<void> => {
        const { acknowledged } = ledger
        await until('writes go on', () => ledger.acknowledged > acknowledged + count)
      }
      await more(20)

      const cut = await operate(processes, ({ faults }) =>
        faults.inject({ kind: 'partition', split: 'primaries' }, { forMs: 60_000 }),
      )
      await more(20)
      await operate(processes, async ({ faults }) => {
        const [listed] = (await faults.list()).faults
        assert.equal(listed?.id, cut.id)
        assert.deepEqual((await faults.destroy(cut.id)).ended, [cut.id])
      })

      const follower = three.find((id) => !cut.text.includes(`: ${id} |`)) as string
      const { child } = processes.nodes.get(follower) as RunningNode
      // The tenth flush from now on is the last, and what it and those before it have acknowledged is gone.
      const { id } = await operate(processes, ({ faults }) =>
        faults.inject([
          { kind: 'storage', mode: 'lose-unflushed', nodes: [follower] },
          { kind: 'failpoint', name: 'after-save', term: '9*off->1*panic', nodes: [follower] },
        ]),
      )
      await until('it has died', () => child.signalCode === 'SIGKILL')
      await operate(processes, async ({ faults }) => {
        const { faults: known, missing } = await faults.list()
        assert.deepEqual(
          [known.map((fault) => fault.id), missing.map(({ node }) => node)],
          [[id], [follower]],
        )
      })
      assert.equal(await comesBack(processes, follower), 'an older state was put back')

      await ledger.stop()
      await ledger.verify()
      await assertEqualDigests(processes)
    },
    () => ({ allowFaults: true, raft: { electionTimeoutMinMs: 300, electionTimeoutMaxMs: 600 } }),
  ),
)
