/** Runs the test files that it is given, all in this process: for those whose own process takes longer to start than they run. */
import { test } from 'node:test'
import { pathToFileURL } from 'node:url'

for (const file of process.argv.slice(2)) {
  try {
    await import(pathToFileURL(file).href)
  } catch (error) {
    // The others are not to blame for it.
    test(`${file} cannot be loaded`, () => Promise.reject(error))
  }
}
