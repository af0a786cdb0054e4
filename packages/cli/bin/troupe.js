#!/usr/bin/env node
// Plain JavaScript without imports: it must start under any Node, and before libuv creates its thread pool.
const [major, minor] = process.versions.node.split('.').map(Number)

if (major < 22 || (major === 22 && minor < 18)) {
  process.stderr.write(
    `troupe needs Node.js 22.18 or newer; this is ${process.version} (${process.execPath})\n`,
  )
  process.exitCode = 64
} else {
  // LMDB flushes on this pool: Node's default of four would let the nodes of one process wait for each other.
  if (!process.env.UV_THREADPOOL_SIZE) process.env.UV_THREADPOOL_SIZE = '16'
  // Commands and entries live outside of V8's heap, which else is collected whole whenever they have grown by a fixed amount (ADR 21).
  // An older V8 does not know the flag, and would say so at every start.
  if (Number.parseInt(process.versions.v8, 10) >= 14) {
    process.getBuiltinModule('node:v8').setFlagsFromString('--external-memory-accounted-in-global-limit')
  }
  // Each node is a thread that loads the same modules: compiled once, kept for the next (halves a cluster's start).
  // Threads learn of it by the variable; NODE_DISABLE_COMPILE_CACHE=1 turns it off.
  const { directory } = process.getBuiltinModule('node:module').enableCompileCache()
  if (directory !== undefined) process.env.NODE_COMPILE_CACHE ??= directory
  // Node refuses TypeScript under node_modules: installed, the built main runs; in the repository, the source.
  const main = import.meta.url.includes('/node_modules/') ? '../dist/main.js' : '../src/main.ts'
  void import(main)
}
