import { mkdtempSync, rmSync } from 'node:fs'
import { Rig } from './rig/rig.ts'
import { summarizeHistogram } from './latency.ts'
const dir = mkdtempSync('/tmp/rigt-')
const rig = await Rig.start(dir, 3)
await new Promise((r) => setTimeout(r, Number(process.env['SETTLE'] ?? 0)))
const [w, b] = process.argv.slice(2).map(Number)
const r = await rig.run({ window: w!, batch: b!, sizeBytes: 64, warmupMs: 0, durationMs: 3000 })
console.log(JSON.stringify({opsPerSecond: Math.round(r.commands / r.elapsedMs * 1000), p50: summarizeHistogram(r.latency).p50}))
await rig.stop(); rmSync(dir, { recursive: true })
