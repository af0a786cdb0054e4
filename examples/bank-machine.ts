/** A state machine of one's own: accounts, and transfers that never overdraw one. Used by own-machine.ts. */
import {
  joinChunks,
  type MachineContext,
  type MachineDefinition,
  reject,
  type StateMachine,
} from '@troupe/machines'

export type BankCommand =
  | { readonly kind: 'deposit'; readonly to: string; readonly amount: number }
  | { readonly kind: 'transfer'; readonly from: string; readonly to: string; readonly amount: number }

/** A query is the name of an account; its answer the balance. */
type Bank = StateMachine<BankCommand, number, string, number>

function createBank({ codec }: MachineContext): Bank {
  const balances = new Map<string, number>()
  const balanceOf = (account: string): number => balances.get(account) ?? 0
  const add = (account: string, amount: number): number => {
    balances.set(account, balanceOf(account) + amount)
    return balanceOf(account)
  }
  return {
    apply: (command) => {
      if (!(command.amount > 0)) throw reject('an amount is positive')
      if (command.kind === 'deposit') return add(command.to, command.amount)
      if (balanceOf(command.from) < command.amount) throw reject(`${command.from} has too little`)
      add(command.to, command.amount)
      return add(command.from, -command.amount)
    },
    query: balanceOf,
    // Sorted: equal states give equal bytes.
    save: () => [codec.encode([...balances].sort(([left], [right]) => (left < right ? -1 : 1)))],
    load: (chunks) => {
      balances.clear()
      // On their way chunks may have been cut elsewhere.
      for (const [account, balance] of codec.decode(joinChunks(chunks)) as [string, number][])
        balances.set(account, balance)
    },
  }
}

export const machine: MachineDefinition = { name: 'bank', create: createBank as MachineDefinition['create'] }
