/**
 * What every benchmark stands on: it starts clusters, rigs and load, and whatever becomes of it, it ends them again and
 * removes temporary data.
 */
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { type ClientSettings, Cluster, type ClusterOptions } from '@troupe/cluster'
import { invalidOption } from '@troupe/core'
import { describeFileSystem, makeDirectory } from '@troupe/store'
import type { CommandContext } from './command.ts'
import type { ClientSource } from './engine/tested-cluster.ts'
import { LoadGenerator } from './load/load-generator.ts'
import { Rig } from './rig/rig.ts'
import { ConnectedCluster, type ConnectSettings } from './tcp/connected-cluster.ts'
import { ProcessCluster, type ProcessSettings } from './tcp/process-cluster.ts'
import { Progress } from './terminal/progress.ts'
import type { WorkloadSpec } from './workload.ts'

/** Ctrl-C. */
export class Interrupted extends Error {
  override readonly name = 'Interrupted'
}

export interface BenchOptions {
  /** `--data` */
  readonly data: string | undefined
  /** Whether anything is written to it at all. */
  readonly usesDisk: boolean
  /** For the time left in the progress bar. */
  readonly expectedMs: number
}

export class Bench {
  readonly progress: Progress
  readonly directory: string
  readonly #context: CommandContext
  readonly #isTemporary: boolean
  readonly #interrupted: Promise<never>
  readonly #removeOnExit = () => this.#remove()
  #closers: (() => Promise<unknown>)[] = []

  /** @throws RaftError INVALID_OPTIONS where the data directory cannot be used */
  constructor(context: CommandContext, { data, usesDisk, expectedMs }: BenchOptions) {
    this.#context = context
    this.progress = new Progress(context.stderr, expectedMs)
    this.#isTemporary = data === undefined
    this.directory = data === undefined ? mkdtempSync(join(tmpdir(), 'troupe-bench-')) : emptyDirectory(data)
    // Nothing is left behind by a process that ends in the middle.
    if (this.#isTemporary) process.on('exit', this.#removeOnExit)
    this.#interrupted = new Promise((_, reject) => {
      const interrupt = (): void => reject(new Interrupted('interrupted'))
      if (context.signal.aborted) interrupt()
      context.signal.addEventListener('abort', interrupt, { once: true })
    })
    this.#interrupted.catch(() => {})
    if (usesDisk && !describeFileSystem(this.directory).durable) {
      this.warn(
        `${this.directory} is on ${describeFileSystem(this.directory).type}: flushes cost and mean nothing there`,
      )
    }
  }

  /** The environment's variables. */
  get env(): CommandContext['env'] {
    return this.#context.env
  }

  /** Says something beside the results, at once. */
  warn(text: string): void {
    this.#context.stderr.write(`troupe: ${text}\n`)
  }

  /** `work`, unless Ctrl-C comes first. @throws Interrupted */
  async or<Value>(work: Promise<Value>): Promise<Value> {
    return Promise.race([work, this.#interrupted])
  }

  /** @param name of its folder in the data directory */
  async startCluster(name: string, options: ClusterOptions): Promise<Cluster> {
    const directory = join(this.directory, name)
    const starting = Cluster.start(options.durability === 'memory' ? options : { ...options, directory })
    // Interrupted in the middle of its start it must be stopped all the same.
    this.#closers.push(() => starting.then((cluster) => cluster.stop()).catch(() => {}))
    return this.or(starting)
  }

  /** Has `close` called when the benchmark ends, before what was started earlier ends. */
  onEnd(close: () => Promise<unknown>): void {
    this.#closers.push(close)
  }

  /**
   * Nodes as processes, over TCP on the loopback.
   * @param name of their folder in the data directory
   */
  async startProcesses(
    name: string,
    options: ClusterOptions,
    tls: boolean,
    more: Pick<ProcessSettings, 'watchesHeartbeats'> = {},
  ): Promise<ProcessCluster> {
    const directory = join(this.directory, name)
    const starting = ProcessCluster.start({ directory, options, tls, ...more })
    this.#closers.push(() => starting.then((cluster) => cluster.stop()).catch(() => {}))
    return this.or(starting)
  }

  /** A cluster that runs already; it is left as it is. */
  async connect(settings: ConnectSettings): Promise<ConnectedCluster> {
    const connecting = ConnectedCluster.connect(settings)
    this.#closers.push(() => connecting.then((cluster) => cluster.close()).catch(() => {}))
    return this.or(connecting)
  }

  startLoad(cluster: ClientSource, workload: WorkloadSpec, settings?: ClientSettings): LoadGenerator {
    const load = new LoadGenerator(cluster, workload, settings)
    this.#closers.push(() => load.close())
    return load
  }

  async startRig(name: string, nodes: number): Promise<Rig> {
    const directory = join(this.directory, name)
    makeDirectory(directory)
    const starting = Rig.start(directory, nodes)
    this.#closers.push(() => starting.then((rig) => rig.stop()).catch(() => {}))
    return this.or(starting)
  }

  /** Ends what was started, the last first. The data of a temporary directory goes too. */
  async closeAll(): Promise<void> {
    const closers = this.#closers.reverse()
    this.#closers = []
    for (const close of closers) await close()
    if (this.#isTemporary) for (const name of readdirSync(this.directory)) this.#remove(name)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.progress.end()
    try {
      await this.closeAll()
    } finally {
      if (this.#isTemporary) this.#remove()
      process.off('exit', this.#removeOnExit)
    }
  }

  /** Whether Ctrl-C was pressed. */
  get isInterrupted(): boolean {
    return this.#context.signal.aborted
  }

  #remove(name = ''): void {
    rmSync(join(this.directory, name), { recursive: true, force: true })
  }
}

/** Old data in it would be counted as writes applied twice. */
function emptyDirectory(data: string): string {
  const directory = resolve(data)
  let names: string[]
  try {
    makeDirectory(directory)
    names = readdirSync(directory)
  } catch (error) {
    const { code = 'unknown' } = error as NodeJS.ErrnoException
    throw invalidOption('--data', data, `a directory that can be written to (${code})`)
  }
  if (names.length > 0) throw invalidOption('--data', data, 'a directory that is empty or not there yet')
  return directory
}
