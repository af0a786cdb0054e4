/**
 * Deliveries on their way to a consumer: numbers of a fixed size, and the messages as they were sent, as one array. The replica copies
 * bytes and makes no object for any of them; the consumer decodes all messages at once.
 *
 *     numbers    for each, little-endian: u32 slot, f64 position, u32 delivery, u32 deliveries, f64 sentMs
 *     messages   msgpack: an array of them
 */
import type { Codec } from '../machine.ts'
import type { Delivery, QueueMessage } from './queue-commands.ts'

export type DeliveryBatch = readonly [numbers: Uint8Array, messages: Uint8Array]

const NUMBER_BYTES = 28
const ARRAY_HEAD_BYTES = 5
const ARRAY_32 = 0xdd

/** Puts a batch together: with memory of its own. */
export class DeliveryBatchWriter {
  readonly #numbers: DataView
  readonly #messages: Uint8Array
  #count = 0
  #end = ARRAY_HEAD_BYTES

  /** @param messageBytes of all messages together */
  constructor(count: number, messageBytes: number) {
    this.#numbers = new DataView(new ArrayBuffer(count * NUMBER_BYTES))
    this.#messages = new Uint8Array(ARRAY_HEAD_BYTES + messageBytes)
    this.#messages[0] = ARRAY_32
    new DataView(this.#messages.buffer).setUint32(1, count)
  }

  add(
    slot: number,
    position: number,
    delivery: number,
    deliveries: number,
    sentMs: number,
    message: Uint8Array,
  ): void {
    const numbers = this.#numbers
    const at = this.#count++ * NUMBER_BYTES
    numbers.setUint32(at, slot, true)
    numbers.setFloat64(at + 4, position, true)
    numbers.setUint32(at + 12, delivery, true)
    numbers.setUint32(at + 16, deliveries, true)
    numbers.setFloat64(at + 20, sentMs, true)
    this.#messages.set(message, this.#end)
    this.#end += message.byteLength
  }

  get batch(): DeliveryBatch {
    return [new Uint8Array(this.#numbers.buffer), this.#messages]
  }
}

/** The deliveries of an answer; none of an answer that has none. @throws where the messages do not decode */
export function deliveriesIn(batch: DeliveryBatch | undefined | null, codec: Codec): Delivery[] {
  if (batch === undefined || batch === null) return []
  const [{ buffer, byteOffset, byteLength }, encoded] = batch
  const numbers = new DataView(buffer, byteOffset, byteLength)
  const messages = codec.decode(encoded) as readonly QueueMessage[]
  return messages.map((message, index): Delivery => {
    const at = index * NUMBER_BYTES
    return [
      numbers.getUint32(at, true),
      numbers.getFloat64(at + 4, true),
      numbers.getUint32(at + 12, true),
      numbers.getUint32(at + 16, true),
      numbers.getFloat64(at + 20, true),
      message,
    ]
  })
}
