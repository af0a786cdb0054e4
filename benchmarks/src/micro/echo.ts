/** A thread that sends back what it gets: over a bare port, or over the engine's links. */
import { MessageChannel, Worker } from 'node:worker_threads'
import { Link, type LinkWindow } from '@troupe/actor'
import type { PreparedTask } from './task.ts'

const window: LinkWindow = { maxUnreadMessages: 1024, maxUnreadBytes: 64 << 20 }

/** The other thread: a link, so that grants come as they do in the engine, or none. */
const otherSide = `
const { workerData } = require('node:worker_threads')
const { port, isLink, window, actor } = workerData
if (isLink) {
  import(actor).then(({ Link }) => {
    const link = new Link(port, window, {
      onFrame: (frame) => {
        link.consumed(1, frame.byteLength)
        link.send(frame, true)
      },
      onClose: () => process.exit(),
    })
  })
} else {
  port.on('message', (bytes) => port.postMessage(bytes, [bytes.buffer]))
}
port.on('close', () => process.exit())
`

function start(isLink: boolean) {
  const { port1, port2 } = new MessageChannel()
  const workerData = { port: port2, isLink, window, actor: import.meta.resolve('@troupe/actor') }
  const worker = new Worker(otherSide, { eval: true, workerData, transferList: [port2] })
  const exited = new Promise<void>((resolve) => worker.once('exit', () => resolve()))
  return { port: port1, exited }
}

/** One call: `byteLength` bytes to the other thread and back, transferred both ways. */
export function echo(byteLength: number): PreparedTask {
  const { port, exited } = start(false)
  let bytes = new Uint8Array(byteLength)
  let resolve: () => void = () => {}
  port.on('message', (back: Uint8Array<ArrayBuffer>) => {
    bytes = back
    resolve()
  })
  const call = (): Promise<void> => {
    port.postMessage(bytes, [bytes.buffer])
    return new Promise((resume) => {
      resolve = resume
    })
  }
  const close = (): Promise<void> => {
    port.close()
    return exited
  }
  return { call, isAsync: true, close }
}

/** The same over links. */
export function linkEcho(byteLength: number): PreparedTask {
  const { port, exited } = start(true)
  let frame: Uint8Array = new Uint8Array(byteLength)
  let resolve: () => void = () => {}
  const link = new Link(port, window, {
    onFrame: (back) => {
      link.consumed(1, back.byteLength)
      frame = back
      resolve()
    },
  })
  const call = (): Promise<void> =>
    new Promise((resume) => {
      resolve = resume
      link.send(frame, true)
    })
  const close = (): Promise<void> => {
    link.close()
    return exited
  }
  return { call, isAsync: true, close }
}
