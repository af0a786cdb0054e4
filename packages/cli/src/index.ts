/** The `troupe` command line as a function. */
export { runCli } from './run-cli.ts'
