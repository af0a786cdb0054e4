/**
 * Opens a node directory and keeps it open, as a worker thread (`workerData`: the path) or as a process of its
 * own (first argument). Says `open` or the error; leaves as it is told to: `exit`, `throw` or `close`.
 */
import { parentPort, workerData } from 'node:worker_threads'
import { openNodeDirectory } from '../src/index.ts'

const say = (text: string): void => {
  if (parentPort) parentPort.postMessage(text)
  else process.stdout.write(`${text}\n`)
}

const path: string = parentPort ? workerData : process.argv[2]
const directory = openNodeDirectory(path, { clusterId: 'c', nodeId: 'a' })
say('open')
parentPort?.on('message', (how: string) => {
  if (how === 'exit') process.exit(1)
  if (how === 'throw') throw new Error('as told')
  directory.close()
  parentPort?.close()
})
if (!parentPort) process.stdin.resume()
