/** A CPU-heavy job that runs in worker threads by piscina, fed by a queue: `node examples/image-job.ts` */
import { Queue } from '@troupe/queue'
import { Piscina } from 'piscina'

/** Width and height of a picture that is to be blurred. */
interface Job {
  readonly width: number
  readonly height: number
}

const threads = 2
const pool = new Piscina({ filename: new URL('image-blur.ts', import.meta.url).href, maxThreads: threads })
await using queue = await Queue.open<Job>('images')
// As many at once as there are threads: what waits, waits in the queue, where a crash loses nothing.
await using _worker = queue.process(({ data }, signal) => pool.run(data, { signal }), {
  concurrency: threads,
})

const sizes = [64, 128, 192, 256]
const receipts = await queue.sendMany(sizes.map((width) => ({ data: { width, height: 100 } })))
for (const [at, receipt] of receipts.entries()) console.log(`${sizes[at]} x 100:`, await receipt.result())
await pool.destroy()
