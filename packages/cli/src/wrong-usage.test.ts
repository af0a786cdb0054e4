/** What is wrong with a command line of the benchmarks or the simulator is one line, and 64: nothing has begun by then. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { troupe } from './in-process.fixture.ts'

const THIS_FILE = fileURLToPath(import.meta.url)

type Mistake = readonly [args: readonly string[], line: RegExp]

const nowhere = ['--connect', '127.0.0.1:1']
const ofBench: readonly Mistake[] = [
  [['throughput', '--nodes', '0'], /^troupe: --nodes is 0; expected an integer from 1 to 9\n$/],
  [['throughput', '--size', '-1'], /^troupe: --size is -1; expected an integer from 1 to 1,048,576\n$/],
  [['throughput', '--size', '5'], /^troupe: --size is 5; expected at least \d+ bytes for kv/],
  [['throughput', '--machine', 'queue'], /^troupe: --machine is "queue"; expected kv or log\n$/],
  [['election', '--fault', 'flood'], /^troupe: --fault is "flood"; expected crash or silent-crash or /],
  [['election', '--cell', 'flood'], /^troupe: --cell is "flood"; expected one of crash-3, /],
  [['election', '--fault', 'cascade'], /^troupe: --nodes is 3; expected at least 5 for cascade\n$/],
  [['election', '--timeouts', '300-150'], /^troupe: --timeouts is "300-150"; expected the shortest and/],
  [
    ['election', '--cells', 'matrix'],
    /^troupe: --engine is "threads"; expected sim, for the whole matrix\n$/,
  ],
  [['throughput', '--json'], /^troupe: --json has no value; expected a file\n$/],
  [['throughput', '--no-such'], /^troupe: unknown flag "--no-such"; see troupe bench throughput --help\n$/],
  [['sweep', '--delay-ms', '0,x'], /^troupe: --delay-ms is "0,x"; expected numbers from 0 to 1,000, with/],
  [['sweep', '--delay-ms', '0,200'], /^troupe: --delay-ms is 200; expected at most 100 ms\n$/],
  [['no-such'], /^troupe: unknown command "no-such"; see troupe bench --help\n$/],
  [
    ['throughput', '--data', THIS_FILE],
    /^troupe: --data is ".*"; expected a directory that can be written to/,
  ],
  // What nodes that are processes, or somebody else's, cannot have.
  [
    ['throughput', '--engine', 'tcp', '--durability', 'memory'],
    /^troupe: --durability is "memory"; expected one with files, for nodes that are processes\n$/,
  ],
  [
    ['throughput', '--engine', 'tcp', '--fault', 'delay', '--seconds', '3600'],
    /^troupe: --seconds is 3600; expected less than an hour, with a fault of processes\n$/,
  ],
  [['throughput', '--tls'], /^troupe: --tls is true; expected nothing, with --engine threads\n$/],
  [
    ['election', '--engine', 'tcp', '--fault', 'isolation'],
    /^troupe: --fault is "isolation"; expected one of/,
  ],
  [['throughput', ...nowhere, '--engine', 'tcp'], /^troupe: --engine is "tcp"; expected nothing, with --con/],
  [['latency', ...nowhere, '--fault', 'crash'], /^troupe: --fault is "crash"; expected nothing, with --conn/],
  [
    ['throughput', ...nowhere, '--max-batch-bytes', '9'],
    /^troupe: --max-batch-bytes is 9; expected nothing, /,
  ],
  [
    ['sweep', ...nowhere, '--nodes', '5'],
    /^troupe: --nodes is "5"; expected nothing, with --connect: a client sets --window and --size\n$/,
  ],
  [['sweep', ...nowhere, '--engine', 'tcp'], /^troupe: --engine is "tcp"; expected nothing, with --connect/],
  [
    ['sweep', '--engine', 'tcp', '--durability', 'memory'],
    /^troupe: --durability is "memory"; expected one with/,
  ],
  [
    ['election', ...nowhere],
    /^troupe: --connect is "127\.0\.0\.1:1"; expected nothing: when a leader is missed, .*--allow-faults; or while `troupe transfer` hands over\n$/,
  ],
  [
    ['compare', '--tls-authority', 'ca.pem'],
    /^troupe: --tls-authority is "ca\.pem"; expected nothing without --connect/,
  ],
  [
    ['throughput', '--tls-authority', 'ca.pem'],
    /^troupe: --tls-authority is "ca.pem"; expected nothing with/,
  ],
]

const ofSoak: readonly Mistake[] = [
  [['--minutes', '0'], /^troupe: --minutes is 0; expected a number of at least 0\.1\n$/],
  [['--nodes', '2'], /^troupe: --nodes is 2; expected an integer from 3 to 9\n$/],
  [['--size', '3'], /^troupe: --size is 3; expected at least \d+ bytes for kv/],
  [['--durability', 'memory'], /^troupe: --durability is "memory"; expected flush-before-ack or /],
  [['now'], /^troupe: unknown command "now"; see troupe soak --help\n$/],
]

const ofSim: readonly Mistake[] = [
  [['replay'], /^troupe: FILE is undefined; expected a schedule/],
  [
    ['replay', 'no-such.json'],
    /^troupe: FILE is "no-such.json"; expected a file that can be read \(ENOENT\)\n$/,
  ],
  [['replay', 'package.json'], /^troupe: format is undefined; expected 1\n$/],
  [
    ['campaign', '--file', 'package.json'],
    /^troupe: --file is "package.json"; expected a file that an earlier/,
  ],
  [
    ['campaign', '--file', 'no-such/a.json'],
    /^troupe: --file is "no-such\/a.json"; expected a file in a folder .*\(ENOENT\)\n$/,
  ],
  [
    ['shrink', '--out', 'no-such/a.json'],
    /^troupe: --out is "no-such\/a.json"; expected a file in a folder /,
  ],
  [['mutants', '--only', 'no-such'], /^troupe: --only is "no-such"; expected one of /],
  [['no-such'], /^troupe: unknown command "no-such"; see troupe sim --help\n$/],
  [['--seeds', '0'], /^troupe: --seeds is 0; expected/],
  [['--seed', 'x'], /^troupe: --seed is "?x"?; expected/],
  [['--nodes', '8'], /^troupe: --nodes is 8; expected an integer from 1 to 7\n$/],
  [['--no-such'], /^troupe: unknown flag "--no-such"; see troupe sim --help\n$/],
]

const ofUp: readonly Mistake[] = [
  [['--nodes', '10'], /^troupe: --nodes is 10; expected an integer from 1 to 9\n$/],
  [['--port', '7400'], /^troupe: --port is 7400; expected --processes with it\n$/],
  [['--processes', '--port', '0'], /^troupe: --port is 0; expected an integer from 1 to 65,000\n$/],
  [['--processes', '--config', 'no-such'], /^troupe: --config is "no-such"; expected a YAML file/],
  [['now'], /^troupe: unknown command "now"; see troupe up --help\n$/],
  [['--allow-faults'], /^troupe: --allow-faults is true; expected --processes with it\n$/],
]

const ofRun: readonly Mistake[] = [
  [
    ['a.yaml', '--network', 'namespaces'],
    /^troupe: --network is "namespaces"; expected nothing, without --eng/,
  ],
  [['a.yaml', '--engine', 'tcp', '--network', 'tunnel'], /^troupe: --network is "tunnel"; expected proxy or/],
  [['a.yaml', '--engine', 'tcp', '--mutant', 'no-such'], /^troupe: --mutant is "no-such"; expected one of /],
  [
    ['a.yaml', '--prove', '--mutant', 'ack-before-flush'],
    /^troupe: --mutant is "ack-before-flush"; expected nothing, with --prove\n$/,
  ],
]

const ofFault: readonly Mistake[] = [
  [['list'], /^troupe: --connect is undefined; expected host:port of one node or more\n$/],
  [['inject', ...nowhere], /^troupe: fault is undefined; expected one or more, such as --delay 200ms/],
  [['inject', '--loss', '300%', ...nowhere], /^troupe: --loss is "300%"; expected a percentage/],
  [
    ['destroy', ...nowhere],
    /^troupe: ID has no value; expected troupe fault destroy ID; see troupe fault --help\n$/,
  ],
  [['apply', 'no-such.yaml', ...nowhere], /^troupe: FILE is "no-such.yaml"; expected a file .*\(ENOENT\)\n$/],
  [['apply', THIS_FILE, ...nowhere], /^troupe: FILE is ".*"; expected YAML: /],
  [['mend'], /^troupe: unknown command "mend"; see troupe fault --help\n$/],
]

const ofQueue: readonly Mistake[] = [
  [['stats'], /^troupe: QUEUE /],
  [['stats', 'jobs'], /either --connect HOST:PORT or --directory DIR/],
  [['send', 'jobs', '--directory', '.', '--data', '{'], /^troupe: --data is "\{"; expected JSON/],
  [
    ['send', 'jobs', '--directory', '.'],
    /^troupe: --data is undefined; expected a message as JSON, or --file/,
  ],
  [['sned', 'jobs'], /^troupe: unknown command "sned"; see troupe queue --help\n$/],
]

const all = { bench: ofBench, queue: ofQueue, run: ofRun, soak: ofSoak, sim: ofSim, up: ofUp, fault: ofFault }
for (const [name, mistakes] of Object.entries(all)) {
  describe(`wrong usage of troupe ${name}`, () => {
    for (const [args, line] of mistakes) {
      test(args.join(' ').replace(THIS_FILE, 'FILE'), async () => {
        const { code, stdout, stderr } = await troupe(name, ...args)
        assert.match(stderr, line)
        assert.deepEqual([code, stdout], [64, ''])
      })
    }
  })
}
