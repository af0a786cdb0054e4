import type { NodeNotice } from '../node-control.ts'
import { FlightRecorder } from './flight-recorder.ts'
import type { RecordingOptions } from './recording-file.ts'

/** A recorder for a node that tells with `tell` why its recording ends before it does. */
export function newRecorder(options: RecordingOptions, tell: (notice: NodeNotice) => void): FlightRecorder {
  return new FlightRecorder(options, (reason, path) =>
    tell({ kind: 'log', level: 'warn', event: 'recording ended', detail: { reason, path } }),
  )
}
