/** What a thread does with a picture: blurs it, and gives the mean of what comes out. Run by image-job.ts. */
// biome-ignore lint/style/noDefaultExport: piscina calls the default export of the file
export default function blur({ width, height }: { readonly width: number; readonly height: number }): string {
  const pixels = Uint8Array.from({ length: width * height }, (_, at) => (at * 31) % 256)
  const blurred = new Uint8Array(pixels.length)
  let sum = 0
  for (let at = 0; at < pixels.length; at++) {
    const left = pixels[at === 0 ? at : at - 1] as number
    const right = pixels[at + 1] ?? (pixels[at] as number)
    blurred[at] = (left + (pixels[at] as number) + right) / 3
    sum += blurred[at] as number
  }
  return `mean ${(sum / blurred.length).toFixed(1)}`
}
