/** Whether a promise settles (either way) within a bound in ms. Leaves no timer behind. */
export function settlesWithin(promise: Promise<unknown>, boundMs: number): Promise<boolean> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, boundMs, false)
    const settled = () => {
      clearTimeout(timer)
      resolve(true)
    }
    promise.then(settled, settled)
  })
}
