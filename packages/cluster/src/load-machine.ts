import { RaftError } from '@troupe/core'
import { checkMachineDefinition, kvMachine, logMachine, type MachineDefinition } from '@troupe/machines/host'

const BUILT_IN: Readonly<Record<string, MachineDefinition>> = { kv: kvMachine, log: logMachine }

/**
 * The state machine named or pointed to by `source`, loaded in this thread.
 * @throws RaftError INVALID_MACHINE where the module does not load or breaks the contract
 */
export async function loadMachine(source: string): Promise<MachineDefinition> {
  // As many modules as the rest of the machines together.
  if (source === 'queue') return (await import('@troupe/machines/queue')).queueMachine
  return BUILT_IN[source] ?? (await importMachine(source))
}

async function importMachine(url: string): Promise<MachineDefinition> {
  let module: { readonly machine?: unknown }
  try {
    module = await import(url)
  } catch (error) {
    const reason = `it does not load: ${error instanceof Error ? error.message : String(error)}`
    throw new RaftError('INVALID_MACHINE', `state machine ${url}: ${reason}`, { machine: url, reason })
  }
  return checkMachineDefinition(url, module.machine)
}
