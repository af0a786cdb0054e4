/**
 * What the tasks are measured by: their times as multiples of these say more about the code than about the machine.
 * They use nothing of the engine, and must not be changed: every stored baseline would be off.
 */
import { closeSync, fdatasync, openSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { echo } from './echo.ts'
import type { PreparedTask, Yardstick } from './task.ts'

const WORDS = 4096
const NAMES = 256
const FLUSH_BYTES = 4096
const HOP_BYTES = 1024

/** Integer arithmetic over memory, small objects and a map with text keys: what the hot path is made of. */
function loop(): PreparedTask {
  const words = new Uint32Array(WORDS)
  const names = Array.from({ length: NAMES }, (_, at) => `name-${at}`)
  const table = new Map<string, { readonly hash: number; readonly at: number }>()
  let hash = 1
  const call = (): number => {
    for (let at = 0; at < WORDS; at++) {
      hash = Math.imul(hash ^ (words[at] as number), 0x01000193) >>> 0
      words[at] = hash
    }
    for (let at = 0; at < NAMES; at++) table.set(names[at] as string, { hash, at })
    return hash
  }
  return { call, isAsync: false }
}

const flushFile = promisify(fdatasync)

function flush(directory: string): PreparedTask {
  const file = openSync(join(directory, 'yardstick'), 'w')
  const page = new Uint8Array(FLUSH_BYTES)
  return {
    call: () => {
      writeSync(file, page, 0, FLUSH_BYTES, 0)
      return flushFile(file)
    },
    isAsync: true,
    close: async () => closeSync(file),
  }
}

const makers: Readonly<Record<Yardstick, (directory: string) => PreparedTask>> = {
  loop,
  flush,
  hop: () => echo(HOP_BYTES),
}

export const prepareYardstick = (name: Yardstick, directory: string): PreparedTask => makers[name](directory)
