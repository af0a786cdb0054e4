import { mkdtempSync, rmSync } from 'node:fs'
import { Rig } from './rig/rig.ts'
import { summarizeHistogram } from './latency.ts'
const dir = mkdtempSync('/tmp/rigt-')
const rig = new Rig(dir, 3)
const [w, b] = process.argv.slice(2).map(Number)
const r = await rig.run({ window: w!, batch: b!, sizeBytes: 64, warmupMs: 100, durationMs: 1500 })
console.log('ours', w, b, Math.round(r.commands / r.elapsedMs * 1000), summarizeHistogram(r.latency).p50)
await rig.stop(); rmSync(dir, { recursive: true })
