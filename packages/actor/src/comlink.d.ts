// comlink ships no types beside its ES modules. Everything is imported from this one build: the markers of
// two builds (`dist/umd`, `dist/esm`) do not know each other.
declare module 'comlink/dist/esm/comlink.mjs' {
  export interface Endpoint {
    postMessage(message: unknown, transfer?: unknown[]): void
  }
  export const releaseProxy: unique symbol
  export function expose(target: object, endpoint: Endpoint): void
  export function wrap<T>(endpoint: Endpoint): T & { [releaseProxy](): void }
}

declare module 'comlink/dist/esm/node-adapter.mjs' {
  import type { MessagePort } from 'node:worker_threads'
  import type { Endpoint } from 'comlink/dist/esm/comlink.mjs'
  // biome-ignore lint/style/noDefaultExport: comlink's choice, not ours
  export default function nodeEndpoint(port: MessagePort): Endpoint
}
