/** A machine that keeps its thread busy for `busyMs` with each command. */
import type { MachineContext, MachineDefinition } from '@troupe/machines'

export const machine: MachineDefinition = {
  name: 'slow',
  create: ({ codec, options }: MachineContext) => {
    const busyMs = Number(options.busyMs)
    let count = 0
    return {
      apply: () => {
        const untilMs = performance.now() + busyMs
        while (performance.now() < untilMs);
        return ++count
      },
      query: () => count,
      save: () => [codec.encode(count)],
      load: (chunks) => {
        for (const chunk of chunks) count = codec.decode(chunk) as number
      },
    }
  },
}
